// Windows, back-pressure, and the end of a connection.
#include <catch2/catch.hpp>

#include "tests/http/h2_recorder.h"

namespace tollgate::http::test {

using Events = std::vector<std::string>;

namespace {

// A server session that a test feeds with frames, and whose requests are open.
struct Fed {
  Recorder recorder;
  H2Session session;
  explicit Fed(const H2Limits& limits = {}) : session(H2Session::Role::server, recorder, limits) {
    REQUIRE(session.receive(preface()));
    written(session);
  }
  Status feed(const Bytes& bytes) { return session.receive(bytes); }
  std::uint32_t window_given(std::uint32_t stream) {
    std::uint32_t sum = 0;
    for (const Frame& one : of_type(frames_of(session), FrameType::window_update)) {
      if (one.stream == stream) sum += one.first_u32();
    }
    return sum;
  }
};

const Bytes full_frame = frame(FrameType::data, 0, 1, Bytes(16384, 'x'));

}  // namespace

TEST_CASE("RFC 9113 5.2: window is given back when content is consumed, not before", "[h2]") {
  Fed fed;
  REQUIRE(fed.feed(post(1) + times(16, full_frame)));
  CHECK(fed.recorder.received == 256 * 1024);
  CHECK(fed.window_given(1) == 0);
  fed.session.consume(1, 200 * 1024);
  CHECK(fed.window_given(1) == 200 * 1024);
  fed.session.consume(1, 1000 * 1024);  // no more than there was
  CHECK(fed.window_given(1) == 0);      // 56 KiB are less than half a window: they wait for company
  REQUIRE(fed.feed(times(8, full_frame)));
  fed.session.consume(1, 128 * 1024);
  CHECK(fed.window_given(1) == 184 * 1024);
}

TEST_CASE("RFC 9113 6.9: content of a stream that is reset is given back to the connection", "[h2]") {
  const bool by_peer = GENERATE(true, false);
  Fed fed;
  std::uint32_t given = 0;
  // Ten times the connection's window, none of it consumed by the visitor.
  for (std::uint32_t stream = 1; stream < 81; stream += 2) {
    Bytes bytes = post(stream) + times(16, frame(FrameType::data, 0, stream, Bytes(16384, 'x')));
    if (by_peer) bytes = bytes + rst_stream(stream, Code::cancel);
    REQUIRE(fed.feed(bytes));
    if (!by_peer) fed.session.reset(static_cast<StreamId>(stream), 8);
    given += fed.window_given(0);
  }
  CHECK(fed.session.streams() == 0);
  CHECK(fed.recorder.received == std::size_t{40} * 256 * 1024);
  CHECK(given >= 40U * 256 * 1024 - 1024 * 1024);
}

TEST_CASE("RFC 9113 6.9: content that arrives after our reset is given back to the connection", "[h2]") {
  Fed fed;
  std::uint32_t given = 0;
  for (std::uint32_t stream = 1; stream < 81; stream += 2) {
    REQUIRE(fed.feed(post(stream)));
    fed.session.reset(static_cast<StreamId>(stream), 8);
    if (stream % 4 == 1) given += fed.window_given(0);  // with the RST_STREAM written, and without
    REQUIRE(fed.feed(times(16, frame(FrameType::data, 0, stream, Bytes(16384, 'x')))));
    given += fed.window_given(0);
  }
  CHECK(fed.recorder.received == 0);
  CHECK(given >= 40U * 256 * 1024 - 1024 * 1024);
}

TEST_CASE("a reset from inside on_data leaks no window", "[h2]") {
  Fed fed;
  fed.recorder.data = [&](StreamId stream, ByteView) { fed.session.reset(stream, 8); };
  std::uint32_t given = 0;
  for (std::uint32_t stream = 1; stream < 81; stream += 2) {
    REQUIRE(fed.feed(post(stream) + times(16, frame(FrameType::data, 0, stream, Bytes(16384, 'x')))));
    given += fed.window_given(0);
  }
  CHECK(given >= 40U * 256 * 1024 - 1024 * 1024);
}

TEST_CASE("RFC 9113 5.2: a reader that stalls stalls its own stream, and no other", "[h2]") {
  Pair pair;
  const auto slow = pair.client.submit_request(request_head("GET", "/slow"), EndStream::yes);
  const auto quick = pair.client.submit_request(request_head("GET", "/quick"), EndStream::yes);
  REQUIRE(pair.converse());
  std::size_t quick_received = 0;
  pair.at_client.data = [&](StreamId stream, ByteView data) {
    if (stream != *quick) return;
    quick_received += data.size();
    pair.client.consume(stream, data.size());
  };
  constexpr std::size_t size = 4 * 1024 * 1024;
  for (const StreamId stream : {*slow, *quick}) {
    pair.server.submit_response(stream, response_head(), EndStream::no);
    pair.server.send_data(stream, Bytes(size, 'x'), EndStream::yes);
  }
  REQUIRE(pair.converse());
  CHECK(quick_received == size);
  CHECK(pair.at_client.of(*quick).back() == "closed NO_ERROR");
  const std::size_t slow_received = pair.at_client.received - quick_received;
  CHECK(slow_received == 256 * 1024);  // its window and no more
  CHECK(pair.server.queued(*slow) == size - slow_received);

  pair.at_client.data = [&](StreamId stream, ByteView data) { pair.client.consume(stream, data.size()); };
  pair.client.consume(*slow, slow_received);
  REQUIRE(pair.converse());
  CHECK(pair.at_client.received == 2 * size);
  CHECK(pair.server.queued(*slow) == 0);
}

TEST_CASE("what is written stops at the high mark, and goes on from there", "[h2]") {
  Pair pair;
  const auto stream = pair.client.submit_request(request_head(), EndStream::yes);
  REQUIRE(pair.converse());
  pair.server.submit_response(*stream, response_head(), EndStream::no);
  pair.server.send_data(*stream, Bytes(200 * 1024, 'x'), EndStream::yes);
  constexpr std::size_t mark = 20000;
  constexpr std::size_t one_frame = 16384 + 9;
  std::size_t turns = 0;
  while (pair.server.wants_write()) {
    REQUIRE(++turns < 100);
    const Bytes bytes = written(pair.server, mark);
    REQUIRE(bytes.size() < mark + one_frame);
    REQUIRE(pair.client.receive(bytes));
    pair.client.consume(*stream, pair.at_client.received);
    REQUIRE(pair.server.receive(written(pair.client)));
  }
  CHECK(turns >= 200 * 1024 / (mark + one_frame));
  CHECK(pair.at_server.drained[*stream] == 200 * 1024);
  CHECK(pair.at_client.of(*stream).back() == "closed NO_ERROR");
  ByteQueue full;
  full.append(Bytes(mark, 'x'));
  pair.server.ping();
  pair.server.write_to(full, mark);
  CHECK(full.size() == mark);
}

TEST_CASE("RFC 9113 6.8: a server that goes away finishes its streams, and takes those under way", "[h2]") {
  Pair pair;
  const auto first = pair.client.submit_request(request_head(), EndStream::yes);
  REQUIRE(pair.converse());
  pair.server.go_away(0);
  pair.server.go_away(0);  // once is enough
  const Bytes notice = written(pair.server);
  const auto second = pair.client.submit_request(request_head(), EndStream::yes);  // crosses with the notice
  REQUIRE(second);
  REQUIRE(pair.server.receive(written(pair.client)));
  REQUIRE(pair.client.receive(notice));
  REQUIRE(pair.converse());
  CHECK(pair.at_client.of(0) == Events{"goaway 2147483647 NO_ERROR", "goaway 3 NO_ERROR"});
  const auto third = pair.client.submit_request(request_head(), EndStream::yes);
  REQUIRE_FALSE(third);
  CHECK(third.error().kind == Error::Kind::refused);
  for (const StreamId stream : {*first, *second}) {
    CHECK(pair.server.alive());
    CHECK(pair.client.alive());
    pair.server.submit_response(stream, response_head(), EndStream::yes);
    REQUIRE(pair.converse());
    CHECK(pair.at_client.of(stream).back() == "closed NO_ERROR");
  }
  CHECK_FALSE(pair.server.alive());
  CHECK_FALSE(pair.client.alive());
}

TEST_CASE("RFC 9113 6.8: streams that a GOAWAY leaves out may be retried", "[h2]") {
  Recorder recorder;
  H2Session client(H2Session::Role::client, recorder, {});
  REQUIRE(client.receive(settings() + settings_ack()));
  for (int i = 0; i < 3; ++i) REQUIRE(client.submit_request(request_head(), EndStream::yes));
  written(client);
  const auto unsent = client.submit_request(request_head(), EndStream::yes);
  REQUIRE(client.receive(goaway(3, Code::no_error, "bye")));
  CHECK(recorder.of(0).back() == "goaway 3 NO_ERROR bye");
  CHECK(recorder.of(5) == Events{"closed REFUSED_STREAM by peer"});
  written(client);
  CHECK(recorder.of(*unsent) == Events{"closed REFUSED_STREAM by peer"});
  CHECK(client.streams() == 2);
  REQUIRE(client.receive(headers(1, Bytes{0x88}) + headers(3, Bytes{0x88})));
  CHECK(recorder.of(3) == Events{"response 200 end", "end", "closed NO_ERROR"});
  CHECK_FALSE(client.alive());
}

TEST_CASE("RFC 9113 6.8: going away with an error ends the connection with that frame", "[h2]") {
  Pair pair;
  REQUIRE(pair.client.submit_request(request_head(), EndStream::yes));
  REQUIRE(pair.converse());
  pair.server.go_away(11);
  const auto frames = frames_of(pair.server);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].code() == Code::enhance_your_calm);
  CHECK_FALSE(pair.server.alive());
}

