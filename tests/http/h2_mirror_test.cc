// What passes between a client and an origin through a server session and a client session, stream by stream.
#include <catch2/catch.hpp>

#include "tests/http/h2_recorder.h"

namespace tollgate::http::test {

using Events = std::vector<std::string>;

TEST_CASE("RFC 9113 8.1: a request and its response arrive as they were sent", "[h2]") {
  Pair pair;
  RequestHead head = request_head("POST", "/form?q=1");
  head.fields = fields({{"cookie", "a=1"}, {"cookie", "b=2"}, {"accept", "*/*"}});
  const auto stream = pair.client.submit_request(head, EndStream::no);
  REQUIRE(stream);
  pair.client.send_data(*stream, as_bytes("question"), EndStream::yes);
  REQUIRE(pair.converse());
  CHECK(
      pair.at_server.of(*stream) ==
      Events{"request POST https|origin.test|/form?q=1 cookie=a=1 cookie=b=2 accept=*/*", "data \"question\"", "end"});

  ResponseHead answer = response_head(404);
  answer.fields = fields({{"server", "test"}, {"set-cookie", "c=3"}, {"set-cookie", "d=4"}});
  pair.server.submit_response(*stream, answer, EndStream::no);
  pair.server.send_data(*stream, as_bytes("no"), EndStream::no);
  pair.server.send_data(*stream, {}, EndStream::yes);
  REQUIRE(pair.converse());
  CHECK(pair.at_client.of(*stream) ==
        Events{"response 404 server=test set-cookie=c=3 set-cookie=d=4", "data \"no\"", "end", "closed NO_ERROR"});
  CHECK(pair.at_server.of(*stream).back() == "closed NO_ERROR");
  CHECK(pair.client.streams() == 0);
  CHECK(pair.server.streams() == 0);
}

TEST_CASE("a head of more lines than fit on the stack arrives whole", "[h2]") {
  Pair pair;
  RequestHead head = request_head();
  for (int i = 0; i < 200; ++i) head.fields.add("x-line-" + std::to_string(i), std::string(400, 'v'));
  const auto stream = pair.client.submit_request(head, EndStream::yes);
  REQUIRE(pair.converse());
  CHECK(pair.at_server.of(*stream) == Events{"request " + text_of(head) + " end", "end"});
}

TEST_CASE("RFC 9113 8.1: trailers end a stream on both ways", "[h2]") {
  Pair pair;
  const auto stream = pair.client.submit_request(request_head("POST"), EndStream::no);
  pair.client.send_data(*stream, as_bytes("message"), EndStream::no);
  pair.client.send_trailers(*stream, fields({{"x-sum", "1"}}));
  REQUIRE(pair.converse());
  CHECK(pair.at_server.of(*stream) ==
        Events{"request POST https|origin.test|/", "data \"message\"", "trailers x-sum=1", "end"});
  pair.server.submit_response(*stream, response_head(), EndStream::no);
  pair.server.send_data(*stream, as_bytes("reply"), EndStream::no);
  pair.server.send_trailers(*stream, fields({{"grpc-status", "0"}, {"grpc-message", ""}}));
  REQUIRE(pair.converse());
  CHECK(pair.at_client.of(*stream) ==
        Events{"response 200", "data \"reply\"", "trailers grpc-status=0 grpc-message=", "end", "closed NO_ERROR"});
}

TEST_CASE("RFC 9113 8.1: trailers that follow content already sent bring no empty DATA frame", "[h2]") {
  Pair pair;
  const auto stream = pair.client.submit_request(request_head(), EndStream::yes);
  REQUIRE(pair.converse());
  pair.server.submit_response(*stream, response_head(), EndStream::no);
  pair.server.send_data(*stream, as_bytes("reply"), EndStream::no);
  REQUIRE(pair.converse());
  pair.server.send_trailers(*stream, fields({{"grpc-status", "0"}}));
  const auto frames = frames_of(pair.server);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].type == FrameType::headers);
  CHECK(frames[0].has(end_stream));
}

TEST_CASE("RFC 9113 8.1: trailers right after a head, before either is sent", "[h2]") {
  Pair pair;
  const auto stream = pair.client.submit_request(request_head("POST"), EndStream::no);
  pair.client.send_trailers(*stream, fields({{"x-sum", "0"}}));
  REQUIRE(pair.converse());
  CHECK(pair.at_server.of(*stream) == Events{"request POST https|origin.test|/", "trailers x-sum=0", "end"});
  pair.server.submit_response(*stream, response_head(), EndStream::no);
  pair.server.send_trailers(*stream, fields({{"grpc-status", "12"}}));
  REQUIRE(pair.converse());
  CHECK(pair.at_client.of(*stream) == Events{"response 200", "trailers grpc-status=12", "end", "closed NO_ERROR"});
}

