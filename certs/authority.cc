#include "certs/authority.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "certs/issue.h"
#include "certs/pair_folder.h"
#include "certs/private_key.h"
#include "certs/x509_facts.h"

namespace tollgate::certs {
namespace {

namespace fs = std::filesystem;
using std::chrono::days;

constexpr days backdating{7};  // leaf_mint.cc backdates by less
constexpr days whole_life{3650};
constexpr std::size_t longest_host_in_name = 32;  // a CN has 64 characters at most (RFC 5280 appendix A)

struct Pair {
  X509Handle certificate;
  KeyHandle key;
};

// This machine's name, as far as it can stand in a certificate.
std::string host_for_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "gateway";
  std::string host = ascii_lower(name.data());
  host.resize(std::min(host.find('.'), std::min(host.size(), longest_host_in_name)));
  const bool plain = std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  return plain && !host.empty() ? host : "gateway";
}

// Two authorities made on one day must not share a name: clients look issuers up by it.
bool name_it(X509& certificate, WallTime now) {
  const std::string name =
      fmt::format("tollgate {} {} {}", host_for_name(), serial_text(certificate).substr(0, 6), date_text(now));
  X509_NAME* subject = X509_get_subject_name(&certificate);
  return add_to_name(*subject, NID_organizationName, "tollgate") && add_to_name(*subject, NID_commonName, name) &&
         X509_set_issuer_name(&certificate, subject) == 1;
}

Result<Pair> make_authority(WallTime now) {
  Pair made{X509Handle(X509_new()), make_p256_key()};
  const WallTime not_before = std::chrono::floor<Seconds>(now) - backdating;
  X509* certificate = made.certificate.get();
  if (!made.certificate || !made.key || X509_set_version(certificate, X509_VERSION_3) != 1 ||
      !set_random_serial(*certificate) || !name_it(*certificate, now) ||
      !set_validity(*certificate, not_before, not_before + whole_life - Seconds(1)) ||
      X509_set_pubkey(certificate, made.key.get()) != 1 || !add_basic_constraints_ca(*certificate, 0) ||
      !add_key_usage(*certificate, KU_KEY_CERT_SIGN | KU_CRL_SIGN) ||
      !add_subject_key_id(*certificate, key_id_of(*certificate)) ||
      X509_sign(certificate, made.key.get(), EVP_sha256()) == 0) {
    return fail(Error::Kind::io, fmt::format("cannot make an authority: {}", openssl_complaint()));
  }
  return made;
}

std::string to_pem(const X509& certificate) {
  const BioHandle out(BIO_new(BIO_s_mem()));
  if (!out || PEM_write_bio_X509(out.get(), &certificate) != 1) return "";
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

Result<X509Handle> read_certificate(const fs::path& path) {
  const auto text = read_text_file(path);
  if (!text) return fail(text);
  const BioHandle in(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
  X509Handle certificate(in ? PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr) : nullptr);
  ERR_clear_error();
  if (!certificate) {
    return fail(Error::Kind::malformed,
                fmt::format("{}: no certificate in it (PEM, BEGIN CERTIFICATE): restore it from a backup, or move it "
                            "and ca.key away to begin anew",
                            path.string()));
  }
  return certificate;
}

Result<KeyHandle> read_key(const fs::path& path, const Passphrase& passphrase) {
  const auto pem = read_secret_file(path);
  if (!pem) return fail(pem);
  return parse_private_key(*pem, passphrase, path.string());
}

bool belong_together(const X509Handle& certificate, const KeyHandle& key) {
  const bool match = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  return match;
}

// A crash between the two moves of install_staged() left ca.key with its certificate still called ca.pem.next.
// Under the folder's lock, so that nobody is merely in the middle of it. Nothing: there is nothing to finish.
Result<std::optional<Pair>> finish_interrupted_move(const fs::path& dir, const Passphrase& passphrase) {
  auto folder = PairFolder::lock(dir, PairFolder::Missing::is_error);
  if (!folder) return fail(folder);
  auto key = read_key(dir / "ca.key", passphrase);
  if (!key) return fail(key);
  for (const char* name : {"ca.pem", "ca.pem.next"}) {
    auto certificate = read_certificate(dir / name);
    if (!certificate || !belong_together(*certificate, *key)) continue;
    if (name == std::string_view("ca.pem.next")) {
      if (const Status moved = folder->install_staged_certificate(); !moved) return fail(moved);
    }
    return std::optional(Pair{std::move(*certificate), std::move(*key)});
  }
  return std::optional<Pair>();
}

Result<Pair> load_pair(const fs::path& dir, const Passphrase& passphrase) {
  const fs::path certificate_path = dir / "ca.pem";
  const fs::path key_path = dir / "ca.key";
  auto certificate = read_certificate(certificate_path);
  auto key = read_key(key_path, passphrase);
  const bool no_certificate = !certificate && certificate.error().kind == Error::Kind::not_found;
  const bool no_key = !key && key.error().kind == Error::Kind::not_found;
  if (no_certificate && no_key) {
    return fail(Error::Kind::not_found,
                fmt::format("{}: no authority there: `tollgate ca init` makes one", dir.string()));
  }
  if (no_key) {
    return fail(Error::Kind::malformed,
                fmt::format("{}: it has no ca.key beside it: restore that from a backup, or move "
                            "ca.pem away to begin anew",
                            certificate_path.string()));
  }
  if (!key) return fail(key);
  if (!certificate && !no_certificate) return fail(certificate);
  if (!no_certificate && belong_together(*certificate, *key)) return Pair{std::move(*certificate), std::move(*key)};
  auto finished = finish_interrupted_move(dir, passphrase);
  if (!finished) return fail(finished);
  if (!*finished) {
    return fail(
        Error::Kind::malformed,
        fmt::format("{}: {}: restore the two files from a backup, or move them away to begin anew", key_path.string(),
                    no_certificate ? "it has no ca.pem beside it" : "it is not the key of ca.pem"));
  }
  return std::move(**finished);
}

Status install(PairFolder& folder, const Pair& pair, const Passphrase& passphrase) {
  const auto key_pem = private_key_pem(*pair.key, passphrase);
  if (!key_pem) return fail(key_pem);
  if (Status staged = folder.stage(to_pem(*pair.certificate), *key_pem); !staged) return staged;
  return folder.install_staged();
}

}  // namespace

Result<Authority::Pointer> Authority::create(const fs::path& dir, const Passphrase& passphrase, WallTime now) {
  auto folder = PairFolder::lock(dir, PairFolder::Missing::is_made);
  if (!folder) return fail(folder);
  for (const char* file : {"ca.pem", "ca.key"}) {
    if (!folder->has(file)) continue;
    return fail(Error::Kind::refused,
                fmt::format("{}: it exists, and is not overwritten: `tollgate ca rotate` replaces "
                            "an authority and keeps the old one",
                            (dir / file).string()));
  }
  auto pair = make_authority(now);
  if (!pair) return fail(pair);
  if (const Status installed = install(*folder, *pair, passphrase); !installed) return fail(installed);
  return from_pair(std::move(pair->certificate), std::move(pair->key), dir.string(), now);
}

Result<Authority::Pointer> Authority::open(const fs::path& dir, const Passphrase& passphrase, WallTime now) {
  auto pair = load_pair(dir, passphrase);
  if (!pair) return fail(pair);
  return from_pair(std::move(pair->certificate), std::move(pair->key), (dir / "ca.pem").string(), now);
}

Result<Authority::Pointer> Authority::open_or_create(const fs::path& dir, const Passphrase& passphrase, WallTime now) {
  auto opened = open(dir, passphrase, now);
  if (opened || opened.error().kind != Error::Kind::not_found) return opened;
  return create(dir, passphrase, now);
}

Result<Authority::Pointer> Authority::rotate(const fs::path& dir, const Passphrase& passphrase, WallTime now) {
  // A pair whose move was interrupted counts as the present one, where its passphrase is at hand.
  static_cast<void>(load_pair(dir, passphrase));
  auto folder = PairFolder::lock(dir, PairFolder::Missing::is_error);
  if (!folder) return fail(folder);
  const auto present = read_certificate(dir / "ca.pem");
  if (!present) return fail(present);
  auto pair = make_authority(now);
  if (!pair) return fail(pair);
  if (const Status kept = folder->keep_present_as(serial_text(**present)); !kept) return fail(kept);
  if (const Status installed = install(*folder, *pair, passphrase); !installed) return fail(installed);
  return from_pair(std::move(pair->certificate), std::move(pair->key), dir.string(), now);
}

Result<Authority::Pointer> Authority::from_pair(X509Handle certificate, KeyHandle key, const std::string& place,
                                                WallTime now) {
  const auto refused = [&](std::string_view why) {
    return fail(Error::Kind::refused, fmt::format("{}: {}", place, why));
  };
  X509* x509 = certificate.get();
  const ASN1_OCTET_STRING* key_id = X509_get0_subject_key_id(x509);
  // 1: basicConstraints says CA, and keyUsage, where there is one, lets it sign certificates.
  if (X509_check_ca(x509) != 1 || (X509_get_key_usage(x509) & KU_KEY_CERT_SIGN) == 0 || key_id == nullptr) {
    return refused(
        "not the certificate of an authority (CA:TRUE, keyCertSign, a subject key id): move it and ca.key "
        "away to begin anew");
  }
  const auto not_before = to_wall_time(X509_get0_notBefore(x509));
  const auto not_after = to_wall_time(X509_get0_notAfter(x509));
  if (!not_before || !not_after) return refused("its dates cannot be read");
  if (now >= *not_after) {
    return refused(
        fmt::format("the authority expired on {}: `tollgate ca rotate`, then install the new one on the phones",
                    date_text(*not_after)));
  }
  if (now < *not_before) {
    return refused(
        fmt::format("the authority is not valid before {}: check this machine's clock", date_text(*not_before)));
  }
  // The constructor is private, which make_shared cannot see past.
  const std::shared_ptr<Authority> authority(new Authority());
  authority->pem_ = to_pem(*x509);
  authority->der_ = der_of(*x509);
  authority->fingerprint_ = sha256_fingerprint(authority->der_);
  authority->common_name_ = subject_text(*x509);
  authority->serial_ = serial_text(*x509);
  authority->not_before_ = *not_before;
  authority->not_after_ = *not_after;
  const unsigned char* id = ASN1_STRING_get0_data(key_id);
  authority->subject_key_id_.assign(id, id + ASN1_STRING_length(key_id));
  authority->certificate_ = std::move(certificate);
  authority->key_ = std::move(key);
  return Pointer(authority);
}

}  // namespace tollgate::certs
