// The client role: what an origin may and may not send.
#include <catch2/catch.hpp>

#include "tests/http/h2_recorder.h"

namespace tollgate::http::test {

TEST_CASE("RFC 9113 8.4: a client session refuses PUSH_PROMISE", "[h2]") {
  Recorder recorder;
  H2Session client(H2Session::Role::client, recorder, {});
  REQUIRE(client.submit_request(request_head(), EndStream::yes));
  REQUIRE(client.receive(settings() + settings_ack()));
  written(client);
  const Status status = client.receive(frame(FrameType::push_promise, end_headers, 1, u32(2) + request_block()));
  REQUIRE_FALSE(status);
  CHECK(status.error().kind == Error::Kind::malformed);
  const auto frames = frames_of(client);
  CHECK(frames.back().type == FrameType::goaway);
  CHECK(frames.back().code() == Code::protocol_error);
}

TEST_CASE("RFC 9113 8.1.1: a malformed response is a stream error towards the origin", "[h2]") {
  const auto malformed_head = GENERATE(table<std::string, Bytes>({
      {"no :status", block({{"x", "1"}})},
      {"a :status that is no number", block({{":status", "2x0"}})},
      {"a :status of two digits", block({{":status", "20"}})},
      {"a :status below 100", block({{":status", "051"}})},
      {"a :status of zeros", block({{":status", "000"}})},
      {"101", block({{":status", "101"}})},
      {"a pseudo-header field of requests", block({{":status", "200"}, {":path", "/"}})},
      {"connection", block({{":status", "200"}, {"connection", "close"}})},
      {"CRLF in a value", block({{":status", "200"}, {"x", "a\r\nb: c"}})},
      {"content-length without content", block({{":status", "200"}, {"content-length", "4"}})},
  }));
  CAPTURE(std::get<0>(malformed_head));
  Recorder recorder;
  H2Session client(H2Session::Role::client, recorder, {});
  REQUIRE(client.receive(settings() + settings_ack()));
  const auto stream = client.submit_request(request_head(), EndStream::yes);
  written(client);
  REQUIRE(client.receive(headers(1, std::get<1>(malformed_head))));
  const auto frames = frames_of(client);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].type == FrameType::rst_stream);
  CHECK(frames[0].code() == Code::protocol_error);
  CHECK(recorder.of(*stream) == std::vector<std::string>{"closed PROTOCOL_ERROR"});
}

TEST_CASE("RFC 9110 9.3.2: the response to HEAD has a content-length and no content", "[h2]") {
  Pair pair;
  const auto stream = pair.client.submit_request(request_head("HEAD"), EndStream::yes);
  REQUIRE(pair.converse());
  ResponseHead head = response_head();
  head.fields = fields({{"content-length", "1234"}});
  pair.server.submit_response(*stream, head, EndStream::yes);
  REQUIRE(pair.converse());
  CHECK(pair.at_client.of(*stream) ==
        std::vector<std::string>{"response 200 content-length=1234 end", "end", "closed NO_ERROR"});
}

}  // namespace tollgate::http::test
