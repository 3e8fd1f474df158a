#include "certs/trust.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <memory>
#include <system_error>

#include "certs/pair_folder.h"
#include "certs/stapled_ocsp.h"
#include "certs/verdict.h"
#include "certs/x509_facts.h"
#include "gateway/base/clock.h"

namespace tollgate::certs {
namespace {

namespace fs = std::filesystem;

constexpr int security_level = 2;  // 112 bits: RSA of 2048, no SHA-1 (SSL_CTX_set_security_level(3))
constexpr int deepest_chain = 10;  // intermediates; what origins really send is one to three

void free_text(char* text) { OPENSSL_free(text); }
using TextHandle = std::unique_ptr<char, FreeWith<free_text>>;

// --- what a handshake found, kept with its SSL ---

void drop_failure(void* /*ssl*/, void* failure, CRYPTO_EX_DATA* /*data*/, int /*index*/, long /*number*/,
                  void* /*argument*/) noexcept {
  const std::unique_ptr<CertificateFailure> owned(static_cast<CertificateFailure*>(failure));
}

int failure_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, drop_failure);
  return index;
}

void remember(SSL* ssl, CertificateFailure failure) {
  auto kept = std::make_unique<CertificateFailure>(std::move(failure));
  auto* former = static_cast<CertificateFailure*>(SSL_get_ex_data(ssl, failure_index()));
  if (SSL_set_ex_data(ssl, failure_index(), kept.get()) != 1) return;
  static_cast<void>(kept.release());
  const std::unique_ptr<CertificateFailure> dropped(former);
}

// --- callbacks, which run inside OpenSSL ---

// What expect() said; empty when it was never called.
std::string expected_host(X509_VERIFY_PARAM* parameters) {
  if (const char* name = X509_VERIFY_PARAM_get0_host(parameters, 0)) return name;
  const TextHandle address(X509_VERIFY_PARAM_get1_ip_asc(parameters));
  const auto parsed = IpAddress::parse(address ? address.get() : "");
  return parsed ? parsed->text() : "";
}

// When no issuer was found, what the origin sent may still hold one of that name, which was passed over for a reason:
// that is the better finding. X509_check_issued knows the reason.
void look_for_rejected_issuer(X509_STORE_CTX* context, Finding& finding) {
  const bool none_found = finding.error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
                          finding.error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
  X509* child = X509_STORE_CTX_get_current_cert(context);
  const STACK_OF(X509)* sent = X509_STORE_CTX_get0_untrusted(context);
  for (int i = 0; none_found && child != nullptr && i < sk_X509_num(sent); ++i) {
    X509* candidate = sk_X509_value(sent, i);
    const int reason = X509_check_issued(candidate, child);
    if (reason == X509_V_OK || reason == X509_V_ERR_SUBJECT_ISSUER_MISMATCH) continue;
    finding.error = reason;
    if (reason == X509_V_ERR_KEYUSAGE_NO_CERTSIGN) finding.at_fault = candidate;
    return;
  }
}

// In place of OpenSSL's own call of X509_verify_cert, so that the finding is put into words while its facts are at
// hand.
int verify_origin(X509_STORE_CTX* context, void* /*argument*/) noexcept {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const std::string host = expected_host(X509_STORE_CTX_get0_param(context));
  if (host.empty()) {
    X509_STORE_CTX_set_error(context, X509_V_ERR_INVALID_CALL);
    remember(ssl, {X509_V_ERR_INVALID_CALL, 0, "the gateway did not say whose certificate it expects"});
    return 0;
  }
  if (X509_verify_cert(context) == 1) return 1;
  Finding finding;
  finding.error = X509_STORE_CTX_get_error(context);
  finding.depth = X509_STORE_CTX_get_error_depth(context);
  finding.at_fault = X509_STORE_CTX_get_current_cert(context);
  finding.leaf = X509_STORE_CTX_get0_cert(context);
  finding.host = host;
  CertificateFailure failure{finding.error, finding.depth, ""};
  look_for_rejected_issuer(context, finding);
  failure.sentence = explain(finding);
  remember(ssl, std::move(failure));
  return 0;
}

// Called once the origin's first flight is whole, whether it stapled or not. 0 ends the handshake.
int judge_staple(SSL* ssl, void* /*argument*/) noexcept {
  const unsigned char* response = nullptr;
  const long size = SSL_get_tlsext_status_ocsp_resp(ssl, &response);
  const STACK_OF(X509)* chain = SSL_get0_verified_chain(ssl);
  if (response == nullptr || size <= 0 || sk_X509_num(chain) < 2) return 1;
  const Status verdict = check_stapled_ocsp({response, static_cast<std::size_t>(size)}, sk_X509_value(chain, 0),
                                            sk_X509_value(chain, 1), wall_now());
  if (verdict) return 1;
  SSL_set_verify_result(ssl, X509_V_ERR_CERT_REVOKED);
  remember(ssl, {X509_V_ERR_CERT_REVOKED, 0, verdict.error().what});
  return 0;
}

