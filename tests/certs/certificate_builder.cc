#include "tests/certs/certificate_builder.h"

#include <openssl/asn1.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/ocsp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <ctime>
#include <stdexcept>

#include "gateway/base/free_with.h"

namespace tollgate::certs::test {
namespace {

using ExtensionHandle = std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>>;
using StringHandle = std::unique_ptr<ASN1_OCTET_STRING, FreeWith<ASN1_OCTET_STRING_free>>;
using ObjectHandle = std::unique_ptr<ASN1_OBJECT, FreeWith<ASN1_OBJECT_free>>;
using TimeHandle = std::unique_ptr<ASN1_TIME, FreeWith<ASN1_TIME_free>>;
using BasicHandle = std::unique_ptr<OCSP_BASICRESP, FreeWith<OCSP_BASICRESP_free>>;
using ResponseHandle = std::unique_ptr<OCSP_RESPONSE, FreeWith<OCSP_RESPONSE_free>>;
using IdHandle = std::unique_ptr<OCSP_CERTID, FreeWith<OCSP_CERTID_free>>;

void must(bool ok, const std::string& what) {
  if (ok) return;
  std::array<char, 200> why{};
  ERR_error_string_n(ERR_get_error(), why.data(), why.size());
  throw std::runtime_error("cannot build a certificate: " + what + ": " + why.data());
}

SharedX509 own(X509* certificate) { return SharedX509(certificate, X509_free); }

long next_serial() {
  static std::atomic<long> last{std::time(nullptr)};
  return ++last;
}

TimeHandle days_from_now(int days) { return TimeHandle(X509_time_adj_ex(nullptr, days, 0, nullptr)); }

}  // namespace

SharedKey make_key(KeyKind kind) {
  EVP_PKEY* key = nullptr;
  switch (kind) {
    case KeyKind::p256: key = EVP_EC_gen("P-256"); break;
    case KeyKind::p384: key = EVP_EC_gen("P-384"); break;
    case KeyKind::rsa1024: key = EVP_RSA_gen(1024); break;
    case KeyKind::rsa2048: key = EVP_RSA_gen(2048); break;
    case KeyKind::ed25519: key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"); break;
  }
  must(key != nullptr, "key");
  return SharedKey(key, EVP_PKEY_free);
}

CertificateBuilder CertificateBuilder::leaf(const std::string& dns_name) {
  CertificateBuilder builder;
  builder.common_name("a test origin")
      .with(NID_basic_constraints, "critical,CA:FALSE")
      .with(NID_key_usage, "critical,digitalSignature")
      .with(NID_ext_key_usage, "serverAuth")
      .with(NID_subject_alt_name, "DNS:" + dns_name)
      .with(NID_authority_key_identifier, "keyid");
  return builder;
}

CertificateBuilder CertificateBuilder::authority(const std::string& common_name) {
  CertificateBuilder builder;
  builder.common_name(common_name)
      .valid_days(-365, 3285)
      .with(NID_basic_constraints, "critical,CA:TRUE")
      .with(NID_key_usage, "critical,keyCertSign,cRLSign")
      .with(NID_subject_key_identifier, "hash")
      .with(NID_authority_key_identifier, "keyid");
  return builder;
}

CertificateBuilder& CertificateBuilder::common_name(std::string name) {
  common_name_ = std::move(name);
  return *this;
}

CertificateBuilder& CertificateBuilder::valid_days(int from, int to) {
  from_day_ = from;
  to_day_ = to;
  return *this;
}

CertificateBuilder& CertificateBuilder::key(KeyKind kind) {
  key_kind_ = kind;
  return *this;
}

CertificateBuilder& CertificateBuilder::key(SharedKey key) {
  key_ = std::move(key);
  return *this;
}

CertificateBuilder& CertificateBuilder::digest(const EVP_MD* digest) {
  digest_ = digest;
  return *this;
}

CertificateBuilder& CertificateBuilder::version_1() {
  version_1_ = true;
  return *this;
}

CertificateBuilder& CertificateBuilder::with(int nid, std::string value) {
  without(nid);
  extensions_.push_back({nid, std::move(value), "", {}, false});
  return *this;
}

CertificateBuilder& CertificateBuilder::with_der(const std::string& oid, Bytes der, bool critical) {
  without(OBJ_txt2nid(oid.c_str()));
  extensions_.push_back({OBJ_txt2nid(oid.c_str()), "", oid, std::move(der), critical});
  return *this;
}

CertificateBuilder& CertificateBuilder::without(int nid) {
  std::erase_if(extensions_, [nid](const Extension& extension) { return nid != NID_undef && extension.nid == nid; });
  return *this;
}

Identity CertificateBuilder::self_signed() const { return sign(nullptr); }
Identity CertificateBuilder::signed_by(const Identity& issuer) const { return sign(&issuer); }

Identity CertificateBuilder::sign(const Identity* issuer) const {
  Identity made{own(X509_new()), key_ ? key_ : make_key(key_kind_)};
  X509* certificate = made.certificate.get();
  X509* issuer_certificate = issuer != nullptr ? issuer->certificate.get() : certificate;
  EVP_PKEY* signing_key = issuer != nullptr ? issuer->key.get() : made.key.get();
  X509_NAME* subject = X509_get_subject_name(certificate);
  must(ASN1_INTEGER_set(X509_get_serialNumber(certificate), next_serial()) == 1, "serial");
  must(X509_set_version(certificate, version_1_ ? X509_VERSION_1 : X509_VERSION_3) == 1, "version");
  if (!common_name_.empty()) {
    must(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, as_bytes(common_name_).data(), -1, -1, 0) ==
             1,
         "common name");
  }
  must(X509_set_issuer_name(certificate, X509_get_subject_name(issuer_certificate)) == 1, "issuer");
  must(X509_set1_notBefore(certificate, days_from_now(from_day_).get()) == 1, "notBefore");
  must(X509_set1_notAfter(certificate, days_from_now(to_day_).get()) == 1, "notAfter");
  must(X509_set_pubkey(certificate, made.key.get()) == 1, "public key");
  if (!version_1_) add_extensions(certificate, issuer_certificate);
  const bool digests = EVP_PKEY_get_id(signing_key) != EVP_PKEY_ED25519;  // Ed25519 has its own
  must(X509_sign(certificate, signing_key, digests ? digest_ : nullptr) > 0, "signature");
  return made;
}

