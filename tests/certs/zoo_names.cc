// Specimens that are about the host a certificate is for (RFC 9525, RFC 5280 §4.2.1.6 and §4.2.1.10).
#include <openssl/x509v3.h>

#include <array>

#include "tests/certs/zoo.h"

namespace tollgate::certs::test {
namespace {

using Builder = CertificateBuilder;

Specimen for_san(const World& world, const std::string& host, const std::string& san, std::string sentence = "") {
  return usual(world, host, Builder::leaf("unused.test").with(NID_subject_alt_name, san), std::move(sentence));
}

Specimen for_raw_san(const World& world, const std::string& host, Bytes der, std::string sentence) {
  return usual(world, host, Builder::leaf("unused.test").with_der("subjectAltName", std::move(der), false),
               std::move(sentence));
}

// A leaf under an intermediate with name constraints.
Specimen constrained(const World& world, const std::string& host, const std::string& constraints,
                     const std::string& san, std::string sentence = "") {
  const Identity issuer =
      Builder::authority("Zoo Constrained").with(NID_name_constraints, "critical," + constraints).signed_by(world.root);
  const Identity leaf = Builder::leaf("unused.test").with(NID_subject_alt_name, san).signed_by(issuer);
  return {host, leaf, {issuer.certificate}, {}, std::move(sentence)};
}

constexpr auto kinds = std::to_array<Kind>({
    {"wrong-name", Verdict::bad,
     [](const World& w) {
       return for_san(w, "wrong-name.zoo.test", "DNS:other.test",
                      "the server's certificate is for other.test, not for wrong-name.zoo.test");
     }},
    {"many-wrong-names", Verdict::bad,
     [](const World& w) {
       return for_san(w, "many-wrong-names.zoo.test", "DNS:a.test,DNS:b.test,IP:127.0.0.1,IP:2001:db8::1,DNS:c.test",
                      "is for a.test, b.test, 127.0.0.1 and 2 more, not for many-wrong-names.zoo.test");
     }},
    {"many-names", Verdict::good,
     [](const World& w) { return for_san(w, "many-names.zoo.test", "DNS:a.test,IP:127.0.0.9,DNS:many-names.zoo.test"); }},
    {"upper-case-host", Verdict::good,
     [](const World& w) { return for_san(w, "Upper-Case-Host.ZOO.test", "DNS:upper-case-host.zoo.test"); }},
    {"upper-case-san", Verdict::good,
     [](const World& w) { return for_san(w, "upper-case-san.zoo.test", "DNS:UPPER-Case-SAN.Zoo.Test"); }},
    {"idna-a-label", Verdict::good,
     [](const World& w) { return for_san(w, "xn--bcher-kva.zoo.test", "DNS:xn--bcher-kva.zoo.test"); }},
    {"underscore", Verdict::good,
     [](const World& w) { return for_san(w, "under_score.zoo.test", "DNS:under_score.zoo.test"); }},
    {"critical-san-no-subject", Verdict::good,
     [](const World& w) {
       return usual(w, "critical-san-no-subject.zoo.test",
                    Builder::leaf("unused.test")
                        .common_name("")
                        .with(NID_subject_alt_name, "critical,DNS:critical-san-no-subject.zoo.test"));
     }},
    {"cn-only", Verdict::bad,
     [](const World& w) {
       return usual(w, "cn-only.zoo.test",
                    Builder::leaf("unused.test").common_name("cn-only.zoo.test").without(NID_subject_alt_name),
                    "names no host (in subjectAltName, where hosts belong) and so is for none, not for cn-only.zoo.test");
     }},
    {"cn-right-san-wrong", Verdict::bad,
     [](const World& w) {
       return usual(w, "cn-right-san-wrong.zoo.test",
                    Builder::leaf("other.test").common_name("cn-right-san-wrong.zoo.test"),
                    "is for other.test, not for cn-right-san-wrong.zoo.test");
     }},
    {"empty-san", Verdict::bad,
     [](const World& w) { return for_raw_san(w, "empty-san.zoo.test", {0x30, 0x00}, "names no host"); }},
    {"email-san", Verdict::bad,
     [](const World& w) { return for_san(w, "email-san.zoo.test", "email:root@email-san.zoo.test", "names no host"); }},
    {"nul-in-san", Verdict::bad,
     [](const World& w) {
       using std::string_view_literals::operator""sv;
       return for_raw_san(w, "nul-in-san.zoo.test", san_der("nul-in-san.zoo.test\0.evil.test"sv),
                          "is for nul-in-san.zoo.test\\x00.evil.test, ");
     }},
    {"san-with-junk-after", Verdict::bad,
     [](const World& w) {
       return for_raw_san(w, "san-with-junk-after.zoo.test", san_der("san-with-junk-after.zoo.test "),
                          "is for san-with-junk-after.zoo.test , not for");
     }},
    {"san-with-final-dot", Verdict::bad,
     [](const World& w) {
       return for_raw_san(w, "san-with-final-dot.zoo.test", san_der("san-with-final-dot.zoo.test."), "not for");
     }},
    {"san-is-parent-suffix", Verdict::bad,
     [](const World& w) { return for_raw_san(w, "a.zoo.test", san_der(".zoo.test"), "is for .zoo.test, not for"); }},

    {"wildcard", Verdict::good,
     [](const World& w) { return for_san(w, "a.wildcard.zoo.test", "DNS:*.wildcard.zoo.test"); }},
    // OpenSSL lets a wildcard stand for letters, digits and hyphens only. Refused means passed through, so no harm.
    {"wildcard-for-underscore", Verdict::bad,
     [](const World& w) { return for_san(w, "under_score.wildcard.zoo.test", "DNS:*.wildcard.zoo.test", "not for"); }},
    {"wildcard-partial", Verdict::bad,
     [](const World& w) {
       return for_san(w, "wildcard-partial.zoo.test", "DNS:wildcard*.zoo.test", "is for wildcard*.zoo.test, not for");
     }},
    {"wildcard-two-labels-deep", Verdict::bad,
     [](const World& w) {
       return for_san(w, "a.b.wildcard.zoo.test", "DNS:*.wildcard.zoo.test", "is for *.wildcard.zoo.test, not for");
     }},
    {"wildcard-bare-domain", Verdict::bad,
     [](const World& w) {
       return for_san(w, "wildcard-bare-domain.zoo.test", "DNS:*.wildcard-bare-domain.zoo.test", "not for");
     }},
    {"wildcard-not-leftmost", Verdict::bad,
     [](const World& w) { return for_san(w, "a.wildcard-not-leftmost.zoo.test", "DNS:a.*.zoo.test", "not for"); }},
    {"wildcard-twice", Verdict::bad,
     [](const World& w) { return for_san(w, "a.wildcard-twice.zoo.test", "DNS:*.*.zoo.test", "not for"); }},
    {"wildcard-top-level", Verdict::bad,
     [](const World& w) { return for_san(w, "wildcard-top-level.test", "DNS:*.test", "is for *.test, not for"); }},
    {"wildcard-everything", Verdict::bad,
     [](const World& w) { return for_san(w, "wildcard-everything.zoo.test", "DNS:*", "is for *, not for"); }},

    {"ipv4-san", Verdict::good, [](const World& w) { return for_san(w, "127.0.0.1", "IP:127.0.0.1"); }},
    {"ipv6-san", Verdict::good, [](const World& w) { return for_san(w, "[::1]", "IP:::1"); }},
    {"ip-wrong", Verdict::bad,
     [](const World& w) {
       return for_san(w, "127.0.0.1", "IP:127.0.0.2", "is for 127.0.0.2, not for 127.0.0.1");
     }},
    {"ipv6-wrong", Verdict::bad,
     [](const World& w) { return for_san(w, "[::1]", "IP:::2", "is for ::2, not for ::1"); }},
    {"ip-as-dns-name", Verdict::bad,
     [](const World& w) { return for_san(w, "127.0.0.1", "DNS:127.0.0.1", "not for 127.0.0.1"); }},
    {"ip-in-cn", Verdict::bad,
     [](const World& w) {
       return usual(w, "127.0.0.1", Builder::leaf("x.test").common_name("127.0.0.1").without(NID_subject_alt_name),
                    "names no host");
     }},
    {"name-but-ip-wanted", Verdict::bad,
     [](const World& w) { return for_san(w, "127.0.0.1", "DNS:localhost", "is for localhost, not for 127.0.0.1"); }},

    {"name-constraints-permitted", Verdict::good,
     [](const World& w) {
       return constrained(w, "a.permitted.zoo.test", "permitted;DNS:permitted.zoo.test", "DNS:a.permitted.zoo.test");
     }},
    {"name-constraints-violated", Verdict::bad,
     [](const World& w) {
       return constrained(w, "violated.zoo.test", "permitted;DNS:permitted.zoo.test", "DNS:violated.zoo.test",
                          "is for violated.zoo.test, which an authority behind it isn't allowed to vouch for");
     }},
    {"name-constraints-excluded", Verdict::bad,
     [](const World& w) {
       return constrained(w, "a.excluded.zoo.test", "excluded;DNS:excluded.zoo.test", "DNS:a.excluded.zoo.test",
                          "forbidden to vouch for");
     }},
    {"name-constraints-one-of-two-names", Verdict::bad,
     [](const World& w) {
       return constrained(w, "a.permitted.zoo.test", "permitted;DNS:permitted.zoo.test",
                          "DNS:a.permitted.zoo.test,DNS:other.test", "isn't allowed to vouch for");
     }},
    {"name-constraints-ip-permitted", Verdict::good,
     [](const World& w) {
       return constrained(w, "127.0.0.1", "permitted;IP:127.0.0.0/255.0.0.0", "IP:127.0.0.1");
     }},
    {"name-constraints-ip-violated", Verdict::bad,
     [](const World& w) {
       return constrained(w, "127.0.0.1", "permitted;IP:10.0.0.0/255.0.0.0", "IP:127.0.0.1",
                          "is for 127.0.0.1, which an authority behind it isn't allowed to vouch for");
     }},
});

}  // namespace

std::span<const Kind> name_kinds() { return kinds; }

}  // namespace tollgate::certs::test
