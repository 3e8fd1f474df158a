#include "certs/authority.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/certs/certificate_builder.h"
#include "tests/certs/scratch_folder.h"

namespace tollgate::certs::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::days;

mode_t mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

std::string content_of(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void write(const fs::path& path, std::string_view content) {
  std::ofstream(path) << content;
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
}

std::set<std::string> files_in(const fs::path& dir) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir)) names.insert(entry.path().filename().string());
  return names;
}

void write_pair(const fs::path& dir, const Identity& identity) {
  fs::create_directories(dir);
  const BioHandle certificate(BIO_new_file((dir / "ca.pem").c_str(), "w"));
  REQUIRE(PEM_write_bio_X509(certificate.get(), identity.certificate.get()) == 1);
  const BioHandle key(BIO_new_file((dir / "ca.key").c_str(), "w"));
  REQUIRE(PEM_write_bio_PKCS8PrivateKey(key.get(), identity.key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  fs::permissions(dir / "ca.key", fs::perms::owner_read | fs::perms::owner_write);
}

Error error_of(const Result<Authority::Pointer>& result) {
  REQUIRE_FALSE(result.has_value());
  return result.error();
}

}  // namespace

TEST_CASE("a new authority is a P-256 certificate with just the powers it needs", "[certs]") {
  const ScratchFolder folder;
  const WallTime now = wall_now();
  const auto authority = Authority::create(folder.path() / "ca", {}, now).value();
  X509* certificate = authority->certificate();
  CHECK(X509_get_version(certificate) == X509_VERSION_3);
  CHECK(EVP_PKEY_get_bits(authority->key()) == 256);
  CHECK(EVP_PKEY_get_id(authority->key()) == EVP_PKEY_EC);
  CHECK(X509_get_signature_nid(certificate) == NID_ecdsa_with_SHA256);
  CHECK(X509_verify(certificate, authority->key()) == 1);
  CHECK(X509_check_ca(certificate) == 1);
  CHECK(X509_get_pathlen(certificate) == 0);
  CHECK(X509_get_key_usage(certificate) == (KU_KEY_CERT_SIGN | KU_CRL_SIGN));
  for (const int nid : {NID_basic_constraints, NID_key_usage}) {
    const int at = X509_get_ext_by_NID(certificate, nid, -1);
    REQUIRE(at >= 0);
    CHECK(X509_EXTENSION_get_critical(X509_get_ext(certificate, at)) == 1);
  }
  CHECK(authority->serial().size() == 32);
  CHECK(authority->subject_key_id().size() == 20);
  CHECK(authority->not_before() <= now - days(7));
  CHECK(authority->not_before() > now - days(7) - Seconds(2));
  CHECK(authority->not_after() - authority->not_before() < days(3650));
  CHECK(authority->not_after() - authority->not_before() > days(3649));
  CHECK_THAT(authority->common_name(), Catch::StartsWith("tollgate ") && Catch::EndsWith(rfc3339(now).substr(0, 10)));
  CHECK(authority->common_name().size() <= 64);
  CHECK(authority->fingerprint().size() == 32 * 3 - 1);
  CHECK(authority->pem() == content_of(folder.path() / "ca/ca.pem"));
  const unsigned char* der = authority->der().data();
  const X509Handle again(d2i_X509(nullptr, &der, static_cast<long>(authority->der().size())));
  CHECK(X509_cmp(again.get(), certificate) == 0);
}

TEST_CASE("an authority's folder and files are for its owner alone, whatever the umask", "[certs]") {
  const ScratchFolder folder;
  const fs::path dir = folder.path() / "state/ca";
  const mode_t former = ::umask(GENERATE(mode_t{0}, mode_t{022}, mode_t{0377}));
  const auto made = Authority::create(dir, {});
  ::umask(former);
  REQUIRE(made.has_value());
  CHECK(files_in(dir) == std::set<std::string>{"ca.key", "ca.pem"});
  CHECK(mode_of(dir) == 0700);
  CHECK(mode_of(dir / "ca.key") == 0600);
  CHECK(mode_of(dir / "ca.pem") == 0600);
}

TEST_CASE("what was created is what is opened", "[certs]") {
  const ScratchFolder folder;
  const auto made = Authority::open_or_create(folder.path() / "ca", {}).value();
  CHECK(Authority::open(folder.path() / "ca", {}).value()->fingerprint() == made->fingerprint());
  CHECK(Authority::open_or_create(folder.path() / "ca", {}).value()->fingerprint() == made->fingerprint());
  CHECK(EVP_PKEY_eq(Authority::open(folder.path() / "ca", {}).value()->key(), made->key()) == 1);
}

TEST_CASE("an authority, or a part of one, is never overwritten", "[certs]") {
  const ScratchFolder folder;
  const fs::path dir = folder.path();
  const std::string file = GENERATE("ca.pem", "ca.key");
  write(dir / file, "precious");
  const Error error = error_of(Authority::create(dir, {}));
  CHECK(error.kind == Error::Kind::refused);
  CHECK_THAT(error.what, Catch::Contains(file) && Catch::Contains("tollgate ca rotate"));
  CHECK_FALSE(Authority::open_or_create(dir, {}).has_value());
  CHECK(content_of(dir / file) == "precious");
  CHECK(files_in(dir) == std::set<std::string>{file});
}

TEST_CASE("a folder without an authority says how to make one", "[certs]") {
  const ScratchFolder folder;
  for (const fs::path& dir : {folder.path(), folder.path() / "missing"}) {
    const Error error = error_of(Authority::open(dir, {}));
    CHECK(error.kind == Error::Kind::not_found);
    CHECK_THAT(error.what, Catch::Contains("tollgate ca init"));
    CHECK(error_of(Authority::rotate(dir, {})).kind == Error::Kind::not_found);
  }
}

TEST_CASE("a passphrase encrypts the key, and is needed to open it", "[certs]") {
  const ScratchFolder folder;
  const fs::path dir = folder.path() / "ca";
  const auto made = Authority::create(dir, Passphrase("correct horse")).value();
  CHECK_THAT(content_of(dir / "ca.key"), Catch::StartsWith("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
  CHECK(Authority::open(dir, Passphrase("correct horse")).value()->fingerprint() == made->fingerprint());

  const Error missing = error_of(Authority::open(dir, {}));
  CHECK(missing.kind == Error::Kind::refused);
  CHECK_THAT(missing.what, Catch::Contains("encrypted: give its passphrase"));
  const Error wrong = error_of(Authority::open_or_create(dir, Passphrase("battery staple")));
  CHECK(wrong.kind == Error::Kind::refused);
  CHECK_THAT(wrong.what, Catch::Contains("passphrase is wrong"));

  // OpenSSL's own reader agrees, so the key can be carried elsewhere.
  const BioHandle file(BIO_new_file((dir / "ca.key").c_str(), "r"));
  std::string passphrase = "correct horse";
  const KeyHandle key(PEM_read_bio_PrivateKey(file.get(), nullptr, nullptr, passphrase.data()));
  REQUIRE(key);
  CHECK(EVP_PKEY_eq(key.get(), made->key()) == 1);
}

TEST_CASE("a key without encryption opens whatever the passphrase", "[certs]") {
  const ScratchFolder folder;
  REQUIRE(Authority::create(folder.path() / "ca", {}).has_value());
  CHECK_THAT(content_of(folder.path() / "ca/ca.key"), Catch::StartsWith("-----BEGIN PRIVATE KEY-----"));
  CHECK(Authority::open(folder.path() / "ca", Passphrase("unneeded")).has_value());
}

TEST_CASE("a key that others may read is refused with the remedy", "[certs]") {
  const ScratchFolder folder;
  const fs::path key = folder.path() / "ca/ca.key";
  REQUIRE(Authority::create(folder.path() / "ca", {}).has_value());
  const mode_t mode = GENERATE(mode_t{0640}, mode_t{0604}, mode_t{0610}, mode_t{0602}, mode_t{0644});
  REQUIRE(::chmod(key.c_str(), mode) == 0);
  const Error error = error_of(Authority::open(folder.path() / "ca", {}));
  CHECK(error.kind == Error::Kind::refused);
  CHECK_THAT(error.what, Catch::Contains("chmod 600 " + key.string()));
  REQUIRE(::chmod(key.c_str(), 0400) == 0);
  CHECK(Authority::open(folder.path() / "ca", {}).has_value());
}

TEST_CASE("a damaged authority is reported, file by file, and left alone", "[certs]") {
  const ScratchFolder folder;
  const fs::path dir = folder.path() / "ca";
  REQUIRE(Authority::create(dir, {}).has_value());
  const std::string file = GENERATE("ca.pem", "ca.key");
  const std::string whole = content_of(dir / file);
  const std::string damaged =
      GENERATE_REF(std::string(), std::string("not PEM at all"), whole.substr(0, whole.size() / 2),
                   whole.substr(0, 40) + "!!!!" + whole.substr(44));
  CAPTURE(file, damaged);
  write(dir / file, damaged);
  const Error error = error_of(Authority::open_or_create(dir, {}));
  CHECK(error.kind == Error::Kind::malformed);
  CHECK_THAT(error.what, Catch::Contains((dir / file).string()) && Catch::Contains("backup"));
  CHECK(content_of(dir / file) == damaged);
}

TEST_CASE("half an authority is reported", "[certs]") {
  const ScratchFolder folder;
  const fs::path dir = folder.path() / "ca";
  REQUIRE(Authority::create(dir, {}).has_value());
  const std::string lost = GENERATE("ca.pem", "ca.key");
  fs::remove(dir / lost);
  const Error error = error_of(Authority::open_or_create(dir, {}));
  CHECK(error.kind == Error::Kind::malformed);
  CHECK_THAT(error.what, Catch::Contains("has no " + lost + " beside it"));
}

TEST_CASE("a key that is not the certificate's is reported", "[certs]") {
  const ScratchFolder folder;
  REQUIRE(Authority::create(folder.path() / "a", {}).has_value());
  REQUIRE(Authority::create(folder.path() / "b", {}).has_value());
  fs::copy_file(folder.path() / "b/ca.key", folder.path() / "a/ca.key", fs::copy_options::overwrite_existing);
  const Error error = error_of(Authority::open(folder.path() / "a", {}));
  CHECK(error.kind == Error::Kind::malformed);
  CHECK_THAT(error.what, Catch::Contains("not the key of ca.pem"));
}

TEST_CASE("only an authority's certificate is opened as one", "[certs]") {
  const ScratchFolder folder;
  const auto builder = GENERATE(
      CertificateBuilder::leaf("example.test"),
      CertificateBuilder::authority("x").with(NID_basic_constraints, "CA:FALSE"),
      CertificateBuilder::authority("x").with(NID_key_usage, "cRLSign"),
      CertificateBuilder::authority("x").without(NID_subject_key_identifier).without(NID_authority_key_identifier));
  write_pair(folder.path() / "ca", builder.self_signed());
  const Error error = error_of(Authority::open(folder.path() / "ca", {}));
  CHECK(error.kind == Error::Kind::refused);
  CHECK_THAT(error.what, Catch::Contains("not the certificate of an authority"));
}

TEST_CASE("an authority outside its dates is refused", "[certs]") {
  const ScratchFolder folder;
  const auto made = Authority::create(folder.path(), {}).value();
  CHECK(Authority::open(folder.path(), {}, made->not_before()).has_value());
  CHECK(Authority::open(folder.path(), {}, made->not_after() - Seconds(1)).has_value());
  const Error late = error_of(Authority::open(folder.path(), {}, made->not_after()));
  CHECK(late.kind == Error::Kind::refused);
  CHECK_THAT(late.what, Catch::Contains("expired on") && Catch::Contains("tollgate ca rotate"));
  const Error early = error_of(Authority::open(folder.path(), {}, made->not_before() - Seconds(1)));
  CHECK(early.kind == Error::Kind::refused);
  CHECK_THAT(early.what, Catch::Contains("check this machine's clock"));
}

}  // namespace tollgate::certs::test
