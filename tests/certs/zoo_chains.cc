// Specimens that are about the way from the leaf to an anchor (RFC 5280 §6.1).
#include <openssl/x509v3.h>

#include <array>

#include "tests/certs/zoo.h"

namespace tollgate::certs::test {
namespace {

using Builder = CertificateBuilder;

// A leaf under an intermediate of one's own, both sent.
Specimen under(const std::string& host, const Identity& issuer, std::string sentence = "") {
  return {host, Builder::leaf(host).signed_by(issuer), {issuer.certificate}, {}, std::move(sentence)};
}

constexpr auto kinds = std::to_array<Kind>({
    {"direct", Verdict::good,
     [](const World& w) {
       return Specimen{"direct.zoo.test", Builder::leaf("direct.zoo.test").signed_by(w.root), {}, {}};
     }},
    {"complete-chain", Verdict::good,
     [](const World& w) { return usual(w, "complete-chain.zoo.test", Builder::leaf("complete-chain.zoo.test")); }},
    {"chain-with-root", Verdict::good,
     [](const World& w) {
       auto specimen = usual(w, "chain-with-root.zoo.test", Builder::leaf("chain-with-root.zoo.test"));
       specimen.chain.push_back(w.root.certificate);
       return specimen;
     }},
    {"chain-out-of-order", Verdict::good,
     [](const World& w) {
       const Identity lower = Builder::authority("Zoo Lower").signed_by(w.intermediate);
       auto specimen = under("chain-out-of-order.zoo.test", lower);
       specimen.chain = {w.root.certificate, w.intermediate.certificate, lower.certificate};
       return specimen;
     }},
    {"chain-with-unrelated", Verdict::good,
     [](const World& w) {
       auto specimen = usual(w, "chain-with-unrelated.zoo.test", Builder::leaf("chain-with-unrelated.zoo.test"));
       specimen.chain.insert(specimen.chain.begin(), w.stranger.certificate);
       return specimen;
     }},
    {"incomplete-chain", Verdict::bad,
     [](const World& w) {
       auto specimen = usual(w, "incomplete-chain.zoo.test", Builder::leaf("incomplete-chain.zoo.test"),
                             "was issued by \"Zoo Intermediate\", which this machine doesn't know");
       specimen.chain.clear();
       return specimen;
     }},
    {"chain-with-gap", Verdict::bad,
     [](const World& w) {
       const Identity lower = Builder::authority("Zoo Lower").signed_by(w.intermediate);
       return under(
           "chain-with-gap.zoo.test", lower,
           "the certificate of \"Zoo Lower\", on which the server's depends, was issued by \"Zoo Intermediate\", "
           "which this machine doesn't know");
     }},
    {"self-signed", Verdict::bad,
     [](const World&) {
       return Specimen{"self-signed.zoo.test",
                       Builder::leaf("self-signed.zoo.test").self_signed(),
                       {},
                       {},
                       "the server's certificate is self-signed"};
     }},
    {"untrusted-root", Verdict::bad,
     [](const World& w) {
       return under("untrusted-root.zoo.test", w.stranger,
                    "was issued by \"Zoo Stranger\", an authority that this machine doesn't trust");
     }},
    {"untrusted-root-not-sent", Verdict::bad,
     [](const World& w) {
       return Specimen{"untrusted-root-not-sent.zoo.test",
                       Builder::leaf("untrusted-root-not-sent.zoo.test").signed_by(w.stranger),
                       {},
                       {},
                       "was issued by \"Zoo Stranger\", which this machine doesn't know"};
     }},
    {"same-name-other-key", Verdict::bad,
     [](const World& w) {
       const Identity rogue = Builder::authority("Zoo Intermediate").signed_by(w.stranger);
       return Specimen{"same-name-other-key.zoo.test",
                       Builder::leaf("same-name-other-key.zoo.test").signed_by(rogue),
                       {w.intermediate.certificate},
                       {},
                       "was issued by another authority of the name \"Zoo Intermediate\""};
     }},
    {"same-name-other-key-no-key-id", Verdict::bad,
     [](const World& w) {
       const Identity rogue = Builder::authority("Zoo Intermediate").signed_by(w.stranger);
       return Specimen{"same-name-other-key-no-key-id.zoo.test",
                       Builder::leaf("same-name-other-key-no-key-id.zoo.test")
                           .without(NID_authority_key_identifier)
                           .signed_by(rogue),
                       {w.intermediate.certificate},
                       {},
                       "claims to be issued by \"Zoo Intermediate\", but the signature is not that authority's"};
     }},
    {"root-name-other-key", Verdict::bad,
     [](const World&) {
       const Identity rogue = Builder::authority("Zoo Root").self_signed();
       return under("root-name-other-key.zoo.test", rogue, "doesn't trust");
     }},
    {"tampered", Verdict::bad,
     [](const World& w) {
       auto specimen = usual(w, "tampered.zoo.test", Builder::leaf("tampered.zoo.test"), "altered or forged");
       specimen.leaf = tampered(specimen.leaf);
       return specimen;
     }},
    {"tampered-intermediate", Verdict::bad,
     [](const World& w) {
       auto specimen = usual(w, "tampered-intermediate.zoo.test", Builder::leaf("tampered-intermediate.zoo.test"),
                             "the certificate of \"Zoo Intermediate\", on which the server's depends, claims to be");
       specimen.chain = {tampered(w.intermediate).certificate};
       return specimen;
     }},

    {"intermediate-not-ca", Verdict::bad,
     [](const World& w) {
       const Identity issuer =
           Builder::authority("Zoo Not A CA").with(NID_basic_constraints, "CA:FALSE").signed_by(w.root);
       return under("intermediate-not-ca.zoo.test", issuer,
                    "depends on one of \"Zoo Not A CA\" that isn't allowed to issue certificates");
     }},
    {"intermediate-without-basic-constraints", Verdict::bad,
     [](const World& w) {
       const Identity issuer = Builder::authority("Zoo Vague").without(NID_basic_constraints).signed_by(w.root);
       return under("intermediate-without-basic-constraints.zoo.test", issuer,
                    "depends on one of \"Zoo Vague\" that isn't allowed to issue certificates");
     }},
    {"issuer-without-key-cert-sign", Verdict::bad,
     [](const World& w) {
       const Identity issuer =
           Builder::authority("Zoo Cannot Sign").with(NID_key_usage, "critical,cRLSign").signed_by(w.root);
       return under("issuer-without-key-cert-sign.zoo.test", issuer,
                    "depends on one of \"Zoo Cannot Sign\" that isn't allowed to issue certificates");
     }},
    {"leaf-as-ca", Verdict::bad,
     [](const World& w) {
       const Identity leaf = Builder::leaf("shop.test").common_name("shop.test").signed_by(w.intermediate);
       auto specimen = under("leaf-as-ca.zoo.test", leaf,
                             "depends on one of \"shop.test\" that isn't allowed to issue certificates");
       specimen.chain.push_back(w.intermediate.certificate);
       return specimen;
     }},
    {"pathlen-exceeded", Verdict::bad,
     [](const World& w) {
       const Identity upper = Builder::authority("Zoo Pathlen 0")
                                  .with(NID_basic_constraints, "critical,CA:TRUE,pathlen:0")
                                  .signed_by(w.root);
       const Identity lower = Builder::authority("Zoo Too Deep").signed_by(upper);
       auto specimen = under("pathlen-exceeded.zoo.test", lower,
                             "more authorities between the server's certificate and \"Zoo Pathlen 0\" than");
       specimen.chain.push_back(upper.certificate);
       return specimen;
     }},
    {"version-1-leaf", Verdict::bad,
     [](const World& w) {
       return usual(w, "version-1-leaf.zoo.test",
                    Builder::leaf("unused.test").common_name("version-1-leaf.zoo.test").version_1(), "names no host");
     }},
    {"version-1-intermediate", Verdict::bad,
     [](const World& w) {
       const Identity issuer = Builder::authority("Zoo Version 1").version_1().signed_by(w.root);
       return under("version-1-intermediate.zoo.test", issuer, "isn't allowed to issue certificates");
     }},
    {"intermediate-for-clients-only", Verdict::bad,
     [](const World& w) {
       const Identity issuer =
           Builder::authority("Zoo For Clients").with(NID_ext_key_usage, "clientAuth").signed_by(w.root);
       return under("intermediate-for-clients-only.zoo.test", issuer,
                    "the certificate of \"Zoo For Clients\", on which the server's depends, is not meant for servers");
     }},
});

}  // namespace

std::span<const Kind> chain_kinds() { return kinds; }

}  // namespace tollgate::certs::test
