#include <catch2/catch.hpp>

#include "tests/http/h2_cases_connection.h"
#include "tests/http/h2_cases_messages.h"
#include "tests/http/h2_cases_streams.h"
#include "tests/http/h2_recorder.h"

namespace tollgate::http::test {

namespace {

bool answers(const std::vector<Frame>& frames, std::uint32_t stream) {
  for (const Frame& one : of_type(frames, FrameType::headers)) {
    if (one.stream == stream) return true;
  }
  return false;
}

// A server that answers requests that have ended, and CONNECT at once, when it is told to: as one that asks an origin.
struct Server {
  Recorder recorder;
  H2Session session{H2Session::Role::server, recorder, {}};
  std::vector<std::pair<StreamId, std::uint16_t>> answers_due;

  Server() {
    recorder.end = [this](StreamId stream) { answers_due.emplace_back(stream, 200); };
    recorder.request = [this](StreamId stream, EndStream) {
      if (recorder.events.back().find(": request CONNECT") != std::string::npos) answers_due.emplace_back(stream, 405);
    };
  }
  std::vector<Frame> frames() {
    for (const auto& [stream, status] : answers_due)
      session.submit_response(stream, response_head(status), EndStream::yes);
    answers_due.clear();
    return frames_of(session);
  }
};

// Once it has failed it stays so, and nothing is said of what comes later.
void check_is_over(Server& server) {
  CHECK_FALSE(server.session.alive());
  const auto events = server.recorder.events.size();
  CHECK_FALSE(server.session.receive(probe()));
  CHECK(server.recorder.events.size() == events);
  CHECK(written(server.session).empty());
}

void check_connection_error(Server& server, const H2Case& one, const Status& status) {
  const auto frames = server.frames();
  const auto goaways = of_type(frames, FrameType::goaway);
  REQUIRE(goaways.size() == 1);
  CHECK(goaways[0].code() == one.code);
  CHECK(frames.back().type == FrameType::goaway);
  REQUIRE_FALSE(status);
  const bool flood = one.code == Code::enhance_your_calm;
  CHECK(status.error().kind == (flood ? Error::Kind::refused : Error::Kind::malformed));
  CHECK(status.error().what.starts_with("HTTP/2 connection error "));
  check_is_over(server);
}

void check_stream_answer(Server& server, const H2Case& one, const std::vector<Frame>& frames) {
  const auto resets = of_type(frames, FrameType::rst_stream);
  if (one.answer == Answer::stream_error) {
    REQUIRE(resets.size() == 1);
    CHECK(resets[0].stream == one.stream);
    CHECK(resets[0].code() == one.code);
  } else if (one.answer == Answer::response) {
    CHECK(answers(frames, one.stream));
  } else {
    CHECK(resets.empty());
    CHECK_FALSE(answers(frames, one.stream));
  }
  CHECK(of_type(frames, FrameType::goaway).empty());
  CHECK(server.session.receive(probe()));
  CHECK(answers(server.frames(), probe_stream));
}

void check(const std::vector<H2Case>& cases) {
  for (const H2Case& one : cases) {
    DYNAMIC_SECTION(one.name) {
      Server server;
      const Status status = server.session.receive(one.bytes);
      if (one.answer == Answer::connection_error) {
        check_connection_error(server, one, status);
      } else {
        if (!status) FAIL_CHECK(status.error().what);
        check_stream_answer(server, one, server.frames());
      }
    }
    // The same, an octet at a time: what is refused does not depend on how the network cuts it.
    DYNAMIC_SECTION(one.name << ", octet by octet") {
      Server server;
      Status status;
      const bool long_one = one.bytes.size() > 4096;
      const std::size_t step = long_one ? 1009 : 1;
      for (std::size_t at = 0; at < one.bytes.size() && status; at += step) {
        status = server.session.receive(ByteView(one.bytes).subspan(at, std::min(step, one.bytes.size() - at)));
      }
      if (one.answer == Answer::connection_error) {
        check_connection_error(server, one, status);
      } else {
        check_stream_answer(server, one, server.frames());
      }
    }
  }
}

}  // namespace

TEST_CASE("RFC 9113: prefaces and frames are answered as section 3 and 4 say", "[h2]") { check(framing_cases()); }
TEST_CASE("RFC 9113: header blocks are decompressed as section 4.3 says", "[h2]") { check(compression_cases()); }
TEST_CASE("RFC 9113: SETTINGS are answered as section 6.5 says", "[h2]") { check(settings_cases()); }
TEST_CASE("RFC 9113: PING, GOAWAY and windows are answered as section 6.7 to 6.9 say", "[h2]") {
  check(control_cases());
}
TEST_CASE("RFC 9113: streams have the states of section 5", "[h2]") { check(state_cases()); }
TEST_CASE("RFC 9113: frames on streams are answered as section 6 says", "[h2]") { check(content_frame_cases()); }
TEST_CASE("RFC 9113: header blocks continue as section 6.10 says", "[h2]") { check(continuation_cases()); }
TEST_CASE("RFC 9113: field lines are held to section 8.2", "[h2]") { check(field_cases()); }
TEST_CASE("RFC 9113: pseudo-header fields are held to section 8.3", "[h2]") { check(pseudo_field_cases()); }
TEST_CASE("RFC 9113: messages are held to section 8.1 and 8.5", "[h2]") { check(message_cases()); }

}  // namespace tollgate::http::test
