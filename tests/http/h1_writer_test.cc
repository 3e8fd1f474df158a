#include "gateway/http/h1_writer.h"

#include <catch2/catch.hpp>

#include "gateway/http/h1_transcript.h"
#include "tests/http/h1_cases.h"

namespace tollgate::http {
namespace {

std::string text_of(const ByteQueue& queue) { return std::string(as_text(queue.view())); }

TEST_CASE("a request head is written as it was read", "[http][h1]") {
  const std::string bytes =
      "PoST /a?b HTTP/1.1\r\nhOST: origin.test\r\nX-Two: 1\r\nX-Empty: \r\nx-two: caf\xc3\xa9\r\nContent-Length: "
      "0\r\n\r\n";
  ByteQueue out;
  write_head(out, read_requests(bytes).messages.at(0).head);
  CHECK(text_of(out) == bytes);
}

TEST_CASE("white space around a value becomes one space before it", "[http][h1]") {
  ByteQueue out;
  write_head(out, read_requests("GET / HTTP/1.0\r\nA:b\r\nC:\t d  \r\n\r\n").messages.at(0).head);
  CHECK(text_of(out) == "GET / HTTP/1.0\r\nA: b\r\nC: d\r\n\r\n");
}

TEST_CASE("a response head keeps its reason, and its space without one", "[http][h1]") {
  ByteQueue out;
  ResponseHead head;
  head.status = 404;
  head.reason = "Nope, not here";
  head.fields.add("Content-Length", "0");
  write_head(out, head);
  CHECK(text_of(out) == "HTTP/1.1 404 Nope, not here\r\nContent-Length: 0\r\n\r\n");
  out.clear();
  head.reason.clear();
  head.minor = 0;
  write_head(out, head);
  CHECK(text_of(out) == "HTTP/1.0 404 \r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("chunks end only where the message does", "[http][h1]") {
  ByteQueue out;
  write_chunk(out, as_bytes("hello"));
  write_chunk(out, {});
  write_chunk(out, as_bytes(std::string(0x1a, 'x')));
  Fields trailers;
  trailers.add("X-Sum", "1");
  write_last_chunk(out, trailers);
  CHECK(text_of(out) == "5\r\nhello\r\n1a\r\n" + std::string(0x1a, 'x') + "\r\n0\r\nX-Sum: 1\r\n\r\n");
  out.clear();
  write_last_chunk(out);
  CHECK(text_of(out) == "0\r\n\r\n");
}

template <class Head>
std::string rewritten(const Transcript<Head>& transcript) {
  ByteQueue out;
  for (const auto& message : transcript.messages) write_message(out, message);
  return text_of(out);
}

TEST_CASE("what is accepted, written and read again is the same", "[http][h1]") {
  for (const AmbiguousCase& example : ambiguous_cases()) {
    if (example.malformed()) continue;
    CAPTURE(example.name);
    if (example.side == "request") {
      const auto transcript = read_requests(example.raw);
      CHECK(read_requests(rewritten(transcript)) == transcript);
    } else {
      const auto transcript = read_response(example.raw);
      CHECK(read_response(rewritten(transcript)) == transcript);
    }
  }
}

TEST_CASE("the gateway's own answers are whole responses", "[http][h1]") {
  const auto closing = simple_response(502, "Bad Gateway", "The origin broke off.\n", AfterResponse::close);
  const auto transcript = read_response(closing);
  REQUIRE(transcript.messages.size() == 1);
  CHECK_FALSE(transcript.error);
  CHECK(transcript.messages[0].head.status == 502);
  CHECK(transcript.messages[0].head.reason == "Bad Gateway");
  CHECK(transcript.messages[0].head.fields.find("connection") == "close");
  CHECK(transcript.messages[0].head.fields.find("content-type") == "text/plain; charset=utf-8");
  CHECK(transcript.messages[0].content == "The origin broke off.\n");

  const auto persisting = simple_response(403, "Forbidden", "No.\n", AfterResponse::keep_alive);
  CHECK_FALSE(read_response(persisting).messages.at(0).head.fields.find("connection"));

  const auto to_head = simple_response(403, "Forbidden", "No.\n", AfterResponse::keep_alive, "HEAD");
  CHECK(to_head.ends_with("Content-Length: 4\r\n\r\n"));
  CHECK_FALSE(read_response(to_head, "HEAD").error);
}

}  // namespace
}  // namespace tollgate::http
