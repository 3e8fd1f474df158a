// Specimens that are about dates, purposes and strength.
#include <openssl/x509v3.h>

#include <array>
#include <chrono>

#include "gateway/base/clock.h"
#include "tests/certs/zoo.h"

namespace tollgate::certs::test {
namespace {

using Builder = CertificateBuilder;

std::string day(int from_now) { return rfc3339(wall_now() + std::chrono::days(from_now)).substr(0, 10); }

Specimen with_key(const World& world, const std::string& host, KeyKind kind, std::string sentence = "") {
  return usual(world, host, Builder::leaf(host).key(kind), std::move(sentence));
}

Specimen for_purpose(const World& world, const std::string& host, const std::string& purpose,
                     std::string sentence = "") {
  return usual(world, host, Builder::leaf(host).with(NID_ext_key_usage, purpose), std::move(sentence));
}

// Signed with an old digest, by an issuer whose key is RSA as such issuers' were.
Specimen with_digest(const World& world, const std::string& host, const EVP_MD* digest, std::string sentence) {
  const Identity issuer = Builder::authority("Zoo Old").key(KeyKind::rsa2048).signed_by(world.root);
  return {host, Builder::leaf(host).digest(digest).signed_by(issuer), {issuer.certificate}, {}, std::move(sentence)};
}

constexpr auto kinds = std::to_array<Kind>({
    {"expired", Verdict::bad,
     [](const World& w) {
       return usual(w, "expired.zoo.test", Builder::leaf("expired.zoo.test").valid_days(-30, -2),
                    "the server's certificate expired on " + day(-2));
     }},
    {"not-yet-valid", Verdict::bad,
     [](const World& w) {
       return usual(w, "not-yet-valid.zoo.test", Builder::leaf("not-yet-valid.zoo.test").valid_days(2, 30),
                    "the server's certificate is not valid before " + day(2));
     }},
    {"intermediate-expired", Verdict::bad,
     [](const World& w) {
       const Identity issuer = Builder::authority("Zoo Lapsed").valid_days(-90, -1).signed_by(w.root);
       return Specimen{"intermediate-expired.zoo.test",
                       Builder::leaf("intermediate-expired.zoo.test").signed_by(issuer),
                       {issuer.certificate},
                       {},
                       "the certificate of \"Zoo Lapsed\", on which the server's depends, expired on " + day(-1)};
     }},
    {"root-expired", Verdict::bad,
     [](const World& w) {
       return Specimen{"root-expired.zoo.test",
                       Builder::leaf("root-expired.zoo.test").signed_by(w.expired_root),
                       {},
                       {},
                       "the certificate of \"Zoo Expired Root\", on which the server's depends, expired on " + day(-5)};
     }},

    {"client-auth-only", Verdict::bad,
     [](const World& w) {
       return for_purpose(w, "client-auth-only.zoo.test", "clientAuth", "is not meant for servers");
     }},
    {"client-and-server-auth", Verdict::good,
     [](const World& w) { return for_purpose(w, "client-and-server-auth.zoo.test", "clientAuth,serverAuth"); }},
    // RFC 5280 §4.2.1.12 lets an application demand its own purpose by name. OpenSSL does, and so do phones.
    {"any-purpose", Verdict::bad,
     [](const World& w) {
       return for_purpose(w, "any-purpose.zoo.test", "anyExtendedKeyUsage", "is not meant for servers");
     }},
    {"no-extended-key-usage", Verdict::good,
     [](const World& w) {
       const std::string host = "no-extended-key-usage.zoo.test";
       return usual(w, host, Builder::leaf(host).without(NID_ext_key_usage));
     }},
    {"critical-unknown-extension", Verdict::bad,
     [](const World& w) {
       const std::string host = "critical-unknown-extension.zoo.test";
       return usual(w, host, Builder::leaf(host).with_der("1.3.6.1.4.1.55555.1", {0x05, 0x00}, true),
                    "sets a condition that this machine doesn't know (1.3.6.1.4.1.55555.1)");
     }},
    {"unknown-extension", Verdict::good,
     [](const World& w) {
       const std::string host = "unknown-extension.zoo.test";
       return usual(w, host, Builder::leaf(host).with_der("1.3.6.1.4.1.55555.1", {0x05, 0x00}, false));
     }},

    {"p256", Verdict::good, [](const World& w) { return with_key(w, "p256.zoo.test", KeyKind::p256); }},
    {"p384", Verdict::good, [](const World& w) { return with_key(w, "p384.zoo.test", KeyKind::p384); }},
    {"rsa-2048", Verdict::good, [](const World& w) { return with_key(w, "rsa-2048.zoo.test", KeyKind::rsa2048); }},
    // 128 bits strong, so good. An origin shows it only to a client that offers ed25519, as OpenSSL does by default.
    {"ed25519", Verdict::good, [](const World& w) { return with_key(w, "ed25519.zoo.test", KeyKind::ed25519); }},
    {"rsa-1024", Verdict::bad,
     [](const World& w) {
       return with_key(w, "rsa-1024.zoo.test", KeyKind::rsa1024, "has a key that is too weak (RSA, 1024 bits)");
     }},
    {"intermediate-rsa-1024", Verdict::bad,
     [](const World& w) {
       const Identity issuer = Builder::authority("Zoo Weak").key(KeyKind::rsa1024).signed_by(w.root);
       return Specimen{"intermediate-rsa-1024.zoo.test",
                       Builder::leaf("intermediate-rsa-1024.zoo.test").signed_by(issuer),
                       {issuer.certificate},
                       {},
                       "the certificate of \"Zoo Weak\", on which the server's depends, has a key that is too weak"};
     }},
    {"sha1-signature", Verdict::bad,
     [](const World& w) {
       return with_digest(w, "sha1-signature.zoo.test", EVP_sha1(),
                          "the server's certificate is signed with SHA1, which is too weak");
     }},
    {"md5-signature", Verdict::bad,
     [](const World& w) {
       return with_digest(w, "md5-signature.zoo.test", EVP_md5(),
                          "the server's certificate is signed with MD5, which is too weak");
     }},
    {"intermediate-sha1-signature", Verdict::bad,
     [](const World& w) {
       const Identity issuer = Builder::authority("Zoo Sha1").digest(EVP_sha1()).signed_by(w.root);
       return Specimen{"intermediate-sha1-signature.zoo.test",
                       Builder::leaf("intermediate-sha1-signature.zoo.test").signed_by(issuer),
                       {issuer.certificate},
                       {},
                       "the certificate of \"Zoo Sha1\", on which the server's depends, is signed with SHA1"};
     }},
});

}  // namespace

std::span<const Kind> use_kinds() { return kinds; }

}  // namespace tollgate::certs::test
