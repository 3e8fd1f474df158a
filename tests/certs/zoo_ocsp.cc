// Specimens with a stapled OCSP response (RFC 6960). Only one that counts and says revoked makes a certificate bad.
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include <array>
#include <chrono>

#include "gateway/base/clock.h"
#include "tests/certs/zoo.h"

namespace tollgate::certs::test {
namespace {

using Builder = CertificateBuilder;

OcspAnswer revoked() {
  OcspAnswer answer;
  answer.status = V_OCSP_CERTSTATUS_REVOKED;
  answer.reason = OCSP_REVOKED_STATUS_KEYCOMPROMISE;
  return answer;
}

OcspAnswer outdated(OcspAnswer answer) {
  answer.this_update_days = -20;
  answer.next_update_days = -10;
  return answer;
}

std::string three_days_ago() { return rfc3339(wall_now() - std::chrono::days(3)).substr(0, 10); }

Specimen stapled(const World& world, const std::string& host, const Identity& signer, const OcspAnswer& answer) {
  auto specimen = usual(world, host, Builder::leaf(host));
  specimen.staple = ocsp_response(specimen.leaf, world.intermediate, signer, answer);
  if (answer.status == V_OCSP_CERTSTATUS_REVOKED) {
    specimen.sentence = "the server's certificate was revoked by its issuer on " + three_days_ago();
  }
  return specimen;
}

Identity responder(const Identity& issuer, const std::string& purpose) {
  return Builder::leaf("ocsp.zoo.test").with(NID_ext_key_usage, purpose).signed_by(issuer);
}

constexpr auto kinds = std::to_array<Kind>({
    {"ocsp-good", Verdict::good, [](const World& w) { return stapled(w, "ocsp-good.zoo.test", w.intermediate, {}); }},
    {"ocsp-revoked", Verdict::bad,
     [](const World& w) { return stapled(w, "ocsp-revoked.zoo.test", w.intermediate, revoked()); }},
    {"ocsp-revoked-sha256-id", Verdict::bad,
     [](const World& w) {
       OcspAnswer answer = revoked();
       answer.id_digest = EVP_sha256();
       return stapled(w, "ocsp-revoked-sha256-id.zoo.test", w.intermediate, answer);
     }},
    {"ocsp-revoked-signer-not-embedded", Verdict::bad,
     [](const World& w) {
       OcspAnswer answer = revoked();
       answer.embed_signer = false;
       return stapled(w, "ocsp-revoked-signer-not-embedded.zoo.test", w.intermediate, answer);
     }},
    {"ocsp-revoked-without-next-update", Verdict::bad,
     [](const World& w) {
       OcspAnswer answer = revoked();
       answer.next_update_days.reset();
       return stapled(w, "ocsp-revoked-without-next-update.zoo.test", w.intermediate, answer);
     }},
    {"ocsp-revoked-by-responder", Verdict::bad,
     [](const World& w) {
       return stapled(w, "ocsp-revoked-by-responder.zoo.test", responder(w.intermediate, "OCSPSigning"), revoked());
     }},
    // Revocation is not undone by time.
    {"ocsp-revoked-outdated", Verdict::bad,
     [](const World& w) { return stapled(w, "ocsp-revoked-outdated.zoo.test", w.intermediate, outdated(revoked())); }},
    {"ocsp-hold", Verdict::bad,
     [](const World& w) {
       OcspAnswer answer = revoked();
       answer.reason = OCSP_REVOKED_STATUS_CERTIFICATEHOLD;
       return stapled(w, "ocsp-hold.zoo.test", w.intermediate, answer);
     }},

    // But a hold is, so an old one is as good as absent; and so are the others.
    {"ocsp-hold-outdated", Verdict::good,
     [](const World& w) {
       OcspAnswer answer = outdated(revoked());
       answer.reason = OCSP_REVOKED_STATUS_CERTIFICATEHOLD;
       return stapled(w, "ocsp-hold-outdated.zoo.test", w.intermediate, answer);
     }},
    {"ocsp-good-outdated", Verdict::good,
     [](const World& w) { return stapled(w, "ocsp-good-outdated.zoo.test", w.intermediate, outdated({})); }},
    {"ocsp-unknown", Verdict::good,
     [](const World& w) {
       OcspAnswer answer;
       answer.status = V_OCSP_CERTSTATUS_UNKNOWN;
       return stapled(w, "ocsp-unknown.zoo.test", w.intermediate, answer);
     }},
    {"ocsp-revoked-by-stranger", Verdict::good,
     [](const World& w) { return stapled(w, "ocsp-revoked-by-stranger.zoo.test", w.stranger, revoked()); }},
    {"ocsp-revoked-by-responder-of-stranger", Verdict::good,
     [](const World& w) {
       return stapled(w, "ocsp-revoked-by-responder-of-stranger.zoo.test", responder(w.stranger, "OCSPSigning"),
                      revoked());
     }},
    {"ocsp-revoked-by-responder-of-root", Verdict::good,
     [](const World& w) {
       return stapled(w, "ocsp-revoked-by-responder-of-root.zoo.test", responder(w.root, "OCSPSigning"), revoked());
     }},
    {"ocsp-revoked-by-another-leaf", Verdict::good,
     [](const World& w) {
       return stapled(w, "ocsp-revoked-by-another-leaf.zoo.test", responder(w.intermediate, "serverAuth"), revoked());
     }},
    {"ocsp-revoked-by-expired-responder", Verdict::good,
     [](const World& w) {
       const Identity signer = Builder::leaf("ocsp.zoo.test")
                                   .with(NID_ext_key_usage, "OCSPSigning")
                                   .valid_days(-30, -2)
                                   .signed_by(w.intermediate);
       return stapled(w, "ocsp-revoked-by-expired-responder.zoo.test", signer, revoked());
     }},
    {"ocsp-revoked-in-future", Verdict::good,
     [](const World& w) {
       OcspAnswer answer = revoked();
       answer.this_update_days = 2;
       return stapled(w, "ocsp-revoked-in-future.zoo.test", w.intermediate, answer);
     }},
    {"ocsp-about-another", Verdict::good,
     [](const World& w) {
       auto specimen = usual(w, "ocsp-about-another.zoo.test", Builder::leaf("ocsp-about-another.zoo.test"));
       const Identity another = Builder::leaf("another.test").signed_by(w.intermediate);
       specimen.staple = ocsp_response(another, w.intermediate, w.intermediate, revoked());
       return specimen;
     }},
    {"ocsp-tampered", Verdict::good,
     [](const World& w) {
       OcspAnswer answer = revoked();
       answer.embed_signer = false;
       auto specimen = stapled(w, "ocsp-tampered.zoo.test", w.intermediate, answer);
       specimen.staple.back() ^= 1U;  // the signature's last bit
       return specimen;
     }},
    {"ocsp-garbage", Verdict::good,
     [](const World& w) {
       auto specimen = usual(w, "ocsp-garbage.zoo.test", Builder::leaf("ocsp-garbage.zoo.test"));
       specimen.staple = {0x30, 0x82, 0xff, 0xff, 0x00};
       return specimen;
     }},
});

}  // namespace

std::span<const Kind> ocsp_kinds() { return kinds; }

}  // namespace tollgate::certs::test
