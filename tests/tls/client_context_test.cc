#include <catch2/catch.hpp>

#include "gateway/tls/contexts.h"
#include "tests/tls/peers.h"

using namespace tollgate;
using namespace tollgate::tls;
using namespace tollgate::tls::test;

namespace {

Host host(std::string_view text) { return Host::parse(text).value(); }

int both_versions() { return GENERATE(TLS1_2_VERSION, TLS1_3_VERSION); }

// One handshake with an origin, and what came of it.
struct Visit {
  Visit(const ClientContext& context, const Origin& origin, const Host& to, const std::vector<std::string>& alpn = {})
      : client(context.new_session(to, 443, alpn).value()), server(origin.new_session()) {
    handshake = shake_hands(client, server);
  }
  Session client;
  Session server;
  Handshake handshake;
};

// A refusal for the certificate's sake, with its sentence.
std::string refused_certificate(const Visit& visit) {
  REQUIRE_FALSE(visit.handshake.client);
  CHECK(visit.handshake.client.error().kind == Error::Kind::refused);
  REQUIRE(visit.client.failure() != nullptr);
  CHECK(visit.client.failure()->cause == Failure::Cause::certificate);
  CHECK_FALSE(visit.handshake.done());
  return visit.client.failure()->what;
}

}  // namespace

TEST_CASE("an origin is verified, and chooses among the protocols it is offered", "[tls]") {
  const TestAuthority authority;
  const auto context = ClientContext::create(authority.trust()).value();
  const auto leaf = authority.leaf("origin.test");
  Origin origin(leaf);
  origin.versions(both_versions(), TLS1_3_VERSION);
  SECTION("h2") {
    origin.alpn = "h2";
    const Visit visit(*context, origin, host("origin.test"), {"h2", "http/1.1"});
    REQUIRE(visit.handshake.done());
    CHECK(visit.client.alpn() == "h2");
    CHECK(std::string(SSL_get_servername(const_cast<Visit&>(visit).server.ssl(), TLSEXT_NAMETYPE_host_name)) ==
          "origin.test");
  }
  SECTION("it knows none of them") {
    origin.alpn = "h3";
    const Visit visit(*context, origin, host("origin.test"), {"h2", "http/1.1"});
    REQUIRE(visit.handshake.done());
    CHECK(visit.client.alpn().empty());
  }
  SECTION("none was offered") {
    origin.alpn = "h2";
    const Visit visit(*context, origin, host("origin.test"));
    REQUIRE(visit.handshake.done());
    CHECK(visit.client.alpn().empty());
  }
}

TEST_CASE("an address is verified as one and not sent as a server name", "[tls]") {
  const TestAuthority authority;
  const auto context = ClientContext::create(authority.trust()).value();
  const auto leaf = authority.leaf("192.0.2.7");
  const Origin origin(leaf);
  Visit visit(*context, origin, host("192.0.2.7"));
  REQUIRE(visit.handshake.done());
  CHECK(SSL_get_servername(visit.server.ssl(), TLSEXT_NAMETYPE_host_name) == nullptr);
  CHECK_FALSE(refused_certificate(Visit(*context, origin, host("192.0.2.8"))).empty());
}

TEST_CASE("a protocol name that has no wire format is an error", "[tls]") {
  const TestAuthority authority;
  const auto context = ClientContext::create(authority.trust()).value();
  for (const std::string& name : {std::string(), std::string(256, 'x')}) {
    CHECK(context->new_session(host("origin.test"), 443, {"h2", name}).error().kind == Error::Kind::malformed);
  }
}

TEST_CASE("a certificate that does not verify fails the handshake and is the failure's cause", "[tls]") {
  const TestAuthority authority;
  const TestAuthority stranger;
  const auto context = ClientContext::create(authority.trust()).value();
  const int version = both_versions();
  const auto visit = [&](const Credentials& leaf, std::string_view to) {
    Origin origin(leaf);
    origin.versions(version, version);
    return refused_certificate(Visit(*context, origin, host(to)));
  };
  CHECK(visit(authority.leaf("origin.test"), "other.test").find("origin.test") != std::string::npos);
  CHECK_FALSE(visit(stranger.leaf("origin.test"), "origin.test").empty());
  CHECK(visit(issue(&authority.root(), {"origin.test", -3600}, p256_key()), "origin.test").find("expired") !=
        std::string::npos);
  // SECLEVEL 2: 112 bits, so an RSA key of 2048.
  CHECK_FALSE(visit(issue(&authority.root(), {"origin.test"}, rsa_key(1024)), "origin.test").empty());
}

TEST_CASE("an origin with nothing newer than TLS 1.1 is refused, and not for its certificate", "[tls]") {
  const TestAuthority authority;
  const auto context = ClientContext::create(authority.trust()).value();
  const auto leaf = authority.leaf("origin.test");
  Origin origin(leaf);
  origin.versions(TLS1_VERSION, TLS1_1_VERSION);
  const Visit visit(*context, origin, host("origin.test"));
  REQUIRE_FALSE(visit.handshake.client);
  CHECK(visit.client.failure()->cause == Failure::Cause::peer_alert);
  CHECK(visit.client.failure()->alert == SSL_AD_PROTOCOL_VERSION);
}

TEST_CASE("a stapled OCSP response counts when it says revoked", "[tls]") {
  const TestAuthority authority;
  const auto context = ClientContext::create(authority.trust()).value();
  const auto leaf = authority.leaf("origin.test");
  const int version = both_versions();
  Origin origin(leaf);
  origin.versions(version, version);
  origin.staple(ocsp_response(authority.root(), leaf.certificate.get(), OcspStatus::good));
  CHECK(Visit(*context, origin, host("origin.test")).handshake.done());
  origin.staple(ocsp_response(authority.root(), leaf.certificate.get(), OcspStatus::revoked));
  const auto fresh = ClientContext::create(authority.trust()).value();
  CHECK(refused_certificate(Visit(*fresh, origin, host("origin.test"))).find("revoked") != std::string::npos);
  // A revoked origin's session was not remembered.
  CHECK(refused_certificate(Visit(*fresh, origin, host("origin.test"))).find("revoked") != std::string::npos);
}

TEST_CASE("of a chain, a verified session keeps the origin's own certificate", "[tls]") {
  const TestAuthority authority;
  const auto intermediate = issue(&authority.root(), {"an intermediate", 24L * 3600, true}, p256_key());
  const auto leaf = issue(&intermediate, {"origin.test"}, p256_key());
  const auto context = ClientContext::create(authority.trust()).value();
  const int version = both_versions();
  Origin origin(leaf, {&intermediate});
  origin.versions(version, version);
  origin.staple(ocsp_response(intermediate, leaf.certificate.get(), OcspStatus::good));
  Visit visit(*context, origin, host("origin.test"));
  REQUIRE(visit.handshake.done());
  SSL* ssl = visit.client.ssl();
  CHECK(X509_cmp(SSL_get0_peer_certificate(ssl), leaf.certificate.get()) == 0);
  CHECK(sk_X509_num(SSL_get_peer_cert_chain(ssl)) == 1);
  CHECK(sk_X509_num(SSL_get0_verified_chain(ssl)) == 1);
  const unsigned char* response = nullptr;
  CHECK(SSL_get_tlsext_status_ocsp_resp(ssl, &response) <= 0);
  // It was not slimmed away before it was of use: without the intermediate nothing verifies.
  Origin incomplete(leaf);
  incomplete.versions(version, version);
  const auto fresh = ClientContext::create(authority.trust()).value();
  CHECK_FALSE(refused_certificate(Visit(*fresh, incomplete, host("origin.test"))).empty());
}
