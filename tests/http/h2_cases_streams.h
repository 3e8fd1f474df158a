// RFC 9113 §5, §6.1 to §6.4, §6.6, §6.9 and §6.10: streams, their states, and the frames that belong to them.
#pragma once

#include "tests/http/h2_cases.h"

namespace tollgate::http::test {

inline std::vector<H2Case> state_cases() {
  using enum Answer;
  using enum Code;
  const auto bad = [](std::string name, const Bytes& bytes, Code code) {
    return H2Case{std::move(name), preface() + bytes, connection_error, code};
  };
  return {
      bad("5.1 idle: DATA", data(1, "x", end_stream), protocol_error),
      bad("5.1 idle: RST_STREAM", rst_stream(1, cancel), protocol_error),
      bad("5.1 idle: WINDOW_UPDATE", window_update(1, 100), protocol_error),
      bad("5.1 idle: CONTINUATION", continuation(1, request_block()), protocol_error),
      {"5.1 idle: PRIORITY", preface() + priority(1, 0) + get(1), response},
      bad("5.1 half-closed (remote): DATA", get(1) + data(1, "x"), stream_closed),
      bad("5.1 half-closed (remote): HEADERS", get(1) + get(1), stream_closed),
      bad("5.1 half-closed (remote): CONTINUATION", get(1) + continuation(1, request_block()), protocol_error),
      {"5.1 half-closed (remote): WINDOW_UPDATE and PRIORITY",
       preface() + get(1) + window_update(1, 100) + priority(1, 0), response},
      // RFC 9113 lets a receiver ignore these ("MAY treat"); they may have crossed with what closed the stream.
      {"5.1 closed: DATA after the client's RST_STREAM", preface() + post(1) + rst_stream(1, cancel) + data(1, "x"),
       ignored},
      {"5.1 closed: HEADERS after the client's RST_STREAM", preface() + post(1) + rst_stream(1, cancel) + get(1),
       ignored},
      {"5.1 closed: RST_STREAM and WINDOW_UPDATE after the client's RST_STREAM",
       preface() + post(1) + rst_stream(1, cancel) + rst_stream(1, cancel) + window_update(1, 100), ignored},
      bad("5.1 closed: CONTINUATION after the client's RST_STREAM",
          post(1) + rst_stream(1, cancel) + continuation(1, request_block()), protocol_error),
      bad("5.1.1: a stream identifier that is even", get(2), protocol_error),
      bad("5.1.1: a stream identifier that was passed over", get(5) + get(3), protocol_error),
      bad(
          "5.1.2: one stream more than we allow",
          [] {
            Bytes open;
            for (std::uint32_t stream = 1; stream <= 201; stream += 2) open = open + post(stream);
            return open;
          }(),
          protocol_error),
      bad("5.3.1 (7540): HEADERS that depend on their own stream",
          headers(1, priority_fields(1, 15) + request_block(), end_headers | end_stream | with_priority),
          protocol_error),
      bad("5.3.1 (7540): PRIORITY that depends on its own stream", priority(1, 1), protocol_error),
      {"5.3: priority in HEADERS is tolerated",
       preface() +
           headers(1, priority_fields(0x80000000 | 7, 200) + request_block(), end_headers | end_stream | with_priority),
       response},
      {"5.5: a frame of unknown type with any flags and content",
       preface() + post(1) + frame(FrameType::unknown, 0xff, 1, Bytes(100, 7)) + data(1, "x", end_stream), response},
      bad("5.5: a frame of unknown type inside a header block",
          headers(1, request_block(), end_stream) + frame(FrameType::unknown, 0, 0, octets("x")), protocol_error),
  };
}

inline std::vector<H2Case> content_frame_cases() {
  using enum Answer;
  using enum Code;
  const auto bad = [](std::string name, const Bytes& bytes, Code code) {
    return H2Case{std::move(name), preface() + bytes, connection_error, code};
  };
  return {
      bad("6.1: DATA on stream 0", data(0, "x"), protocol_error),
      bad("6.1: padding longer than its DATA frame",
          post(1) + frame(FrameType::data, padded | end_stream, 1, Bytes{6} + octets("short")), protocol_error),
      bad("6.1: a DATA frame too short for its pad length", post(1) + frame(FrameType::data, padded, 1),
          protocol_error),
      {"6.1: padded DATA",
       preface() + post(1, {{"content-length", "4"}}) +
           frame(FrameType::data, padded | end_stream, 1, Bytes{5} + octets("four") + Bytes(5, 0)),
       response},
      {"6.1: DATA that is padding alone",
       preface() + post(1) + frame(FrameType::data, padded, 1, Bytes{5} + Bytes(5, 0)) + data(1, "", end_stream),
       response},
      {"6.1: empty DATA", preface() + post(1) + data(1, "") + data(1, "") + data(1, "x", end_stream), response},
      bad("6.2: HEADERS on stream 0", get(0), protocol_error),
      bad("6.2: padding longer than its HEADERS frame",
          frame(FrameType::headers, padded | end_headers | end_stream, 1, Bytes{200} + request_block()),
          protocol_error),
      bad("6.2: HEADERS too short for their priority",
          headers(1, Bytes(4, 0), end_headers | end_stream | with_priority), frame_size_error),
      {"6.2: padded HEADERS",
       preface() +
           frame(FrameType::headers, padded | end_headers | end_stream, 1, Bytes{3} + request_block() + Bytes(3, 0)),
       response},
      bad("6.3: PRIORITY on stream 0", priority(0, 1), protocol_error),
      bad("6.3: PRIORITY of four octets", post(1) + frame(FrameType::priority, 0, 1, Bytes(4, 0)), frame_size_error),
      bad("6.4: RST_STREAM on stream 0", rst_stream(0, cancel), protocol_error),
      bad("6.4: RST_STREAM of three octets", post(1) + frame(FrameType::rst_stream, 0, 1, Bytes(3, 0)),
          frame_size_error),
      bad("6.6: PUSH_PROMISE from a client",
          post(1) + frame(FrameType::push_promise, end_headers, 1, u32(2) + request_block()), protocol_error),
      {"6.9: WINDOW_UPDATE of 0 on a stream", preface() + post(1) + window_update(1, 0), connection_error,
       protocol_error},
  };
}

inline std::vector<H2Case> continuation_cases() {
  using enum Answer;
  using enum Code;
  const Bytes whole = request_block();
  const Bytes first(whole.begin(), whole.begin() + 11);
  const Bytes second(whole.begin() + 11, whole.begin() + 30);
  const Bytes third(whole.begin() + 30, whole.end());
  const auto bad = [](std::string name, const Bytes& bytes, Code code) {
    return H2Case{std::move(name), preface() + bytes, connection_error, code};
  };
  return {
      {"6.10: a header block over several frames, cut inside lines",
       preface() + headers(1, first, end_stream) + continuation(1, second, 0) + continuation(1, {}, 0) +
           continuation(1, third),
       response},
      bad("6.10: DATA inside a header block", headers(1, first, 0) + data(1, "x"), protocol_error),
      bad("4.3: PRIORITY inside a header block", headers(1, first, 0) + priority(3, 0), protocol_error),
      bad("4.3: HEADERS of another stream inside a header block", headers(1, first, 0) + get(3), protocol_error),
      bad("6.10: CONTINUATION of another stream", headers(1, first, 0) + continuation(3, second), protocol_error),
      bad("6.10: CONTINUATION on stream 0", headers(1, first, 0) + continuation(0, second), protocol_error),
      bad("6.10: CONTINUATION after the end of the block", post(1) + continuation(1, second), protocol_error),
      bad("6.10: CONTINUATION after CONTINUATION that ended the block",
          headers(1, first + second, 0) + continuation(1, third) + continuation(1, third), protocol_error),
      bad("6.10: CONTINUATION after DATA", post(1) + data(1, "x") + continuation(1, whole), protocol_error),
      bad("10.5: CONTINUATION without end", headers(1, first, 0) + times(20, continuation(1, {}, 0)),
          enhance_your_calm),
  };
}

}  // namespace tollgate::http::test