TEST_CASE("RFC 9110 15.2: informational responses come before the final one", "[h2]") {
  Pair pair;
  const auto stream = pair.client.submit_request(request_head("POST"), EndStream::no);
  REQUIRE(pair.converse());
  ResponseHead hints = response_head(103);
  hints.fields = fields({{"link", "</a.css>"}});
  pair.server.submit_informational(*stream, response_head(100));
  pair.server.submit_informational(*stream, hints);
  REQUIRE(pair.converse());
  pair.client.send_data(*stream, as_bytes("body"), EndStream::yes);
  pair.server.submit_response(*stream, response_head(204), EndStream::yes);
  REQUIRE(pair.converse());
  CHECK(pair.at_client.of(*stream) ==
        Events{"response 100", "response 103 link=</a.css>", "response 204 end", "end", "closed NO_ERROR"});
}

TEST_CASE("RFC 9113 8.1: informational responses without end are a stream error", "[h2]") {
  Pair pair;
  const auto stream = pair.client.submit_request(request_head(), EndStream::yes);
  REQUIRE(pair.converse());
  ResponseHead hints = response_head(103);
  hints.fields = fields({{"link", "</a.css>"}});
  for (int i = 0; i < 3000; ++i) pair.server.submit_informational(*stream, hints);
  pair.converse();
  CHECK(pair.at_client.of(*stream).back() == "closed ENHANCE_YOUR_CALM");
  CHECK(pair.at_client.of(*stream).size() < 2200);  // 128 KiB at 63 octets each
}

TEST_CASE("RFC 9113 6.1: empty DATA frames are passed on as such", "[h2]") {
  Pair pair;
  const auto stream = pair.client.submit_request(request_head("POST"), EndStream::no);
  pair.client.send_data(*stream, {}, EndStream::no);
  REQUIRE(pair.converse());
  pair.client.send_data(*stream, as_bytes("a"), EndStream::no);
  pair.client.send_data(*stream, {}, EndStream::no);
  pair.client.send_data(*stream, {}, EndStream::no);
  REQUIRE(pair.converse());
  pair.client.send_data(*stream, {}, EndStream::yes);
  REQUIRE(pair.converse());
  CHECK(pair.at_server.of(*stream) ==
        Events{"request POST https|origin.test|/", "empty data", "data \"a\"", "empty data", "empty data", "end"});
}

TEST_CASE("RFC 9113 6.4: a reset tells its code, and who sent it", "[h2]") {
  Pair pair;
  const auto code = GENERATE(2U, 7U, 8U, 13U, 0x1234U);
  const auto stream = pair.client.submit_request(request_head("POST"), EndStream::no);
  pair.client.send_data(*stream, as_bytes("x"), EndStream::no);
  REQUIRE(pair.converse());
  SECTION("the client's") {
    pair.client.reset(*stream, code);
    REQUIRE(pair.converse());
    CHECK(pair.at_server.of(*stream).back() == "closed " + h2_error_name(code) + " by peer");
    CHECK(pair.at_client.of(*stream).back() == "closed " + h2_error_name(code));
  }
  SECTION("the server's, in the middle of a response") {
    pair.server.submit_response(*stream, response_head(), EndStream::no);
    pair.server.send_data(*stream, as_bytes("half"), EndStream::no);
    REQUIRE(pair.converse());
    pair.server.reset(*stream, code);
    REQUIRE(pair.converse());
    CHECK(pair.at_client.of(*stream) ==
          Events{"response 200", "data \"half\"", "closed " + h2_error_name(code) + " by peer"});
  }
  CHECK(pair.client.streams() == 0);
  CHECK(pair.server.streams() == 0);
}

TEST_CASE("what is queued goes with a reset", "[h2]") {
  Pair pair;
  const auto stream = pair.client.submit_request(request_head("POST"), EndStream::no);
  REQUIRE(pair.converse());
  pair.client.send_data(*stream, Bytes(300000, 'x'), EndStream::yes);
  CHECK(pair.client.queued(*stream) == 300000);
  pair.client.reset(*stream, 8);
  CHECK(pair.client.queued(*stream) == 0);
  const auto frames = frames_of(pair.client);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].type == FrameType::rst_stream);
}

TEST_CASE("a request that is reset before it was sent never leaves", "[h2]") {
  Pair pair;
  const auto stream = pair.client.submit_request(request_head("POST"), EndStream::no);
  pair.client.send_data(*stream, as_bytes("x"), EndStream::no);
  pair.client.reset(*stream, 8);
  REQUIRE(pair.converse());
  CHECK(pair.at_server.events.empty());
  CHECK(pair.at_client.of(*stream) == Events{"closed CANCEL"});
  CHECK(pair.client.streams() == 0);
}

