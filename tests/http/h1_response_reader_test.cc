#include <catch2/catch.hpp>

#include "gateway/http/h1_reader.h"
#include "gateway/http/h1_transcript.h"

namespace tollgate::http {
namespace {

const std::string with_length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

TEST_CASE("a response has the framing that its request and status give it", "[http][h1]") {
  struct Example {
    std::string method, head;
    Framing framing;
  };
  const std::string chunked = "Transfer-Encoding: chunked\r\n\r\n";
  const auto example = GENERATE_COPY(values<Example>({
      {"GET", with_length, ContentLength{5}},
      {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ContentLength{0}},
      {"GET", "HTTP/1.1 200 OK\r\n" + chunked, Chunked{}},
      {"GET", "HTTP/1.1 200 OK\r\n\r\n", UntilClose{}},
      {"GET", "HTTP/1.0 200 OK\r\n\r\n", UntilClose{}},
      {"HEAD", with_length, NoContent{}},
      {"HEAD", "HTTP/1.1 200 OK\r\n" + chunked, NoContent{}},
      {"HEAD", "HTTP/1.1 200 OK\r\n\r\n", NoContent{}},
      {"GET", "HTTP/1.1 204 No Content\r\n\r\n", NoContent{}},
      {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", NoContent{}},
      {"GET", "HTTP/1.1 304 Not Modified\r\n" + chunked, NoContent{}},
      {"GET", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", ContentLength{0}},
      {"CONNECT", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", NoContent{}},
      {"CONNECT", "HTTP/1.1 299 OK\r\n" + chunked, NoContent{}},
      {"CONNECT", "HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\n", ContentLength{5}},
      {"GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", NoContent{}},
  }));
  CAPTURE(example.method, example.head);
  H1ResponseReader reader;
  reader.begin(example.method);
  const auto step = reader.read(as_bytes(example.head));
  REQUIRE(step);
  CHECK(step->consumed == example.head.size());
  CHECK(std::get<H1ResponseHead>(step->event).framing == example.framing);
}

TEST_CASE("the status line is kept as it was", "[http][h1]") {
  const auto transcript = read_response("HTTP/1.0 404  Not\tF\xf6und! \r\nContent-Length: 0\r\n\r\n");
  REQUIRE(transcript.messages.size() == 1);
  CHECK(transcript.messages[0].head.status == 404);
  CHECK(transcript.messages[0].head.reason == " Not\tF\xf6und! ");
  CHECK(transcript.messages[0].head.minor == 0);
}

TEST_CASE("interim responses come as heads before the final one", "[http][h1]") {
  const auto transcript = read_response("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" +
                                        with_length + "hello");
  CHECK_FALSE(transcript.error);
  REQUIRE(transcript.messages.size() == 3);
  CHECK(transcript.messages[0].head.status == 100);
  CHECK_FALSE(transcript.messages[0].complete);
  CHECK(transcript.messages[1].head.fields.find("link") == "</a>");
  CHECK(transcript.messages[2].content == "hello");
  CHECK(transcript.messages[2].complete);
}

TEST_CASE("101 is the last of HTTP and leaves what follows it", "[http][h1]") {
  const std::string head = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
  const std::string bytes = head + "\x81\x05hello";
  H1ResponseReader reader;
  reader.begin("GET");
  const auto step = reader.read(as_bytes(bytes));
  REQUIRE(step);
  CHECK(step->consumed == head.size());
  const auto end = reader.read(as_bytes(bytes).subspan(step->consumed));
  REQUIRE(end);
  CHECK(std::holds_alternative<H1End>(end->event));
  CHECK(end->consumed == 0);
}

TEST_CASE("a close ends what is read until close and truncates everything else", "[http][h1]") {
  const auto closed_after = [](std::string_view bytes) { return read_response(bytes); };
  const auto until_close = closed_after("HTTP/1.1 200 OK\r\n\r\nhello");
  CHECK_FALSE(until_close.error);
  CHECK(until_close.messages.at(0).complete);
  CHECK(until_close.messages.at(0).content == "hello");
  CHECK(closed_after("HTTP/1.1 200 OK\r\n\r\n").messages.at(0).complete);  // empty is whole, too

  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  for (const std::string& whole : {with_length + "hello", chunked}) {
    CHECK(closed_after(whole).messages.at(0).complete);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(whole.substr(0, size));
      CHECK(closed_after(std::string_view(whole).substr(0, size)).error == Error::Kind::malformed);
    }
  }
}

TEST_CASE("a response reader knows when it is between messages", "[http][h1]") {
  H1ResponseReader reader;
  CHECK(reader.between_messages());
  const auto idle = reader.close();
  REQUIRE(idle);
  CHECK(std::holds_alternative<H1NeedMore>(*idle));
  reader.begin("HEAD");
  CHECK_FALSE(reader.between_messages());
  REQUIRE(reader.read(as_bytes(with_length)));
  CHECK_FALSE(reader.between_messages());
  REQUIRE(reader.read({}));
  CHECK(reader.between_messages());
  reader.begin("GET");  // the next one, on the same connection
  const auto step = reader.read(as_bytes(with_length));
  REQUIRE(step);
  CHECK(std::get<H1ResponseHead>(step->event).framing == Framing(ContentLength{5}));
}

TEST_CASE("bytes that answer no request are refused", "[http][h1]") {
  H1ResponseReader reader;
  const auto nothing = reader.read({});
  REQUIRE(nothing);
  CHECK(std::holds_alternative<H1NeedMore>(nothing->event));
  const auto unasked = reader.read(as_bytes("HTTP/1.1 408 Request Timeout\r\n\r\n"));
  REQUIRE_FALSE(unasked);
  CHECK(unasked.error().kind == Error::Kind::malformed);
  CHECK_FALSE(reader.close());
  CHECK_FALSE(reader.between_messages());
}

TEST_CASE("response heads have the same limits as requests", "[http][h1]") {
  H1Limits limits;
  limits.head = with_length.size();
  for (const auto& pieces : {in_one_piece(), in_pieces_of(1)}) {
    CHECK_FALSE(read_response(with_length + "hello", "GET", pieces, limits).error);
    CHECK(read_response("HTTP/1.1 200 Okay\r\nContent-Length: 5\r\n\r\nhello", "GET", pieces, limits).error ==
          Error::Kind::too_large);
  }
}

}  // namespace
}  // namespace tollgate::http
