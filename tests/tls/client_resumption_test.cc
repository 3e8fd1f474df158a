#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "gateway/tls/contexts.h"
#include "tests/tls/peers.h"

using namespace tollgate;
using namespace tollgate::tls;
using namespace tollgate::tls::test;

namespace {

std::atomic<std::int64_t> fake_micros{0};
WallTime fake_now() { return from_micros(fake_micros); }

int both_versions() { return GENERATE(TLS1_2_VERSION, TLS1_3_VERSION); }

// An origin and a context that may have met.
struct Acquaintance {
  explicit Acquaintance(int version, long leaf_seconds = 7L * 24 * 3600)
      : leaf(issue(&authority.root(), {"origin.test", leaf_seconds}, p256_key())), origin(leaf) {
    fake_micros = to_micros(wall_now());
    origin.versions(version, version);
    SSL_CTX_set_timeout(origin.context.get(), 7L * 24 * 3600);
  }
  // Whether a connection is resumed. Tickets are given when it is done.
  bool meet(std::uint16_t port = 443, const std::vector<std::string>& alpn = {"h2"}) const {
    Session client(context->new_session(HostName::parse("origin.test").value(), port, alpn).value());
    Session server(origin.new_session());
    REQUIRE(shake_hands(client, server).done());
    listen(client);
    CHECK(client.resumed() == server.resumed());
    return client.resumed();
  }
  static void pass(Seconds time) { fake_micros += Micros(time).count(); }

  TestAuthority authority;
  Credentials leaf;
  Origin origin;
  std::unique_ptr<ClientContext> context = ClientContext::create(authority.trust(), fake_now).value();
};

constexpr Seconds hour{3600};

}  // namespace

TEST_CASE("an origin that was met is resumed, again and again", "[tls]") {
  const Acquaintance origin(both_versions());
  CHECK_FALSE(origin.meet());
  for (int i = 0; i < 5; ++i) CHECK(origin.meet());
}

TEST_CASE("what differs in port or protocols does not share sessions", "[tls]") {
  const Acquaintance origin(both_versions());
  CHECK_FALSE(origin.meet());
  CHECK_FALSE(origin.meet(8443));
  CHECK_FALSE(origin.meet(443, {"http/1.1"}));
  CHECK_FALSE(origin.meet(443, {}));
  CHECK(origin.meet());
}

TEST_CASE("two names of one origin do not share sessions", "[tls]") {
  const TestAuthority authority;
  const auto leaf = authority.leaf("*.origin.test");
  Origin origin(leaf);
  origin.versions(TLS1_2_VERSION, both_versions());
  const auto context = ClientContext::create(authority.trust()).value();
  for (const auto* const name : {"a.origin.test", "b.origin.test"}) {
    Session client(context->new_session(HostName::parse(name).value(), 443, {}).value());
    Session server(origin.new_session());
    REQUIRE(shake_hands(client, server).done());
    listen(client);
    CHECK_FALSE(client.resumed());
  }
}

TEST_CASE("a session is offered by one connection at a time", "[tls]") {
  Acquaintance origin(both_versions());
  SSL_CTX_set_num_tickets(origin.origin.context.get(), 1);
  CHECK_FALSE(origin.meet());
  const Host name = HostName::parse("origin.test").value();
  const auto first = origin.context->new_session(name, 443, {"h2"}).value();
  const auto second = origin.context->new_session(name, 443, {"h2"}).value();
  CHECK(SSL_SESSION_is_resumable(SSL_get0_session(first.get())) == 1);
  CHECK(SSL_get0_session(second.get()) == nullptr);
}

TEST_CASE("a verification is leaned on for a day, however often it was resumed", "[tls]") {
  const Acquaintance origin(both_versions());
  CHECK_FALSE(origin.meet());
  Acquaintance::pass(20 * hour);
  CHECK(origin.meet());
  Acquaintance::pass(3 * hour);
  CHECK(origin.meet());
  Acquaintance::pass(2 * hour);
  CHECK_FALSE(origin.meet());
  CHECK(origin.meet());
}

TEST_CASE("a session does not outlive its origin's certificate", "[tls]") {
  const Acquaintance origin(both_versions(), 2L * 3600);
  CHECK_FALSE(origin.meet());
  Acquaintance::pass(hour);
  CHECK(origin.meet());
  Acquaintance::pass(hour);
  CHECK_FALSE(origin.meet());
}

TEST_CASE("a session does not outlive its ticket", "[tls]") {
  const int version = both_versions();
  const Acquaintance origin(version);
  SSL_CTX_set_timeout(origin.origin.context.get(), 600);
  CHECK_FALSE(origin.meet());
  Acquaintance::pass(Seconds(599));
  CHECK(origin.meet());
  Acquaintance::pass(Seconds(1));
  // TLS 1.3 gave a new ticket with the resumption; in TLS 1.2 the old one came back, and has ended now.
  CHECK(origin.meet() == (version == TLS1_3_VERSION));
  Acquaintance::pass(Seconds(600));
  CHECK_FALSE(origin.meet());
}

TEST_CASE("an origin that forgot us gets a full handshake, which counts anew", "[tls]") {
  const int version = both_versions();
  const Acquaintance origin(version);
  CHECK_FALSE(origin.meet());
  Acquaintance::pass(23 * hour);
  std::array<std::uint8_t, 80> keys{};
  SSL_CTX_set_tlsext_ticket_keys(origin.origin.context.get(), keys.data(), static_cast<long>(keys.size()));
  SSL_CTX_flush_sessions(origin.origin.context.get(), 0);
  CHECK_FALSE(origin.meet());
  Acquaintance::pass(20 * hour);  // 43 h after the first, 20 h after the second
  CHECK(origin.meet());
}

TEST_CASE("threads share a context", "[tls]") {
  const Acquaintance origin(both_versions());
  std::atomic<int> resumed = 0;
  std::atomic<int> done = 0;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int visit = 0; visit < 20; ++visit) {
        Session client(origin.context->new_session(HostName::parse("origin.test").value(), 443, {}).value());
        Session server(origin.origin.new_session());
        if (shake_hands(client, server).done()) ++done;
        listen(client);
        if (client.resumed()) ++resumed;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(done == 80);
  CHECK(resumed >= 40);  // all but those that raced for the first tickets
}
