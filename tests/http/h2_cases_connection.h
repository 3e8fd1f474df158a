// RFC 9113 §3, §4, §6.5 to §6.9 and RFC 7541: the connection, its frames, its settings and windows.
#pragma once

#include "tests/http/h2_cases.h"

namespace tollgate::http::test {

inline std::vector<H2Case> framing_cases() {
  using enum Answer;
  using enum Code;
  const Bytes big(16385, 0);
  return {
      {"3.4: a preface that is another protocol's", octets("GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n"),
       connection_error, protocol_error},
      {"3.4: no SETTINGS after the preface", preface_magic() + ping(), connection_error, protocol_error},
      {"3.4: an acknowledgement in the place of the first SETTINGS", preface_magic() + settings_ack(), connection_error,
       protocol_error},
      {"3.4: a request before our SETTINGS are acknowledged", preface_magic() + settings() + get(1), response},
      {"4.1: a frame of unknown type", preface() + frame(FrameType::unknown, 0, 0, octets("whatever")), ignored},
      {"4.1: a frame of unknown type on an idle stream", preface() + frame(FrameType::unknown, 7, 77, octets("x")),
       ignored},
      {"4.1: undefined flags", preface() + frame(FrameType::ping, 0x16, 0, octets("12345678")), ignored},
      {"4.1: undefined flags on HEADERS and DATA",
       preface() + headers(1, request_block("POST"), end_headers | 0x50) + data(1, "x", end_stream | 0x56), response},
      {"4.1: the reserved bit of the stream identifier", preface() + get(0x80000001), response},
      {"4.2: DATA of 16,384 octets", preface() + post(1) + frame(FrameType::data, end_stream, 1, Bytes(16384, 'x')),
       response},
      {"4.2: DATA of 16,385 octets", preface() + post(1) + frame(FrameType::data, 0, 1, big), connection_error,
       frame_size_error},
      {"4.2: HEADERS of 16,385 octets", preface() + headers(1, big), connection_error, frame_size_error},
      {"4.2: SETTINGS of 16,386 octets", preface() + frame(FrameType::settings, 0, 0, Bytes(16386, 0)),
       connection_error, frame_size_error},
      {"4.2: a frame that announces 16 MiB", preface() + frame_header(0xffffff, FrameType::unknown, 0, 0),
       connection_error, frame_size_error},
  };
}

inline std::vector<H2Case> compression_cases() {
  using enum Answer;
  using enum Code;
  // "origin.test" as the value of :authority, Huffman-coded, with what is wrong at its end.
  const auto huffman = [](const Bytes& coded) {
    return headers(1, Bytes{0x00} + hpack_string("x") + Bytes{static_cast<std::uint8_t>(0x80 | coded.size())} + coded);
  };
  const auto bad = [](std::string name, const Bytes& block_bytes) {
    return H2Case{std::move(name), preface() + headers(1, block_bytes), connection_error, compression_error};
  };
  return {
      bad("4.3: a field line that ends in the middle", Bytes{0x00, 0x05, 'a'}),
      bad("4.3 (7541 2.3.3): an index past both tables", Bytes{0xc6}),
      bad("4.3 (7541 6.1): index 0", Bytes{0x80}),
      bad("4.3 (7541 4.2): a dynamic table size update past the limit", Bytes{0x3f, 0xe2, 0x1f} + request_block()),
      bad("4.3 (7541 4.2): a dynamic table size update at the end of a block", request_block() + Bytes{0x20}),
      bad("4.3 (7541 5.1): an integer that overflows", Bytes{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}),
      {"4.3 (7541 5.2): Huffman padding of more than seven bits", preface() + huffman({0xff, 0xff}), connection_error,
       compression_error},
      {"4.3 (7541 5.2): Huffman padding of zeros", preface() + huffman({0x18}), connection_error, compression_error},
      {"4.3 (7541 5.2): the EOS symbol inside a string", preface() + huffman({0xff, 0xff, 0xff, 0xfc}),
       connection_error, compression_error},
      {"4.3: a block is decoded even where its stream is refused",
       preface() + headers(1, Bytes{0x40} + hpack_string("x-kept") + hpack_string("value")) +
           headers(3, request_block() + Bytes{0xbe}),
       response, no_error, 3},
  };
}

inline std::vector<H2Case> settings_cases() {
  using enum Answer;
  using enum Code;
  const auto bad = [](std::string name, const Bytes& bytes, Code code) {
    return H2Case{std::move(name), preface() + bytes, connection_error, code};
  };
  return {
      bad("6.5: an acknowledgement with content", frame(FrameType::settings, ack, 0, Bytes(6, 0)), frame_size_error),
      bad("6.5: SETTINGS on a stream", frame(FrameType::settings, 0, 1, Bytes(6, 0)), protocol_error),
      bad("6.5: a length that is no multiple of six", frame(FrameType::settings, 0, 0, Bytes(3, 0)), frame_size_error),
      bad("6.5: more entries than anyone needs", frame(FrameType::settings, 0, 0, Bytes(std::size_t{33} * 6, 0)),
          enhance_your_calm),
      bad("6.5.2: ENABLE_PUSH of 2", settings({{2, 2}}), protocol_error),
      bad("6.5.2: INITIAL_WINDOW_SIZE of 2^31", settings({{4, 0x80000000}}), flow_control_error),
      bad("6.5.2: MAX_FRAME_SIZE of 16,383", settings({{5, 16383}}), protocol_error),
      bad("6.5.2: MAX_FRAME_SIZE of 2^24", settings({{5, 1U << 24U}}), protocol_error),
      bad("6.5.2 (8441 3): ENABLE_CONNECT_PROTOCOL of 2", settings({{8, 2}}), protocol_error),
      {"6.5.2: an unknown setting", preface() + settings({{0x99, 7}}) + get(1), response},
      {"6.5.3: values that follow each other", preface() + settings({{4, 1}, {4, 65535}}) + get(1), response},
      {"6.5.2: HEADER_TABLE_SIZE of 0", preface() + settings({{1, 0}}) + get(1), response},
  };
}

inline std::vector<H2Case> control_cases() {
  using enum Answer;
  using enum Code;
  const auto bad = [](std::string name, const Bytes& bytes, Code code) {
    return H2Case{std::move(name), preface() + bytes, connection_error, code};
  };
  return {
      bad("6.7: PING on a stream", frame(FrameType::ping, 0, 1, Bytes(8, 0)), protocol_error),
      bad("6.7: PING of six octets", frame(FrameType::ping, 0, 0, Bytes(6, 0)), frame_size_error),
      {"6.7: an acknowledgement of a PING we have not sent", preface() + ping("unasked!", ack), ignored},
      bad("6.8: GOAWAY on a stream", frame(FrameType::goaway, 0, 1, Bytes(8, 0)), protocol_error),
      bad("6.8: GOAWAY that is cut short", frame(FrameType::goaway, 0, 0, Bytes(7, 0)), frame_size_error),
      {"6.8: a client's GOAWAY leaves its open streams alone",
       preface() + post(1) + post(3) + goaway(0, no_error) + data(1, "x", end_stream), response},
      bad("6.9: WINDOW_UPDATE of 0 on the connection", window_update(0, 0), protocol_error),
      bad("6.9: WINDOW_UPDATE of three octets", frame(FrameType::window_update, 0, 0, Bytes(3, 1)), frame_size_error),
      bad("6.9.1: a connection window past 2^31-1", window_update(0, 0x7fffffff), flow_control_error),
      {"6.9.1: a stream window past 2^31-1", preface() + post(1) + window_update(1, 0x7fffffff), stream_error,
       flow_control_error},
      // RFC 9113 wants the connection ended; nghttp2 ends the stream, and nothing is lost by that.
      {"6.9.2: INITIAL_WINDOW_SIZE that takes a stream past 2^31-1",
       preface() + post(1) + window_update(1, 1000) + settings({{4, 0x7fffffff}}), stream_error, flow_control_error},
      {"6.9.2: a window that becomes negative",
       preface() + settings({{4, 0}}) + post(1) + settings({{4, 0}}) + data(1, "x", end_stream), response},
      bad("6.9.1: more content than the connection's window",
          post(1) + post(3) + post(5) + post(7) + post(9) + times(15, frame(FrameType::data, 0, 1, Bytes(16384, 'x'))) +
              times(15, frame(FrameType::data, 0, 3, Bytes(16384, 'x'))) +
              times(15, frame(FrameType::data, 0, 5, Bytes(16384, 'x'))) +
              times(15, frame(FrameType::data, 0, 7, Bytes(16384, 'x'))) +
              times(5, frame(FrameType::data, 0, 9, Bytes(16384, 'x'))),
          flow_control_error),
      {"6.9.1: more content than the stream's window",
       preface() + post(1) + times(17, frame(FrameType::data, 0, 1, Bytes(16384, 'x'))), stream_error,
       flow_control_error},
  };
}

}  // namespace tollgate::http::test
