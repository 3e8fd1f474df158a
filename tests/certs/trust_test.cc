#include "certs/trust.h"

#include <openssl/pem.h>
#include <stdlib.h>

#include <catch2/catch.hpp>

#include "certs/verdict.h"
#include "certs/x509_facts.h"
#include "tests/certs/handshake.h"

namespace tollgate::certs::test {
namespace {

std::string pem_of(const Identity& identity) {
  const BioHandle out(BIO_new(BIO_s_mem()));
  REQUIRE(PEM_write_bio_X509(out.get(), identity.certificate.get()) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

Error error_of(const Result<Trust::Pointer>& result) {
  REQUIRE_FALSE(result.has_value());
  return result.error();
}

// SSL_CERT_FILE for as long as it lives. These tests have one thread.
class CertFileVariable {
 public:
  explicit CertFileVariable(const std::string& path) {
    ::setenv("SSL_CERT_FILE", path.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
  }
  ~CertFileVariable() {
    ::unsetenv("SSL_CERT_FILE");  // NOLINT(concurrency-mt-unsafe)
  }
  CertFileVariable(const CertFileVariable&) = delete;
  CertFileVariable& operator=(const CertFileVariable&) = delete;
};

}  // namespace

TEST_CASE("trust anchors are read from a PEM file, whatever stands between them", "[certs]") {
  const std::string a = pem_of(CertificateBuilder::authority("A").self_signed());
  const std::string b = pem_of(CertificateBuilder::authority("B").self_signed());
  const AnchorFile file("# a comment\n" + a + "\nBetween\n" + b + "after");
  const auto trust = Trust::from_file(file.path()).value();
  CHECK(trust->anchors() == 2);
  CHECK(trust->source() == file.path());
}

TEST_CASE("a file of trust anchors that is missing, empty or damaged is refused clearly", "[certs]") {
  const Error missing = error_of(Trust::from_file("/nonexistent/anchors.pem"));
  CHECK(missing.kind == Error::Kind::not_found);
  CHECK_THAT(missing.what, Catch::Contains("/nonexistent/anchors.pem: no such file"));

  const AnchorFile empty("");
  CHECK_THAT(error_of(Trust::from_file(empty.path())).what, Catch::Contains("no certificate in it"));
  CHECK(error_of(Trust::from_file(empty.path())).kind == Error::Kind::malformed);

  const AnchorFile der(std::string_view("\x30\x82\x01\x00", 4));
  CHECK_THAT(error_of(Trust::from_file(der.path())).what, Catch::Contains("PEM"));

  const std::string good = pem_of(CertificateBuilder::authority("A").self_signed());
  const AnchorFile damaged(good + good.substr(0, 100) + "!" + good.substr(101));
  CHECK_THAT(error_of(Trust::from_file(damaged.path())).what, Catch::Contains("certificate 2 in it cannot be read"));

  const Error folder = error_of(Trust::from_file("/"));
  CHECK_THAT(folder.what, Catch::StartsWith("/: "));
}

TEST_CASE("the system's trust is the file that SSL_CERT_FILE names", "[certs]") {
  const AnchorFile file({CertificateBuilder::authority("A").self_signed().certificate});
  const CertFileVariable variable(file.path());
  const auto trust = Trust::system().value();
  CHECK(trust->source() == file.path());
  CHECK(trust->anchors() == 1);
}

TEST_CASE("a SSL_CERT_FILE that is missing is an error, not a reason to trust others", "[certs]") {
  const CertFileVariable variable("/nonexistent/anchors.pem");
  CHECK(error_of(Trust::system()).kind == Error::Kind::not_found);
}

TEST_CASE("what install() sets up outlives the Trust object", "[certs]") {
  const World world = make_world();
  const Specimen good = usual(world, "example.test", CertificateBuilder::leaf("example.test"));
  auto trust = [&] {
    const AnchorFile file(world.anchors());
    return Trust::from_file(file.path()).value();
  }();
  const std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>> context(SSL_CTX_new(TLS_client_method()));
  REQUIRE(trust->install(context.get()).has_value());
  trust.reset();
  const std::unique_ptr<SSL, FreeWith<SSL_free>> ssl(SSL_new(context.get()));
  CHECK(Trust::expect(ssl.get(), Host::parse("example.test").value()).has_value());
  CHECK(certificate_failure(ssl.get()) == nullptr);
  CHECK(SSL_get_verify_mode(ssl.get()) == SSL_VERIFY_PEER);
}

TEST_CASE("an error without a phrase of its own is still a sentence", "[certs]") {
  Finding finding;
  finding.error = X509_V_ERR_PROXY_CERTIFICATES_NOT_ALLOWED;
  finding.host = "example.test";
  CHECK_THAT(explain(finding), Catch::StartsWith("the server's certificate cannot be trusted: proxy certificates"));
}

TEST_CASE("a finding without certificates is still a sentence", "[certs]") {
  for (int error = X509_V_ERR_UNSPECIFIED; error <= 100; ++error) {
    Finding finding;
    finding.error = error;
    finding.host = "example.test";
    const std::string sentence = explain(finding);
    CAPTURE(error, sentence);
    CHECK(sentence.size() > 20);
    CHECK(sentence.find('{') == std::string::npos);
  }
}

TEST_CASE("what a stranger wrote into a name is made printable, and shortened", "[certs]") {
  CHECK(printable("plain.test") == "plain.test");
  CHECK(printable("a\x1b[31m\n\\b\xc3\xa9") == "a\\x1b[31m\\x0a\\x5cb\\xc3\\xa9");
  CHECK(printable(std::string(500, 'x')) == std::string(80, 'x') + "…");
  const Identity shouting = CertificateBuilder::authority("Evil\x1b[2J\nRoot").self_signed();
  CHECK(subject_text(*shouting.certificate) == "Evil\\x1b[2J\\x0aRoot");
}

}  // namespace tollgate::certs::test
