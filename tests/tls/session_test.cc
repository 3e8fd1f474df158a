#include "gateway/tls/session.h"

#include <catch2/catch.hpp>

#include "tests/tls/peers.h"

using namespace tollgate;
using namespace tollgate::tls;
using namespace tollgate::tls::test;
using State = ReadOutcome::State;

namespace {

// A session of ours towards an origin, in memory.
struct Connection {
  explicit Connection(int version = TLS1_3_VERSION)
      : origin(leaf),
        client(context->new_session(HostName::parse("origin.test").value(), 443, {}).value()),
        server(origin.versions(version, version).new_session()) {}

  Connection& established() {
    REQUIRE(shake_hands(client, server).done());
    listen(client);  // tickets
    REQUIRE(client.outgoing().empty());
    REQUIRE(server.outgoing().empty());
    return *this;
  }

  TestAuthority authority;
  Credentials leaf = authority.leaf("origin.test");
  std::unique_ptr<ClientContext> context = ClientContext::create(authority.trust()).value();
  Origin origin;
  Session client;
  Session server;
};

int both_versions() { return GENERATE(TLS1_2_VERSION, TLS1_3_VERSION); }

Bytes pattern(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i * 2654435761U >> 24U);
  return out;
}

}  // namespace

TEST_CASE("a session carries text both ways, in either version", "[tls]") {
  Connection c(both_versions());
  c.established();
  CHECK(c.client.version() == (SSL_version(c.server.ssl()) == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2"));
  CHECK_FALSE(c.client.resumed());
  REQUIRE(c.client.write(as_bytes("how is the weather?")));
  carry(c.client, c.server);
  CHECK(listen(c.server).text == "how is the weather?");
  REQUIRE(c.server.write(as_bytes("it rains")));
  carry(c.server, c.client);
  const auto heard = listen(c.client);
  CHECK(heard.text == "it rains");
  CHECK(heard.state == State::want_bytes);
}

TEST_CASE("a handshake goes on however its bytes are cut", "[tls]") {
  Connection c(both_versions());
  for (int flight = 0; flight < 5; ++flight) {
    for (auto* from : {&c.client, &c.server}) {
      auto* to = from == &c.client ? &c.server : &c.client;
      REQUIRE(from->handshake());
      for (const std::uint8_t byte : from->outgoing().take()) {
        to->receive({&byte, 1});
        REQUIRE(to->handshake());
      }
    }
  }
  CHECK(c.client.handshake_done());
  CHECK(c.server.handshake_done());
}

TEST_CASE("what was written before the handshake is an error, not a surprise", "[tls]") {
  Connection c;
  CHECK(c.client.write(as_bytes("too early")).error().kind == Error::Kind::io);
  c.client.shutdown();
  CHECK(c.client.outgoing().empty());
}

TEST_CASE("bulk arrives whole, whatever the sizes of its pieces", "[tls]") {
  Connection c(both_versions());
  c.established();
  const bool lent = GENERATE(false, true);
  const Bytes sent = pattern(10U << 20U);
  constexpr std::array<std::size_t, 6> writes = {1, 16384, 70001, 5, 16385, 262144};
  constexpr std::array<std::size_t, 5> segments = {1, 1460, 16389, 4, 65536};
  Bytes received;
  std::vector<std::uint8_t> buffer(30011);
  const auto drain = [&](auto read) {
    while (true) {
      const auto outcome = read();
      if (outcome.state != State::data) return outcome.state;
      received.insert(received.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(outcome.count));
    }
  };
  std::size_t turn = 0;
  for (std::size_t at = 0; at < sent.size();) {
    const auto size = std::min(writes[turn % writes.size()], sent.size() - at);
    REQUIRE(c.server.write(ByteView(sent).subspan(at, size)));
    at += size;
    while (!c.server.outgoing().empty()) {
      ByteView segment = c.server.outgoing().view();
      segment = segment.first(std::min(segments[turn++ % segments.size()], segment.size()));
      const auto taken = segment.size();
      State state{};
      if (lent) {
        state = drain([&] { return c.client.read_from(segment, buffer); });
      } else {
        c.client.receive(segment);
        state = drain([&] { return c.client.read(buffer); });
      }
      REQUIRE(state == State::want_bytes);
      c.server.outgoing().consume(taken);
    }
  }
  CHECK(received == sent);
}

TEST_CASE("bulk leaves in records of 16 KiB", "[tls]") {
  Connection c(both_versions());
  c.established();
  REQUIRE(c.client.write(pattern(100000)));
  std::vector<std::size_t> sizes;
  ByteCursor records(c.client.outgoing().view());
  while (records.take(3)) sizes.push_back(records.vector16().value().size());
  REQUIRE(sizes.size() == 7);
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(sizes[i] > 16384);
    CHECK(sizes[i] <= 16384 + 24);
  }
}

TEST_CASE("a reader that stops early keeps what it did not take", "[tls]") {
  Connection c;
  c.established();
  REQUIRE(c.server.write(as_bytes("first record")));
  REQUIRE(c.server.write(as_bytes("second record")));
  const Bytes wire = c.server.outgoing().take();
  ByteView ciphertext = wire;
  std::array<std::uint8_t, 5> small{};
  REQUIRE(c.client.read_from(ciphertext, small).count == 5);
  CHECK(as_text(small) == "first");
  CHECK(ciphertext.size() == (wire.size() + 1) / 2);  // the second record, one byte the longer
  CHECK(c.client.unread() == 7);
  c.client.receive(ciphertext);
  CHECK(c.client.unread() == 7 + ciphertext.size());
  CHECK(listen(c.client).text == " recordsecond record");
  CHECK(c.client.unread() == 0);
}

TEST_CASE("close_notify ends one direction and leaves the other", "[tls]") {
  Connection c(both_versions());
  c.established();
  REQUIRE(c.client.write(as_bytes("last words")));
  c.client.shutdown();
  c.client.shutdown();
  carry(c.client, c.server);
  const auto heard = listen(c.server);
  CHECK(heard.text == "last words");
  CHECK(heard.state == State::close_notify);
  CHECK(c.client.write(as_bytes("one more thing")).error().kind == Error::Kind::io);
  CHECK(c.client.outgoing().empty());

  REQUIRE(c.server.write(as_bytes("a long answer")));
  c.server.shutdown();
  carry(c.server, c.client);
  c.client.receive_end();
  const auto answer = listen(c.client);
  CHECK(answer.text == "a long answer");
  CHECK(answer.state == State::close_notify);
  CHECK(c.client.failure() == nullptr);
  c.client.receive(as_bytes("whatever comes behind it"));
  CHECK(c.client.unread() == 0);
}

TEST_CASE("an end without close_notify is told apart, and writing goes on", "[tls]") {
  Connection c(both_versions());
  c.established();
  REQUIRE(c.server.write(as_bytes("half of")));
  carry(c.server, c.client);
  if (GENERATE(false, true)) {  // in the middle of a record, too
    REQUIRE(c.server.write(as_bytes(" an answer")));
    c.client.receive(c.server.outgoing().view().first(c.server.outgoing().size() - 1));
  }
  c.client.receive_end();
  const auto heard = listen(c.client);
  CHECK(heard.text == "half of");
  CHECK(heard.state == State::truncated);
  CHECK(c.client.failure() == nullptr);
  REQUIRE(c.client.write(as_bytes("still here")));
  carry(c.client, c.server);
  CHECK(listen(c.server).text == "still here");
}

TEST_CASE("an end in the handshake is a failure that says whose it was", "[tls]") {
  Connection c;
  REQUIRE(*c.client.handshake() == Progress::want_bytes);
  c.client.receive_end();
  const auto ended = c.client.handshake();
  REQUIRE_FALSE(ended);
  CHECK(ended.error().kind == Error::Kind::io);
  CHECK(c.client.failure()->cause == Failure::Cause::truncated);
  CHECK(c.client.failure()->what == "the server closed the connection before the TLS handshake was done");
  CHECK_FALSE(c.client.handshake());
}

TEST_CASE("garbage in a record fails the session after what came before it, and alerts the peer", "[tls]") {
  Connection c(both_versions());
  c.established();
  REQUIRE(c.server.write(as_bytes("good")));
  carry(c.server, c.client);
  REQUIRE(c.server.write(as_bytes("bad")));
  Bytes record = c.server.outgoing().take();
  record.back() ^= 1U;
  c.client.receive(record);
  const auto heard = listen(c.client);
  CHECK(heard.text == "good");
  CHECK(heard.state == State::failed);
  REQUIRE(c.client.failure() != nullptr);
  CHECK(c.client.failure()->cause == Failure::Cause::protocol);
  CHECK(c.client.failure()->what == "the server's TLS cannot be used: decryption failed or bad record mac");
  CHECK(c.client.write(as_bytes("no use")).error().kind == Error::Kind::io);

  carry(c.client, c.server);
  CHECK(listen(c.server).state == State::failed);
  CHECK(c.server.failure()->cause == Failure::Cause::peer_alert);
  CHECK(c.server.failure()->alert == SSL_AD_BAD_RECORD_MAC);
  CHECK(c.server.failure()->what == "the app gave up: it sent the alert \"bad record mac\" (20)");
}

TEST_CASE("an oversize record is alerted from its header alone", "[tls]") {
  Connection c(both_versions());
  c.established();
  c.client.receive(Bytes{23, 3, 3, 0x48, 0x01});
  CHECK(listen(c.client).state == State::failed);
  CHECK(c.client.failure()->cause == Failure::Cause::protocol);
  carry(c.client, c.server);
  CHECK(listen(c.server).state == State::failed);
  CHECK(c.server.failure()->alert == SSL_AD_RECORD_OVERFLOW);
}

TEST_CASE("a peer that speaks no TLS fails the handshake at once", "[tls]") {
  Connection c;
  c.client.receive(as_bytes("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const auto handshake = c.client.handshake();
  REQUIRE_FALSE(handshake);
  CHECK(handshake.error().kind == Error::Kind::malformed);
  CHECK(c.client.failure()->cause == Failure::Cause::protocol);
  CHECK(c.client.failure()->what.starts_with("the server's TLS cannot be used: "));
}

TEST_CASE("an app that does not trust the leaf says so by its alert", "[tls]") {
  const TestAuthority authority;
  const TestAuthority other;
  const auto context = ServerContext::create().value();
  const auto leaf = as_leaf(authority.leaf("weather.test"));
  const App app(other.trust()->store());
  SSL_CTX_set_max_proto_version(app.context.get(), both_versions());
  Session phone(app.new_session("weather.test"));
  Session server(context->new_session(leaf, "", "phone", "weather.test").value());
  const auto handshake = shake_hands(phone, server);
  REQUIRE_FALSE(handshake.server);
  CHECK(handshake.server.error().kind == Error::Kind::refused);
  CHECK(server.failure()->cause == Failure::Cause::peer_alert);
  CHECK(server.failure()->alert == SSL_AD_UNKNOWN_CA);
  CHECK(server.failure()->what ==
        "the app does not trust the certificate it was shown: it sent the alert \"unknown CA\" (48)");
}

TEST_CASE("an origin that asks for a certificate suspends the handshake", "[tls]") {
  Connection c(both_versions());
  SSL_set_verify(c.server.ssl(), SSL_VERIFY_PEER, nullptr);
  const auto handshake = shake_hands(c.client, c.server);
  REQUIRE(handshake.client);
  CHECK(*handshake.client == Progress::wants_client_certificate);
  CHECK_FALSE(c.client.handshake_done());
  CHECK(c.client.failure() == nullptr);
}

namespace {
// Counts the KeyUpdate messages that a side receives.
void count_key_updates(int sent, int /*version*/, int type, const void* message, std::size_t size, SSL* /*ssl*/,
                       void* count) {
  if (sent == 0 && type == SSL3_RT_HANDSHAKE && size > 0 &&
      *static_cast<const std::uint8_t*>(message) == SSL3_MT_KEY_UPDATE) {
    ++*static_cast<int*>(count);
  }
}
}  // namespace

TEST_CASE("keys are updated under way, and the answer goes before the next data", "[tls]") {
  Connection c;
  c.established();
  int answers = 0;
  SSL_set_msg_callback(c.server.ssl(), count_key_updates);
  SSL_set_msg_callback_arg(c.server.ssl(), &answers);
  for (int round = 1; round <= 3; ++round) {
    REQUIRE(SSL_key_update(c.server.ssl(), SSL_KEY_UPDATE_REQUESTED) == 1);
    REQUIRE(c.server.write(as_bytes("new keys")));
    carry(c.server, c.client);
    CHECK(listen(c.client).text == "new keys");
    REQUIRE(c.client.write(as_bytes("mine too")));
    carry(c.client, c.server);
    CHECK(listen(c.server).text == "mine too");
    CHECK(answers == round);
  }
}

TEST_CASE("an app's renegotiation is refused and harms nothing", "[tls]") {
  const TestAuthority authority;
  const auto context = ServerContext::create().value();
  const auto leaf = as_leaf(authority.leaf("weather.test"));
  const App app;
  SSL_CTX_set_max_proto_version(app.context.get(), TLS1_2_VERSION);
  Session phone(app.new_session("weather.test"));
  Session server(context->new_session(leaf, "", "phone", "weather.test").value());
  REQUIRE(shake_hands(phone, server).done());
  REQUIRE(SSL_renegotiate(phone.ssl()) == 1);
  SSL_do_handshake(phone.ssl());
  REQUIRE_FALSE(phone.outgoing().empty());
  carry(phone, server);
  CHECK(listen(server).state == State::want_bytes);
  CHECK(server.failure() == nullptr);
  CHECK(SSL_in_init(server.ssl()) == 0);
  CHECK(server.outgoing().size() < 64);  // an alert and no ServerHello
  REQUIRE(server.write(as_bytes("as before")));
}

TEST_CASE("an origin's renegotiation is refused and harms nothing", "[tls]") {
  Connection c(TLS1_2_VERSION);
  c.established();
  REQUIRE(SSL_renegotiate(c.server.ssl()) == 1);
  SSL_do_handshake(c.server.ssl());
  REQUIRE_FALSE(c.server.outgoing().empty());
  carry(c.server, c.client);
  CHECK(listen(c.client).state == State::want_bytes);
  CHECK(c.client.failure() == nullptr);
  CHECK(c.client.outgoing().size() < 64);
  REQUIRE(c.client.write(as_bytes("as before")));
}