// --- anchors ---

tl::unexpected<Error> unusable(const fs::path& path, std::string_view why) {
  ERR_clear_error();
  return fail(
      Error::Kind::malformed,
      fmt::format("{}: {}: trust anchors are PEM, one or more blocks of BEGIN CERTIFICATE", path.string(), why));
}

// nullptr at the end of `in`; an error for a block that does not parse.
Result<X509Handle> next_certificate(BIO* in, const fs::path& path, std::size_t number) {
  ERR_clear_error();
  X509Handle certificate(PEM_read_bio_X509_AUX(in, nullptr, nullptr, nullptr));
  const bool at_end = !certificate && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!certificate && !at_end) return unusable(path, fmt::format("certificate {} in it cannot be read", number));
  ERR_clear_error();
  return certificate;
}

Result<fs::path> system_bundle() {
  // Read before there are other threads; nothing in this program writes the environment.
  const char* named = std::getenv(X509_get_default_cert_file_env());  // NOLINT(concurrency-mt-unsafe)
  if (named != nullptr) return fs::path(named);
  for (const char* candidate : {X509_get_default_cert_file(),          //
                                "/etc/ssl/certs/ca-certificates.crt",  // Debian, Arch
                                "/etc/pki/tls/certs/ca-bundle.crt",    // Fedora
                                "/etc/ssl/ca-bundle.pem",              // SUSE
                                "/etc/ssl/cert.pem"}) {                // Alpine, BSDs
    std::error_code ignored;
    if (fs::exists(candidate, ignored)) return fs::path(candidate);
  }
  return fail(
      Error::Kind::not_found,
      "this machine has no file of trust anchors: install the package ca-certificates, or set upstream.ca_file");
}

}  // namespace

Result<Trust::Pointer> Trust::system() {
  const auto bundle = system_bundle();
  if (!bundle) return fail(bundle);
  return from_file(*bundle);
}

Result<Trust::Pointer> Trust::from_file(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    return fail(Error::Kind::not_found,
                fmt::format("{}: no such file: trust anchors were to be read from it", path.string()));
  }
  const BioHandle in(BIO_new_file(path.c_str(), "r"));
  StoreHandle store(X509_STORE_new());
  if (!in || !store) {
    return fail(Error::Kind::io, fmt::format("{}: cannot be read: {}", path.string(), openssl_complaint()));
  }
  std::size_t anchors = 0;
  while (true) {
    const auto certificate = next_certificate(in.get(), path, anchors + 1);
    if (!certificate) return fail(certificate);
    if (!*certificate) break;
    if (X509_STORE_add_cert(store.get(), certificate->get()) != 1)
      return unusable(path, "OpenSSL refused a certificate");
    ++anchors;
  }
  if (anchors == 0) return unusable(path, "no certificate in it");
  // The constructor is private, which make_shared cannot see past.
  return Pointer(new Trust(std::move(store), anchors, path));
}

Status Trust::install(SSL_CTX* context) const {
  X509_VERIFY_PARAM* parameters = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_auth_level(parameters, security_level);
  X509_VERIFY_PARAM_set_depth(parameters, deepest_chain);
  X509_VERIFY_PARAM_clear_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
  if (X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER) != 1 ||
      X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_TRUSTED_FIRST) != 1 ||
      SSL_CTX_set1_verify_cert_store(context, store_.get()) != 1 || failure_index() < 0) {
    return fail(Error::Kind::io, fmt::format("cannot set up verification: {}", openssl_complaint()));
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, verify_origin, nullptr);
  SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp);
  SSL_CTX_set_tlsext_status_cb(context, judge_staple);
  return {};
}

Status Trust::expect(SSL* ssl, const Host& host) {
  X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(parameters,
                                  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  const IpAddress* address = host.address();
  const bool set = address != nullptr
                       ? X509_VERIFY_PARAM_set1_ip(parameters, address->bytes().data(), address->bytes().size()) == 1
                       : X509_VERIFY_PARAM_set1_host(parameters, host.name()->text().c_str(), 0) == 1;
  if (!set) return fail(Error::Kind::io, fmt::format("cannot expect {}: {}", host.text(), openssl_complaint()));
  return {};
}

const CertificateFailure* certificate_failure(const SSL* ssl) {
  return static_cast<const CertificateFailure*>(SSL_get_ex_data(ssl, failure_index()));
}

}  // namespace tollgate::certs
