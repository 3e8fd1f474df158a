// Certificates to order, for origins that are good and origins that are not. Nothing here checks OpenSSL's answers:
// what could not be made shows as a null handle, and the test that uses it fails.
#pragma once

#include <openssl/ec.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include "certs/handles.h"
#include "certs/leaf_mint.h"
#include "certs/trust.h"
#include "gateway/base/address.h"
#include "gateway/base/bytes.h"
#include "gateway/base/free_with.h"

namespace tollgate::tls::test {

struct Credentials {
  certs::X509Handle certificate;
  certs::KeyHandle key;
};

inline certs::KeyHandle p256_key() { return certs::KeyHandle(EVP_EC_gen("P-256")); }
inline certs::KeyHandle rsa_key(unsigned bits) { return certs::KeyHandle(EVP_RSA_gen(bits)); }

struct Request {
  std::string name;
  long seconds_left = 7 * 24 * 3600;
  bool is_authority = false;
};

inline void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// A certificate for `key`, signed by `issuer`, or by itself when that is null.
inline Credentials issue(const Credentials* issuer, const Request& request, certs::KeyHandle key) {
  static std::atomic<long> serial{1};
  certs::X509Handle certificate(X509_new());
  X509* x = certificate.get();
  X509_set_version(x, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(x), -48L * 3600);
  X509_gmtime_adj(X509_getm_notAfter(x), request.seconds_left);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(request.name.c_str()), -1, -1, 0);
  X509* signer = issuer != nullptr ? issuer->certificate.get() : x;
  X509_set_issuer_name(x, X509_get_subject_name(signer));
  X509_set_pubkey(x, key.get());
  if (request.is_authority) {
    add_extension(x, signer, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(x, signer, NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature");
    add_extension(x, signer, NID_subject_key_identifier, "hash");
  } else {
    add_extension(x, signer, NID_basic_constraints, "CA:FALSE");
    add_extension(x, signer, NID_subject_alt_name, (IpAddress::parse(request.name) ? "IP:" : "DNS:") + request.name);
  }
  X509_sign(x, issuer != nullptr ? issuer->key.get() : key.get(), EVP_sha256());
  return {std::move(certificate), std::move(key)};
}

// An authority that exists as long as this object, with its trust.
class TestAuthority {
 public:
  TestAuthority() : TestAuthority(next_number()) {}

  const Credentials& root() const { return root_; }
  const certs::Trust::Pointer& trust() const { return trust_; }
  Credentials leaf(const std::string& name) const { return issue(&root_, {name}, p256_key()); }

 private:
  static int next_number() {
    static std::atomic<int> number{0};
    return ++number;
  }
  // Authorities differ in name: one that has another's name, but not its key, would be taken for a forgery of it.
  explicit TestAuthority(int number)
      : root_(issue(nullptr, {"tests' root " + std::to_string(number), 365L * 24 * 3600, true}, p256_key())) {
    const auto path = std::filesystem::temp_directory_path() /
                      ("tollgate-tls-test-" + std::to_string(getpid()) + "-" + std::to_string(number) + ".pem");
    {
      const certs::BioHandle out(BIO_new_file(path.c_str(), "w"));
      PEM_write_bio_X509(out.get(), root_.certificate.get());
    }
    trust_ = certs::Trust::from_file(path).value();
    std::filesystem::remove(path);
  }

  Credentials root_;
  certs::Trust::Pointer trust_;
};

inline certs::Leaf as_leaf(Credentials credentials) {
  return {std::move(credentials.certificate), std::shared_ptr<EVP_PKEY>(std::move(credentials.key)), {}, {}, {}};
}

enum class OcspStatus : std::uint8_t { good, revoked };

// A DER OCSPResponse about `leaf`, signed by its issuer and current.
inline Bytes ocsp_response(const Credentials& issuer, X509* leaf, OcspStatus status) {
  using BasicHandle = std::unique_ptr<OCSP_BASICRESP, FreeWith<OCSP_BASICRESP_free>>;
  using ResponseHandle = std::unique_ptr<OCSP_RESPONSE, FreeWith<OCSP_RESPONSE_free>>;
  using IdHandle = std::unique_ptr<OCSP_CERTID, FreeWith<OCSP_CERTID_free>>;
  using TimeHandle = std::unique_ptr<ASN1_TIME, FreeWith<ASN1_TIME_free>>;
  const BasicHandle basic(OCSP_BASICRESP_new());
  const IdHandle id(OCSP_cert_to_id(nullptr, leaf, issuer.certificate.get()));
  const TimeHandle earlier(X509_gmtime_adj(nullptr, -3600));
  const TimeHandle later(X509_gmtime_adj(nullptr, 3600));
  const bool revoked = status == OcspStatus::revoked;
  OCSP_basic_add1_status(basic.get(), id.get(), revoked ? V_OCSP_CERTSTATUS_REVOKED : V_OCSP_CERTSTATUS_GOOD,
                         revoked ? OCSP_REVOKED_STATUS_KEYCOMPROMISE : 0, revoked ? earlier.get() : nullptr,
                         earlier.get(), later.get());
  OCSP_basic_sign(basic.get(), issuer.certificate.get(), issuer.key.get(), EVP_sha256(), nullptr, 0);
  const ResponseHandle response(OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()));
  unsigned char* der = nullptr;
  const int size = i2d_OCSP_RESPONSE(response.get(), &der);
  Bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

}  // namespace tollgate::tls::test
