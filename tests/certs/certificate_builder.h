// Certificates and OCSP responses of every kind, good and bad, made for tests.
//
//     const auto root = CertificateBuilder::authority("Test Root").self_signed();
//     const auto leaf = CertificateBuilder::leaf("example.test").valid_days(-30, -2).signed_by(root);
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/base/bytes.h"

namespace tollgate::certs::test {

enum class KeyKind : std::uint8_t { p256, p384, rsa1024, rsa2048, ed25519 };

using SharedX509 = std::shared_ptr<X509>;
using SharedKey = std::shared_ptr<EVP_PKEY>;

// A certificate and its key. Copies share both.
struct Identity {
  SharedX509 certificate;
  SharedKey key;
};

// Setters return the builder; signed_by() may be called more than once. What OpenSSL refuses throws std::runtime_error.
class CertificateBuilder {
 public:
  // Both name their issuer's key id, where it has one.
  // A good end-entity certificate for a dNSName: P-256, CA:FALSE, digitalSignature, serverAuth, 30 days from yesterday.
  static CertificateBuilder leaf(const std::string& dns_name);
  // A good authority: P-256, CA:TRUE, keyCertSign and cRLSign, 10 years from a year ago.
  static CertificateBuilder authority(const std::string& common_name);

  CertificateBuilder& common_name(std::string name);  // "" for an empty subject
  CertificateBuilder& valid_days(int from, int to);   // from now
  CertificateBuilder& key(KeyKind kind);
  CertificateBuilder& key(SharedKey key);
  CertificateBuilder& digest(const EVP_MD* digest);
  CertificateBuilder& version_1();  // without extensions, which version 1 cannot have
  // An extension in the words of OpenSSL's configuration (`DNS:a.test,IP:127.0.0.1`), in place of one of the same kind.
  CertificateBuilder& with(int nid, std::string value);
  // An extension as it is, whatever is in it.
  CertificateBuilder& with_der(const std::string& oid, Bytes der, bool critical);
  CertificateBuilder& without(int nid);

  Identity self_signed() const;
  Identity signed_by(const Identity& issuer) const;

 private:
  struct Extension {
    int nid = NID_undef;
    std::string value;
    std::string oid;  // of a raw one
    Bytes der;
    bool critical = false;
  };

  Identity sign(const Identity* issuer) const;
  void add_extensions(X509* certificate, X509* issuer) const;

  std::string common_name_;
  int from_day_ = -1;
  int to_day_ = 29;
  KeyKind key_kind_ = KeyKind::p256;
  SharedKey key_;
  const EVP_MD* digest_ = EVP_sha256();
  bool version_1_ = false;
  std::vector<Extension> extensions_;
};

SharedKey make_key(KeyKind kind);
// A subjectAltName of one dNSName with any bytes in it (at most 120), in DER.
Bytes san_der(std::string_view dns_name);
// The same certificate with one bit of its signature changed.
Identity tampered(const Identity& identity);

struct OcspAnswer {
  int status = 0;             // V_OCSP_CERTSTATUS_GOOD, …_REVOKED, …_UNKNOWN
  int reason = -1;            // OCSP_REVOKED_STATUS_NOSTATUS
  int this_update_days = -1;  // from now
  std::optional<int> next_update_days = 6;
  bool embed_signer = true;
  const EVP_MD* id_digest = EVP_sha1();
};
// A DER OCSPResponse about `leaf` of `issuer`, signed by `signer`.
Bytes ocsp_response(const Identity& leaf, const Identity& issuer, const Identity& signer, const OcspAnswer& answer);

}  // namespace tollgate::certs::test