void CertificateBuilder::add_extensions(X509* certificate, X509* issuer) const {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const bool issuer_has_key_id = X509_get_ext_by_NID(issuer, NID_subject_key_identifier, -1) >= 0;
  for (const Extension& extension : extensions_) {
    if (extension.nid == NID_authority_key_identifier && issuer != certificate && !issuer_has_key_id) continue;
    ExtensionHandle made;
    if (extension.oid.empty()) {
      made.reset(X509V3_EXT_conf_nid(nullptr, &context, extension.nid, extension.value.c_str()));
    } else {
      const StringHandle value(ASN1_OCTET_STRING_new());
      const ObjectHandle oid(OBJ_txt2obj(extension.oid.c_str(), 0));
      must(ASN1_OCTET_STRING_set(value.get(), extension.der.data(), static_cast<int>(extension.der.size())) == 1,
           "der");
      made.reset(X509_EXTENSION_create_by_OBJ(nullptr, oid.get(), extension.critical ? 1 : 0, value.get()));
    }
    must(made && X509_add_ext(certificate, made.get(), -1) == 1, "extension " + extension.value + extension.oid);
  }
}

Bytes san_der(std::string_view dns_name) {
  const auto size = static_cast<std::uint8_t>(dns_name.size());  // lengths below 128 are one octet
  Bytes der{0x30, static_cast<std::uint8_t>(size + 2), 0x82, size};
  der.insert(der.end(), dns_name.begin(), dns_name.end());
  return der;
}

Identity tampered(const Identity& identity) {
  const SharedX509 copy = own(X509_dup(identity.certificate.get()));
  const ASN1_BIT_STRING* signature = nullptr;
  X509_get0_signature(&signature, nullptr, copy.get());
  Bytes bytes(signature->data, signature->data + signature->length);
  bytes.back() ^= 1U;  // inside the last INTEGER of an ECDSA signature, so it still parses
  must(ASN1_STRING_set(const_cast<ASN1_BIT_STRING*>(signature), bytes.data(), static_cast<int>(bytes.size())) == 1,
       "signature");
  return {copy, identity.key};
}

Bytes ocsp_response(const Identity& leaf, const Identity& issuer, const Identity& signer, const OcspAnswer& answer) {
  const BasicHandle basic(OCSP_BASICRESP_new());
  const IdHandle id(OCSP_cert_to_id(answer.id_digest, leaf.certificate.get(), issuer.certificate.get()));
  const TimeHandle revoked = days_from_now(-3);
  const TimeHandle this_update = days_from_now(answer.this_update_days);
  const TimeHandle next_update = answer.next_update_days ? days_from_now(*answer.next_update_days) : nullptr;
  const bool is_revoked = answer.status == V_OCSP_CERTSTATUS_REVOKED;
  must(OCSP_basic_add1_status(basic.get(), id.get(), answer.status, answer.reason, is_revoked ? revoked.get() : nullptr,
                              this_update.get(), next_update.get()) != nullptr,
       "OCSP status");
  must(OCSP_basic_sign(basic.get(), signer.certificate.get(), signer.key.get(), EVP_sha256(), nullptr,
                       answer.embed_signer ? 0 : OCSP_NOCERTS) == 1,
       "OCSP signature");
  const ResponseHandle response(OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()));
  unsigned char* der = nullptr;
  const int size = i2d_OCSP_RESPONSE(response.get(), &der);
  must(size > 0, "OCSP response");
  Bytes bytes(der, der + size);
  OPENSSL_free(der);
  return bytes;
}

}  // namespace tollgate::certs::test