TEST_CASE("RFC 9113 8.1: NO_ERROR after an early response lets that response finish", "[h2]") {
  Pair pair;
  const auto stream = pair.client.submit_request(request_head("POST"), EndStream::no);
  pair.client.send_data(*stream, as_bytes("beginning"), EndStream::no);
  REQUIRE(pair.converse());
  pair.server.submit_response(*stream, response_head(413), EndStream::no);
  pair.server.send_data(*stream, Bytes(300000, 'x'), EndStream::yes);
  pair.server.reset(*stream, 0);
  REQUIRE(pair.converse());
  CHECK(pair.at_client.received == 262144);  // then the window is closed: nothing was consumed
  pair.client.consume(*stream, 262144);
  REQUIRE(pair.converse());
  CHECK(pair.at_client.received == 300000);
  CHECK(pair.at_client.of(*stream).at(pair.at_client.of(*stream).size() - 2) == "end");
  CHECK(pair.at_client.of(*stream).back() == "closed NO_ERROR by peer");
  CHECK(pair.at_server.of(*stream).back() == "closed NO_ERROR");
}

TEST_CASE("RFC 9113 8.5: a tunnel by CONNECT carries bytes both ways", "[h2]") {
  Pair pair;
  RequestHead head;
  head.method = "CONNECT";
  head.authority = "origin.test:443";
  const auto stream = pair.client.submit_request(head, EndStream::no);
  REQUIRE(pair.converse());
  CHECK(pair.at_server.of(*stream) == Events{"request CONNECT |origin.test:443|"});
  pair.server.submit_response(*stream, response_head(), EndStream::no);
  pair.server.send_data(*stream, as_bytes("down"), EndStream::no);
  pair.client.send_data(*stream, as_bytes("up"), EndStream::no);
  REQUIRE(pair.converse());
  CHECK(pair.at_client.of(*stream) == Events{"response 200", "data \"down\""});
  CHECK(pair.at_server.of(*stream).back() == "data \"up\"");
}

TEST_CASE("RFC 8441: an extended CONNECT passes once it is offered", "[h2]") {
  Pair pair;
  CHECK_FALSE(pair.client.peer_enables_connect_protocol());
  pair.server.enable_connect_protocol();
  REQUIRE(pair.converse());
  CHECK(pair.client.peer_enables_connect_protocol());
  CHECK(pair.at_client.events == Events{"0: settings"});
  RequestHead head = request_head("CONNECT", "/chat");
  head.protocol = "websocket";
  const auto stream = pair.client.submit_request(head, EndStream::no);
  REQUIRE(pair.converse());
  CHECK(pair.at_server.of(*stream) == Events{"request CONNECT https|origin.test|/chat|websocket"});
}

TEST_CASE("streams beyond the peer's limit wait for their turn, content and all", "[h2]") {
  H2Limits few;
  few.max_concurrent_streams = 2;
  Pair pair({}, few);
  pair.at_server.end = [&](StreamId stream) { pair.server.submit_response(stream, response_head(), EndStream::yes); };
  for (int i = 0; i < 7; ++i) {
    const auto stream = pair.client.submit_request(request_head("POST", "/" + std::to_string(i)), EndStream::no);
    REQUIRE(stream);
    pair.client.send_data(*stream, as_bytes("x"), EndStream::yes);
  }
  CHECK(pair.client.streams() == 7);
  REQUIRE(pair.converse());
  for (StreamId stream = 1; stream <= 13; stream += 2) CHECK(pair.at_client.of(stream).back() == "closed NO_ERROR");
  CHECK(pair.client.streams() == 0);
}

TEST_CASE("a visitor may do anything but feed and write from inside a callback", "[h2]") {
  Pair pair;
  pair.at_server.request = [&](StreamId stream, EndStream) {
    pair.server.submit_informational(stream, response_head(103));
    pair.server.submit_response(stream, response_head(), EndStream::no);
    pair.server.send_data(stream, as_bytes("x"), EndStream::no);
    pair.server.reset(stream, 2);
    pair.server.send_data(stream, as_bytes("late"), EndStream::yes);  // ignored
    pair.server.ping();
  };
  pair.at_client.closed = [&](StreamId stream) {
    if (stream < 9) REQUIRE(pair.client.submit_request(request_head(), EndStream::yes));
    pair.client.send_data(stream, as_bytes("gone"), EndStream::yes);  // ignored
    pair.client.consume(stream, 10);
    pair.client.reset(stream, 8);
  };
  REQUIRE(pair.client.submit_request(request_head(), EndStream::yes));
  REQUIRE(pair.converse());
  for (StreamId stream = 1; stream <= 9; stream += 2) {
    CHECK(pair.at_client.of(stream).back() == "closed INTERNAL_ERROR by peer");
  }
  CHECK(pair.client.streams() == 0);
  CHECK(pair.server.streams() == 0);
}

TEST_CASE("RFC 9113 7: error codes have their names, and unknown ones their number", "[h2]") {
  CHECK(h2_error_name(0) == "NO_ERROR");
  CHECK(h2_error_name(7) == "REFUSED_STREAM");
  CHECK(h2_error_name(13) == "HTTP_1_1_REQUIRED");
  CHECK(h2_error_name(14) == "0xe");
  CHECK(h2_error_name(0xffffffff) == "0xffffffff");
}

}  // namespace tollgate::http::test