TEST_CASE("RFC 9113 6.8: a client that goes away opens no more, and finishes what it has", "[h2]") {
  Pair pair;
  const auto stream = pair.client.submit_request(request_head(), EndStream::yes);
  REQUIRE(pair.converse());
  pair.client.go_away(0);
  REQUIRE(pair.converse());
  CHECK_FALSE(pair.client.submit_request(request_head(), EndStream::yes));
  pair.server.submit_response(*stream, response_head(), EndStream::yes);
  REQUIRE(pair.converse());
  CHECK(pair.at_client.of(*stream).back() == "closed NO_ERROR");
  CHECK_FALSE(pair.client.alive());
}

TEST_CASE("RFC 9113 6.7: a PING is answered with its own octets", "[h2]") {
  Fed fed;
  REQUIRE(fed.feed(ping("abcdefgh")));
  const auto frames = frames_of(fed.session);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].type == FrameType::ping);
  CHECK(frames[0].has(ack));
  CHECK(frames[0].payload == octets("abcdefgh"));
}

TEST_CASE("RFC 9113 6.5: SETTINGS say what the limits say", "[h2]") {
  Recorder recorder;
  H2Limits limits;
  limits.max_concurrent_streams = 7;
  limits.stream_window = 100000;
  limits.connection_window = 200000;
  limits.max_header_list = 5000;
  H2Session server(H2Session::Role::server, recorder, limits);
  const auto frames = frames_of(server);
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].payload == number(3, 2) + u32(7) + number(4, 2) + u32(100000) + number(6, 2) + u32(5000));
  CHECK(frames[1].first_u32() == 200000 - 65535);
  H2Session client(H2Session::Role::client, recorder, limits);
  const Bytes from_client = written(client);
  const Bytes magic = preface_magic();
  REQUIRE(from_client.size() > magic.size());
  CHECK(std::equal(magic.begin(), magic.end(), from_client.begin()));
  const auto client_frames = frames_in(ByteView(from_client).subspan(magic.size()));
  CHECK(client_frames.at(0).payload == number(2, 2) + u32(0) + number(4, 2) + u32(100000) + number(6, 2) + u32(5000));
}

}  // namespace tollgate::http::test
