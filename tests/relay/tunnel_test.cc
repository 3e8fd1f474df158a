#include "gateway/relay/tunnel.h"

#include <catch2/catch.hpp>

#include "gateway/relay/h2_relay.h"
#include "tests/http/h2_frames.h"
#include "tests/relay/relay_testing.h"

using namespace tollgate;
using namespace tollgate::relay;
using namespace tollgate::relay::test;

// --- Tunnel

namespace {

void relay_untouched(World& world) {
  world.relay([](RelayContext context, Endpoint& client, Endpoint& origin) {
    return std::make_unique<Tunnel>(context, client, origin);
  });
}

}  // namespace

TEST_CASE("a tunnel carries bytes both ways, whoever speaks first", "[relay]") {
  World world;
  relay_untouched(world);
  world.origins[0].send("220 mx.test ESMTP\r\n");
  CHECK(world.client.read_until("\r\n") == "220 mx.test ESMTP\r\n");
  world.client.send(std::string("EHLO\0\xff\r\n", 8));
  CHECK(world.origins[0].read(8) == std::string("EHLO\0\xff\r\n", 8));
}

TEST_CASE("a tunnel passes a half-close on and still carries the other direction", "[relay]") {
  World world;
  relay_untouched(world);
  world.client.send("last words");
  world.client.half_close();
  CHECK(world.origins[0].read_all() == "last words");
  CHECK(world.origins[0].end() == End::fin);
  CHECK_FALSE(world.over());
  world.origins[0].send("answer");
  world.origins[0].close();
  CHECK(world.client.read_all() == "answer");
  CHECK(world.client.end() == End::fin);
  CHECK(world.over());
}

TEST_CASE("a tunnel passes a reset on as a reset, from either side", "[relay]") {
  World world;
  relay_untouched(world);
  SECTION("the client's") {
    world.client.reset();
    CHECK(world.origins[0].end() == End::reset);
  }
  SECTION("the origin's") {
    world.origins[0].reset();
    CHECK(world.client.end() == End::reset);
  }
}

TEST_CASE("a tunnel whose one side does not read stops the other, within a bound", "[relay]") {
  constexpr int buffers = 32 * 1024;
  World world(buffers);
  relay_untouched(world);
  const std::string block(16 * 1024, 'x');
  const bool up = GENERATE(true, false);
  CAPTURE(up);
  Peer& from = up ? world.client : world.origins[0];
  Peer& to = up ? world.origins[0] : world.client;
  std::size_t sent = 0;
  for (int full = 0; full < 4 && sent < 8 * mebibyte;) {
    const std::size_t taken = from.send_what_fits(block);
    sent += taken;
    full = taken == 0 ? full + 1 : 0;
    if (taken == 0) world.settle();
  }
  CHECK(sent < net::stream_high_mark + 64 * kibibyte + 4 * 2 * buffers);
  from.half_close();
  CHECK(to.read_all().size() == sent);
}

// --- a connection closed from inside every callback there is

namespace {

enum class Callback : std::uint8_t { plaintext, ended, reset, drained, finished };

// Retires its endpoint in one of the callbacks and counts what comes after that.
class Leaver final : public EndpointHandler {
 public:
  Leaver(net::Loop& loop, Descriptor socket, Callback when)
      : loop_(loop), when_(when), endpoint(std::make_unique<Endpoint>(loop, std::move(socket), *this)) {
    endpoint->start();
  }
  std::size_t on_plaintext(Endpoint&, ByteView bytes) override { return heard(Callback::plaintext), bytes.size(); }
  void on_ended(Endpoint&, EndKind how) override { heard(how == EndKind::reset ? Callback::reset : Callback::ended); }
  void on_drained(Endpoint&) override { heard(Callback::drained); }
  void on_finished(Endpoint&) override { heard(Callback::finished); }
  void on_handshake(Endpoint&, Result<tls::Progress>) override {}

 private:
  void heard(Callback what) {
    if (!endpoint) ++after_leaving;
    if (endpoint && what == when_) loop_.retire(std::move(endpoint));
  }
  net::Loop& loop_;
  const Callback when_;

 public:
  int after_leaving = 0;
  std::unique_ptr<Endpoint> endpoint;
};

}  // namespace

