// Peers that send much and mean nothing (RFC 9113 §10.5): each flood ends, and what it costs us is bounded.
#include <catch2/catch.hpp>

#include "tests/http/h2_recorder.h"

namespace tollgate::http::test {

namespace {

MonoTime test_now;

H2Limits limits_at_test_time() {
  H2Limits limits;
  limits.now = [] { return test_now; };
  return limits;
}

struct Flood {
  std::string name;
  Bytes (*repeated)(std::uint32_t round);
};

std::uint32_t stream_of(std::uint32_t round) { return 2 * round + 1; }

const std::vector<Flood>& floods() {
  static const std::vector<Flood> all{
      {"rapid reset (CVE-2023-44487)",
       [](std::uint32_t round) { return get(stream_of(round)) + rst_stream(stream_of(round), Code::cancel); }},
      {"requests that make us reset",
       [](std::uint32_t round) {
         return headers(stream_of(round), request_block("GET", {{"connection", "x"}}));
       }},
      {"requests to nowhere",
       [](std::uint32_t round) {
         return headers(stream_of(round),
                        block({{":method", "GET"}, {":scheme", "x"}, {":authority", "a"}, {":path", "x"}}));
       }},
      {"window increments that make us reset",
       [](std::uint32_t round) { return post(stream_of(round)) + window_update(stream_of(round), 0x7fffffff); }},
      {"SETTINGS",
       [](std::uint32_t) {
         return settings({{4, 65535}});
       }},
      {"PING", [](std::uint32_t) { return ping(); }},
      {"PRIORITY", [](std::uint32_t round) { return priority(stream_of(round % 1000), 0); }},
      {"GOAWAY", [](std::uint32_t round) { return round == 0 ? post(1) : goaway(0, Code::no_error); }},
      {"empty DATA", [](std::uint32_t round) { return round == 0 ? post(1) : data(1, ""); }},
      {"DATA that is padding alone",
       [](std::uint32_t round) {
         return round == 0 ? post(1) : frame(FrameType::data, padded, 1, Bytes{3, 0, 0, 0});
       }},
  };
  return all;
}

}  // namespace

TEST_CASE("RFC 9113 10.5: each flood ends with ENHANCE_YOUR_CALM", "[h2]") {
  for (const Flood& flood : floods()) {
    for (const bool reads : {true, false}) {
      DYNAMIC_SECTION(flood.name << (reads ? ", from a peer that reads" : ", from a peer that does not read")) {
        Recorder recorder;
        H2Session session(H2Session::Role::server, recorder, limits_at_test_time());
        Status status = session.receive(preface());
        std::uint32_t round = 0;
        while (status && round < 20000) {
          status = session.receive(flood.repeated(round++));
          if (reads && status) written(session);
        }
        REQUIRE_FALSE(status);
        CHECK(status.error().kind == Error::Kind::refused);
        CHECK(round <= 4100);
        const Bytes rest = written(session);
        CHECK(rest.size() < std::size_t{256} * 1024);
        const auto frames = frames_in(rest);
        REQUIRE_FALSE(frames.empty());
        CHECK(frames.back().type == FrameType::goaway);
        CHECK(frames.back().code() == Code::enhance_your_calm);
        CHECK_FALSE(session.alive());
      }
    }
  }
}

TEST_CASE("RFC 9113 10.5: a flood in one piece ends too, with bounded output", "[h2]") {
  for (const Flood& flood : floods()) {
    DYNAMIC_SECTION(flood.name) {
      Recorder recorder;
      H2Session session(H2Session::Role::server, recorder, limits_at_test_time());
      Bytes all = preface();
      for (std::uint32_t round = 0; round < 6000; ++round) {
        const Bytes one = flood.repeated(round);
        all.insert(all.end(), one.begin(), one.end());
      }
      const Status status = session.receive(all);
      // 100 streams are open before any of our resets is written: that is an error of its own.
      if (!status) CHECK(written(session).size() < std::size_t{256} * 1024);
      CHECK_FALSE(status);
      CHECK_FALSE(session.alive());
    }
  }
}

TEST_CASE("RFC 9113 10.5: a peer that leaves answers unread is not served for ever", "[h2]") {
  H2Limits limits = limits_at_test_time();
  limits.idle_frames_burst = 1000000;
  Recorder recorder;
  H2Session session(H2Session::Role::server, recorder, limits);
  Status status = session.receive(preface());
  std::size_t pings = 0;
  while (status && pings < 100000) {
    status = session.receive(ping());
    ++pings;
  }
  REQUIRE_FALSE(status);
  CHECK(status.error().kind == Error::Kind::refused);
  CHECK(pings < std::size_t{64} * 1024 / 17 + 1100);  // what `control` holds, and what nghttp2 does
  // The GOAWAY comes after what is unread.
  CHECK(frames_of(session).back().type == FrameType::goaway);
}

TEST_CASE("RFC 9113 10.5: a client may be chatty for hours", "[h2]") {
  test_now = MonoTime{};
  Recorder recorder;
  H2Session session(H2Session::Role::server, recorder, limits_at_test_time());
  REQUIRE(session.receive(preface()));
  // A page of 100 images, cancelled every second.
  for (std::uint32_t stream = 1; stream < 2 * 36000; stream += 2) {
    REQUIRE(session.receive(get(stream) + rst_stream(stream, Code::cancel)));
    written(session);
    test_now += std::chrono::milliseconds(10);
  }
  CHECK(session.streams() == 0);
  CHECK(session.alive());
}

TEST_CASE("RFC 9113 10.5.1: a header list over the limit costs its stream only", "[h2]") {
  H2Limits limits = limits_at_test_time();
  limits.max_header_list = 10000;
  Recorder recorder;
  H2Session session(H2Session::Role::server, recorder, limits);
  REQUIRE(session.receive(preface()));
  written(session);
  const std::string long_value(9000, 'v');
  const Bytes over = request_block("GET", {{"x-long", long_value}, {"x-more", long_value}, {"x-again", long_value}});
  const Bytes head(over.begin(), over.begin() + 16000);
  const Bytes tail(over.begin() + 16000, over.end());
  REQUIRE(session.receive(headers(1, head, end_stream) + continuation(1, tail)));
  auto frames = frames_of(session);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].type == FrameType::rst_stream);
  CHECK(frames[0].code() == Code::enhance_your_calm);
  CHECK(recorder.of(1).empty());
  REQUIRE(session.receive(get(3)));
  CHECK(recorder.of(3).size() == 2);
}

TEST_CASE("RFC 9113 10.5.1: a response head over the limit costs its stream only", "[h2]") {
  H2Limits limits;
  limits.max_header_list = 1000;
  Recorder recorder;
  H2Session client(H2Session::Role::client, recorder, limits);
  REQUIRE(client.receive(settings() + settings_ack()));
  const auto stream = client.submit_request(request_head(), EndStream::yes);
  written(client);
  const std::string long_value(1000, 'v');
  REQUIRE(client.receive(headers(1, Bytes{0x88} + line("x", long_value))));
  CHECK(frames_of(client).at(0).code() == Code::enhance_your_calm);
  CHECK(recorder.of(*stream) == std::vector<std::string>{"closed ENHANCE_YOUR_CALM"});
  CHECK(client.alive());
}

}  // namespace tollgate::http::test
