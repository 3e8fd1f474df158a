#include <catch2/catch.hpp>
#include <chrono>

#include "gateway/http/h1_reader.h"
#include "gateway/http/h1_transcript.h"

namespace tollgate::http {
namespace {

TEST_CASE("a request comes as head, data and end", "[http][h1]") {
  const std::string_view bytes =
      "POST /v1?k=v HTTP/1.1\r\nHOST: origin.test\r\nX-Odd:  a \t b\t\r\ncontent-Length: 5\r\n\r\nhelloGET";
  H1RequestReader reader;
  CHECK(reader.between_messages());

  const auto head = reader.read(as_bytes(bytes));
  REQUIRE(head);
  const auto* request = std::get_if<H1RequestHead>(&head->event);
  REQUIRE(request != nullptr);
  CHECK(request->head.method == "POST");
  CHECK(request->head.target == "/v1?k=v");
  CHECK(request->head.minor == 1);
  REQUIRE(request->head.fields.size() == 3);
  CHECK(request->head.fields.at(0).name == "HOST");
  CHECK(request->head.fields.at(1).value == "a \t b");
  CHECK(request->framing == Framing(ContentLength{5}));
  CHECK_FALSE(reader.between_messages());

  const std::string_view rest = bytes.substr(head->consumed);
  const auto data = reader.read(as_bytes(rest));
  REQUIRE(data);
  REQUIRE(std::holds_alternative<H1Data>(data->event));
  CHECK(as_text(std::get<H1Data>(data->event).bytes) == "hello");
  CHECK(data->consumed == 5);

  const auto end = reader.read(as_bytes(rest.substr(5)));
  REQUIRE(end);
  CHECK(std::holds_alternative<H1End>(end->event));
  CHECK(end->consumed == 0);  // what is pipelined stays
  CHECK(reader.between_messages());
  REQUIRE(reader.read(as_bytes("GET")));
  CHECK_FALSE(reader.between_messages());
}

TEST_CASE("a request without lengths has no content, and ends without further bytes", "[http][h1]") {
  H1RequestReader reader;
  const auto head = reader.read(as_bytes("GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n"));
  REQUIRE(head);
  CHECK(std::get<H1RequestHead>(head->event).framing == Framing(NoContent{}));
  const auto end = reader.read({});
  REQUIRE(end);
  CHECK(std::holds_alternative<H1End>(end->event));
  const auto more = reader.read({});
  REQUIRE(more);
  CHECK(std::holds_alternative<H1NeedMore>(more->event));
}

TEST_CASE("chunks become content and trailers, their framing and extensions do not", "[http][h1]") {
  const auto transcript = read_requests(
      "POST / HTTP/1.1\r\nHost: origin.test\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;note=\"a;b\"\r\nhello\r\n001\r\n \r\n5\r\nworld\r\n0\r\nX-Sum: 1\r\nx-SUM: 2\r\n\r\n");
  REQUIRE(transcript.messages.size() == 1);
  const auto& message = transcript.messages[0];
  CHECK(message.complete);
  CHECK(message.framing == Framing(Chunked{}));
  CHECK(message.content == "hello world");
  REQUIRE(message.trailers.size() == 2);
  CHECK(message.trailers.at(1).name == "x-SUM");
}

TEST_CASE("one empty line is ignored before each request, not two", "[http][h1]") {
  const std::string request = "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n";
  CHECK(read_requests("\r\n" + request + "\r\n" + request).messages.size() == 2);
  const auto refused = read_requests(request + "\r\n\r\n" + request);
  CHECK(refused.error == Error::Kind::malformed);
  CHECK(refused.messages.size() == 1);
}

TEST_CASE("the reader stays in its error", "[http][h1]") {
  H1RequestReader reader;
  const auto refused = reader.read(as_bytes("GET / HTTP/1.1\n"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == Error::Kind::malformed);
  CHECK_FALSE(reader.between_messages());
  const auto again = reader.read(as_bytes("GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n"));
  REQUIRE_FALSE(again);
  CHECK(again.error().what == refused.error().what);
}

TEST_CASE("what is no HTTP is refused at its first control, not at a line's end", "[http][h1]") {
  H1RequestReader reader;
  CHECK_FALSE(reader.read(as_bytes("\x16\x03\x01")));
}

TEST_CASE("errors never quote what was sent", "[http][h1]") {
  for (const std::string_view raw :
       {"GET /secret?secret=secret HTTP/9.9\r\n", "GET http://secret@secret/ HTTP/1.1\r\nHost: secret\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: secret secret\r\n\r\n", "GET / HTTP/1.1\r\nHost: a.test\r\nsecret\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: secret\r\n\r\n"}) {
    CAPTURE(raw);
    H1RequestReader reader;
    const auto refused = reader.read(as_bytes(raw));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().what.find("secret") == std::string::npos);
  }
}

// Where the limit is exceeded, and by what, must not depend on how the network cuts.
void check_limit(const H1Limits& limits, const std::string& fits, const std::string& exceeds) {
  for (const auto& pieces : {in_one_piece(), in_pieces_of(1), in_pieces_of(7)}) {
    const auto within = read_requests(fits, pieces, limits);
    CHECK_FALSE(within.error);
    REQUIRE(within.messages.size() == 1);
    CHECK(within.messages[0].complete);
    CHECK(read_requests(exceeds, pieces, limits).error == Error::Kind::too_large);
  }
}

TEST_CASE("limits hold to the octet", "[http][h1]") {
  const std::string line = "GET / HTTP/1.1\r\n";
  const std::string head = line + "Host: origin.test\r\nX: 1234567890\r\n\r\n";
  H1Limits limits;
  SECTION("the head, with its last CR LF") {
    limits.head = head.size();
    std::string longer = head;
    longer.insert(longer.size() - 4, "1");
    check_limit(limits, head, longer);
  }
  SECTION("a request line alone") {
    limits.head = head.size();
    check_limit(limits, head, "GET /" + std::string(head.size(), 'a'));
  }
  SECTION("the number of field lines") {
    limits.fields = 2;
    check_limit(limits, head, line + "Host: origin.test\r\nA: 1\r\nB: 2\r\n\r\n");
  }
  const std::string chunked = line + "Host: origin.test\r\nTransfer-Encoding: chunked\r\n\r\n";
  SECTION("a chunk-size line, which is no sum over all of them") {
    limits.chunk_line = 6;
    check_limit(limits, chunked + "1;ab\r\nx\r\n1;ab\r\nx\r\n0\r\n\r\n", chunked + "1;abc\r\nx\r\n0\r\n\r\n");
  }
  SECTION("a trailer section") {
    limits.trailers = 8;
    check_limit(limits, chunked + "0\r\nA: 1\r\n\r\n", chunked + "0\r\nA: 12\r\n\r\n");
  }
  SECTION("the number of trailer lines") {
    limits.fields = 2;
    check_limit(limits, chunked + "0\r\nA: 1\r\nB: 2\r\n\r\n", chunked + "0\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n");
  }
}

TEST_CASE("the limits start anew with every message", "[http][h1]") {
  const std::string head = "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n";
  H1Limits limits;
  limits.head = head.size();
  limits.fields = 1;
  const auto transcript = read_requests(head + head + head, in_one_piece(), limits);
  CHECK_FALSE(transcript.error);
  CHECK(transcript.messages.size() == 3);
}

TEST_CASE("a long line that comes octet by octet is looked at once", "[http][h1]") {
  constexpr std::size_t length = mebibyte;
  const std::string bytes = "GET /" + std::string(length, 'a');
  H1Limits limits;
  limits.head = 2 * length;
  H1RequestReader reader(limits);
  // Looking again each time would take a minute; once takes a tenth of a second, sanitizers included.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (std::size_t have = 1; have <= bytes.size(); ++have) {
    if (have % 65536 == 0) REQUIRE(std::chrono::steady_clock::now() < deadline);
    const auto step = reader.read(as_bytes(std::string_view(bytes).substr(0, have)));
    if (!step || step->consumed != 0) FAIL("octet " << have);
  }
}

}  // namespace
}  // namespace tollgate::http