TEST_CASE("an endpoint may be retired from inside each of its callbacks", "[relay]") {
  const auto when =
      GENERATE(Callback::plaintext, Callback::ended, Callback::reset, Callback::drained, Callback::finished);
  CAPTURE(static_cast<int>(when));
  net::test::RunningLoop running;
  TcpPair pair = tcp_pair(32 * 1024);
  Peer peer(std::move(pair.far));
  std::unique_ptr<Leaver> leaver =
      running.run([&] { return std::make_unique<Leaver>(running.loop(), std::move(pair.near), when); });
  const std::string much(net::stream_high_mark * 2, 'x');
  switch (when) {
    case Callback::plaintext: peer.send("hello"); break;
    case Callback::ended: peer.half_close(); break;
    case Callback::reset: peer.reset(); break;
    case Callback::drained:
    case Callback::finished:
      running.run([&] {
        leaver->endpoint->write(much);
        leaver->endpoint->finish(EndKind::clean);
      });
      break;
  }
  // Its end closes the socket, which a peer that is still there sees.
  if (when != Callback::reset) (void)peer.read_all();
  running.settle();
  CHECK(running.run([&] { return leaver->endpoint == nullptr; }));
  CHECK(running.run([&] { return leaver->after_leaving; }) == 0);
  running.stop();
}

// --- HTTP/2

namespace {

namespace h2 = tollgate::http::test;

std::string wire(const Bytes& bytes) { return std::string(as_text(bytes)); }

// Reads until a frame of this type has come, and says all that came.
std::vector<h2::Frame> read_frames_until(Peer& peer, h2::FrameType type, std::uint8_t flags = 0) {
  std::vector<h2::Frame> frames;
  while (true) {
    const std::string header = peer.read(9);
    const std::size_t length = ByteCursor(as_bytes(header)).u24().value();
    const std::string whole = header + peer.read(length);
    frames.push_back(h2::frames_in(as_bytes(whole)).at(0));
    if (frames.back().type == type && (flags == 0 || frames.back().has(flags))) return frames;
  }
}

struct H2World : World {
  H2World() {
    relay([](RelayContext context, Endpoint& near_client, Endpoint& near_origin) {
      return std::make_unique<H2Relay>(context, near_client, near_origin, "https",
                                       Authority::parse("origin.test", 443).value());
    });
    client.send(wire(h2::preface()));
    CHECK(origin().read(24) == wire(h2::preface_magic()));
    origin().send(wire(h2::settings()) + wire(h2::settings_ack()));
  }
  Peer& origin() { return origins[0]; }
};

Bytes response_head(std::uint32_t stream, std::uint8_t flags) {
  return h2::headers(stream, h2::block({{":status", "200"}}), flags);
}

}  // namespace

TEST_CASE("a stream is a stream on the other side: head, content and trailers", "[relay]") {
  H2World world;
  world.client.send(wire(h2::headers(5, h2::request_block("POST"), h2::end_headers)) +
                    wire(h2::data(5, "up", h2::end_stream)));
  const auto up = read_frames_until(world.origin(), h2::FrameType::data, h2::end_stream);
  const auto up_heads = h2::of_type(up, h2::FrameType::headers);
  REQUIRE(up_heads.size() == 1);
  const std::uint32_t stream = up_heads[0].stream;
  CHECK(up_heads[0].has(h2::end_headers));
  std::string content;
  for (const auto& frame : h2::of_type(up, h2::FrameType::data)) content += as_text(frame.payload);
  CHECK(content == "up");

  world.origin().send(wire(response_head(stream, h2::end_headers)) + wire(h2::data(stream, "down")) +
                      wire(h2::headers(stream, h2::block({{"grpc-status", "0"}}))));
  const auto down = read_frames_until(world.client, h2::FrameType::headers, h2::end_stream);
  CHECK(h2::of_type(down, h2::FrameType::headers).size() == 2);
  REQUIRE(h2::of_type(down, h2::FrameType::data).size() == 1);
  CHECK(as_text(h2::of_type(down, h2::FrameType::data)[0].payload) == "down");
  CHECK(down.back().stream == 5);
  REQUIRE(world.exchanges().size() == 1);
  const proto::Exchange exchange = world.exchanges()[0];
  CHECK(exchange.state() == "complete");
  CHECK(exchange.http() == "2");
  CHECK(exchange.status() == 200);
  CHECK(exchange.request_bytes() == 2);
  CHECK(exchange.response_bytes() == 4);
  CHECK(exchange.host() == "origin.test");
}

