#include <catch2/catch.hpp>

#include "gateway/tls/contexts.h"
#include "tests/tls/peers.h"

using namespace tollgate;
using namespace tollgate::tls;
using namespace tollgate::tls::test;

namespace {

int both_versions() { return GENERATE(TLS1_2_VERSION, TLS1_3_VERSION); }

// The gateway's side of phones' connections.
struct Gateway {
  SslHandle session(std::string_view alpn = "", std::string_view device = "phone",
                    std::string_view name = "weather.test") const {
    return context->new_session(leaf, alpn, device, name).value();
  }
  TestAuthority authority;
  certs::Leaf leaf = as_leaf(authority.leaf("weather.test"));
  std::unique_ptr<ServerContext> context = ServerContext::create().value();
};

App app_with(const Gateway& gateway, int version) {
  App app(gateway.authority.trust()->store());
  SSL_CTX_set_max_proto_version(app.context.get(), version);
  return app;
}

struct Visit {
  Visit(SslHandle app, SslHandle gateway) : phone(std::move(app)), server(std::move(gateway)) {
    handshake = shake_hands(phone, server);
    if (handshake.done()) listen(phone);
  }
  Session phone;
  Session server;
  Handshake handshake;
};

using AppSession = std::unique_ptr<SSL_SESSION, FreeWith<SSL_SESSION_free>>;

// What an app keeps of a first visit.
AppSession first_visit(const Gateway& gateway, const App& app) {
  Visit visit(app.new_session("weather.test"), gateway.session());
  REQUIRE(visit.handshake.done());
  AppSession kept(SSL_get1_session(visit.phone.ssl()));
  REQUIRE(SSL_SESSION_is_resumable(kept.get()) == 1);
  visit.phone.shutdown();
  return kept;
}

}  // namespace

TEST_CASE("an app sees the leaf and exactly the protocol that the origin chose", "[tls]") {
  const Gateway gateway;
  const App app = app_with(gateway, both_versions());
  struct Case {
    std::vector<std::string> offered;
    std::string_view chosen;
    std::string seen;
  };
  const auto c = GENERATE(values<Case>({{{"h2", "http/1.1"}, "h2", "h2"},
                                        {{"h2", "http/1.1"}, "http/1.1", "http/1.1"},
                                        {{"h2", "http/1.1"}, "", ""},
                                        {{"http/1.1"}, "h2", ""},
                                        {{}, "h2", ""}}));
  Visit visit(app.new_session("weather.test", c.offered), gateway.session(c.chosen));
  REQUIRE(visit.handshake.done());
  CHECK(visit.phone.alpn() == c.seen);
  CHECK(visit.server.alpn() == c.seen);
  CHECK(X509_cmp(SSL_get0_peer_certificate(visit.phone.ssl()), gateway.leaf.certificate.get()) == 0);
  CHECK(sk_X509_num(SSL_get_peer_cert_chain(visit.phone.ssl())) == 1);
}

TEST_CASE("only ECDHE with AEAD is spoken", "[tls]") {
  const Gateway gateway;
  const App app = app_with(gateway, TLS1_2_VERSION);
  SECTION("an app that has AES-128 gets it") {
    Visit visit(app.new_session("weather.test"), gateway.session());
    REQUIRE(visit.handshake.done());
    CHECK(std::string(SSL_get_cipher(visit.phone.ssl())) == "ECDHE-ECDSA-AES128-GCM-SHA256");
  }
  SECTION("an app that prefers ChaCha20 gets that") {
    SSL_CTX_set_cipher_list(app.context.get(), "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256");
    Visit visit(app.new_session("weather.test"), gateway.session());
    REQUIRE(visit.handshake.done());
    CHECK(std::string(SSL_get_cipher(visit.phone.ssl())) == "ECDHE-ECDSA-CHACHA20-POLY1305");
  }
  SECTION("an app that has only CBC gets nothing") {
    SSL_CTX_set_cipher_list(app.context.get(), "ECDHE-ECDSA-AES128-SHA:AES128-SHA");
    const Visit visit(app.new_session("weather.test"), gateway.session());
    REQUIRE_FALSE(visit.handshake.server);
    CHECK(visit.server.failure()->cause == Failure::Cause::protocol);
    CHECK(visit.server.failure()->what == "the app's TLS cannot be used: no shared cipher");
  }
  SECTION("an app of before TLS 1.2 gets nothing") {
    SSL_CTX_set_security_level(app.context.get(), 0);
    SSL_CTX_set_min_proto_version(app.context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(app.context.get(), TLS1_1_VERSION);
    const Visit visit(app.new_session("weather.test"), gateway.session());
    REQUIRE_FALSE(visit.handshake.server);
    CHECK(visit.server.failure()->what == "the app's TLS cannot be used: unsupported protocol");
  }
}

TEST_CASE("an app resumes where it was, and gets new tickets", "[tls]") {
  const Gateway gateway;
  const App app = app_with(gateway, both_versions());
  AppSession kept = first_visit(gateway, app);
  for (int i = 0; i < 3; ++i) {
    Visit visit(app.new_session("weather.test", {}, kept.get()), gateway.session());
    REQUIRE(visit.handshake.done());
    CHECK(visit.server.resumed());
    CHECK(visit.phone.resumed());
    kept.reset(SSL_get1_session(visit.phone.ssl()));
    visit.phone.shutdown();
  }
}

TEST_CASE("a ticket is worth nothing to another device, or for another name", "[tls]") {
  const Gateway gateway;
  const App app = app_with(gateway, both_versions());
  const AppSession kept = first_visit(gateway, app);
  using Other = std::pair<std::string_view, std::string_view>;
  const auto [device, name] = GENERATE(values<Other>(
      {{"phony", "weather.test"}, {"phone", "maps.test"}, {"phoneweather.", "test"}, {"", "phoneweather.test"}}));
  Visit visit(app.new_session("weather.test", {}, kept.get()), gateway.session("", device, name));
  REQUIRE(visit.handshake.done());
  CHECK_FALSE(visit.server.resumed());
}

TEST_CASE("tickets do not invite early data", "[tls]") {
  const Gateway gateway;
  const App app = app_with(gateway, TLS1_3_VERSION);
  CHECK(SSL_SESSION_get_max_early_data(first_visit(gateway, app).get()) == 0);
}

TEST_CASE("a leaf whose key is another's is refused", "[tls]") {
  const Gateway gateway;
  const auto context = ServerContext::create().value();
  auto odd = as_leaf(gateway.authority.leaf("weather.test"));
  odd.key = gateway.leaf.key;
  CHECK(context->new_session(odd, "", "phone", "weather.test").error().kind == Error::Kind::io);
}
