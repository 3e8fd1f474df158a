// The zoo, met by a client with our Trust in real handshakes: none of the bad ones passes, all good ones do.
#include <openssl/ssl.h>

#include <catch2/catch.hpp>
#include <set>

#include "tests/certs/handshake.h"

namespace tollgate::certs::test {
namespace {

const World& world() {
  static const World made = make_world();
  return made;
}

const Trust& trust() {
  static const Trust::Pointer made = [] {
    const AnchorFile file(world().anchors());
    return Trust::from_file(file.path()).value();
  }();
  return *made;
}

void meet(const Kind& kind) {
  const Specimen specimen = kind.make(world());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(kind.name, version == TLS1_2_VERSION ? "TLS 1.2" : "TLS 1.3");
    const Outcome outcome = shake_hands(trust(), specimen, version);
    if (kind.verdict == Verdict::good) {
      INFO("refused: " << (outcome.failure ? outcome.failure->sentence : "without a finding"));
      CHECK(outcome.completed);
      CHECK(outcome.verify_result == X509_V_OK);
      CHECK_FALSE(outcome.failure.has_value());
      continue;
    }
    CHECK_FALSE(outcome.completed);
    CHECK(outcome.verify_result != X509_V_OK);
    REQUIRE(outcome.failure.has_value());
    CHECK(outcome.failure->error == outcome.verify_result);
    REQUIRE_FALSE(specimen.sentence.empty());
    CHECK_THAT(outcome.failure->sentence, Catch::Contains(specimen.sentence));
  }
}

void meet_each(std::span<const Kind> kinds) {
  for (const Kind& kind : kinds) {
    DYNAMIC_SECTION(kind.name) { meet(kind); }
  }
}

}  // namespace

TEST_CASE("an origin is believed only for the hosts its certificate names", "[certs]") { meet_each(name_kinds()); }
TEST_CASE("an origin is believed only when a proper chain leads to an anchor", "[certs]") { meet_each(chain_kinds()); }
TEST_CASE("an origin is believed only with a current, strong certificate for servers", "[certs]") {
  meet_each(use_kinds());
}
TEST_CASE("a stapled OCSP response counts when it validly says revoked, and only then", "[certs]") {
  meet_each(ocsp_kinds());
}

TEST_CASE("the zoo has at least forty kinds, each with its own name", "[certs]") {
  const auto kinds = all_kinds();
  CHECK(kinds.size() >= 40);
  std::set<std::string_view> names;
  for (const Kind& kind : kinds) names.insert(kind.name);
  CHECK(names.size() == kinds.size());
}

TEST_CASE("a client that did not say whom it expects refuses even a good certificate", "[certs]") {
  const Specimen good = usual(world(), "example.test", CertificateBuilder::leaf("example.test"));
  REQUIRE(shake_hands(trust(), good, TLS1_3_VERSION).completed);
  const Outcome outcome = shake_hands(trust(), good, TLS1_3_VERSION, Expecting::nobody);
  CHECK_FALSE(outcome.completed);
  REQUIRE(outcome.failure.has_value());
  CHECK_THAT(outcome.failure->sentence, Catch::Contains("did not say whose certificate it expects"));
}

}  // namespace tollgate::certs::test