TEST_CASE("the code of a reset stream reaches the other side, and the connection goes on", "[relay]") {
  H2World world;
  world.client.send(wire(h2::get(1)));
  const auto stream = read_frames_until(world.origin(), h2::FrameType::headers).back().stream;
  SECTION("from the origin") {
    world.origin().send(wire(h2::rst_stream(stream, h2::Code::enhance_your_calm)));
    const auto reset = read_frames_until(world.client, h2::FrameType::rst_stream).back();
    CHECK(reset.stream == 1);
    CHECK(reset.code() == h2::Code::enhance_your_calm);
    CHECK(world.exchanges().at(0).state() == "reset");
  }
  SECTION("from the client") {
    world.client.send(wire(h2::rst_stream(1, h2::Code::cancel)));
    const auto reset = read_frames_until(world.origin(), h2::FrameType::rst_stream).back();
    CHECK(reset.stream == stream);
    CHECK(reset.code() == h2::Code::cancel);
    CHECK(world.exchanges().at(0).state() == "interrupted");
  }
  CHECK(world.exchanges().size() == 1);
  world.client.send(wire(h2::get(3)));
  const auto next = read_frames_until(world.origin(), h2::FrameType::headers).back().stream;
  world.origin().send(wire(response_head(next, h2::end_headers | h2::end_stream)));
  CHECK(read_frames_until(world.client, h2::FrameType::headers).back().stream == 3);
  CHECK(world.exchanges().at(1).state() == "complete");
}

TEST_CASE("CONNECT inside HTTP/2 is answered 501 and never reaches the origin", "[relay]") {
  H2World world;
  world.client.send(wire(h2::headers(1, h2::block({{":method", "CONNECT"}, {":authority", "b.test:443"}}))));
  const auto answer = read_frames_until(world.client, h2::FrameType::headers).back();
  CHECK(answer.stream == 1);
  REQUIRE(world.exchanges().size() == 1);
  CHECK(world.exchanges()[0].state() == "refused");
  CHECK(world.exchanges()[0].status() == 501);
  world.settle();
  CHECK(h2::of_type(h2::frames_in(as_bytes(world.origin().read_arrived())), h2::FrameType::headers).empty());
}

TEST_CASE("an origin that goes in the middle of a stream leaves a truncated record and an ended connection",
          "[relay]") {
  H2World world;
  world.client.send(wire(h2::get(1)));
  const auto stream = read_frames_until(world.origin(), h2::FrameType::headers).back().stream;
  world.origin().send(wire(response_head(stream, h2::end_headers)) + wire(h2::data(stream, "part")));
  read_frames_until(world.client, h2::FrameType::data);
  const bool reset = GENERATE(true, false);
  CAPTURE(reset);
  if (reset) {
    world.origin().reset();
  } else {
    world.origin().close();
  }
  CHECK(world.client.end() == (reset ? End::reset : End::fin));
  REQUIRE(world.exchanges().size() == 1);
  CHECK(world.exchanges()[0].state() == (reset ? "reset" : "truncated"));
  CHECK(world.exchanges()[0].response_bytes() == 4);
}

TEST_CASE("a client that breaks HTTP/2 is told so by GOAWAY and its streams are recorded", "[relay]") {
  H2World world;
  world.client.send(wire(h2::get(1)));
  read_frames_until(world.origin(), h2::FrameType::headers);
  world.client.send(wire(h2::data(0, "on no stream")));
  const auto goaway = read_frames_until(world.client, h2::FrameType::goaway).back();
  CHECK(goaway.code() == h2::Code::protocol_error);
  CHECK(world.client.end() == End::fin);
  CHECK(world.exchanges().at(0).state() == "interrupted");
  CHECK(world.count(Counter::requests_malformed) == 1);
}
