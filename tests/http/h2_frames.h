// HTTP/2 frames written and read octet by octet (RFC 9113 §4.1, §6), so that tests can send what no library would.
// Header blocks are literals without indexing and without Huffman coding (RFC 7541 §6.2.2) unless a test writes others.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/bytes.h"

namespace tollgate::http::test {

enum class FrameType : std::uint8_t {
  data = 0,
  headers = 1,
  priority = 2,
  rst_stream = 3,
  settings = 4,
  push_promise = 5,
  ping = 6,
  goaway = 7,
  window_update = 8,
  continuation = 9,
  unknown = 0x42,
};

inline constexpr std::uint8_t end_stream = 0x1;
inline constexpr std::uint8_t ack = 0x1;
inline constexpr std::uint8_t end_headers = 0x4;
inline constexpr std::uint8_t padded = 0x8;
inline constexpr std::uint8_t with_priority = 0x20;

enum class Code : std::uint32_t {
  no_error = 0,
  protocol_error = 1,
  internal_error = 2,
  flow_control_error = 3,
  settings_timeout = 4,
  stream_closed = 5,
  frame_size_error = 6,
  refused_stream = 7,
  cancel = 8,
  compression_error = 9,
  connect_error = 10,
  enhance_your_calm = 11,
};

inline Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

inline Bytes times(std::size_t count, const Bytes& bytes) {
  Bytes all;
  for (std::size_t i = 0; i < count; ++i) all.insert(all.end(), bytes.begin(), bytes.end());
  return all;
}

inline Bytes octets(std::string_view text) { return {text.begin(), text.end()}; }

inline Bytes number(std::uint32_t value, std::size_t width) {
  Bytes bytes;
  for (std::size_t i = width; i > 0; --i) bytes.push_back(static_cast<std::uint8_t>(value >> (8 * (i - 1))));
  return bytes;
}
inline Bytes u32(std::uint32_t value) { return number(value, 4); }

// A frame whose header says `length`, whatever follows.
inline Bytes frame_header(std::uint32_t length, FrameType type, std::uint8_t flags, std::uint32_t stream) {
  return number(length, 3) + Bytes{static_cast<std::uint8_t>(type), flags} + u32(stream);
}
inline Bytes frame(FrameType type, std::uint8_t flags, std::uint32_t stream, const Bytes& payload = {}) {
  return frame_header(static_cast<std::uint32_t>(payload.size()), type, flags, stream) + payload;
}

inline Bytes preface_magic() { return octets("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); }

using Settings = std::initializer_list<std::pair<std::uint16_t, std::uint32_t>>;
inline Bytes settings(Settings entries = {}) {
  Bytes payload;
  for (const auto& [id, value] : entries) payload = payload + number(id, 2) + u32(value);
  return frame(FrameType::settings, 0, 0, payload);
}
inline Bytes settings_ack() { return frame(FrameType::settings, ack, 0); }
// What a client begins with (RFC 9113 §3.4), the answer to our SETTINGS included.
inline Bytes preface() { return preface_magic() + settings() + settings_ack(); }

// RFC 7541 §5.1 with a prefix of `bits`, the bits above it from `first`.
inline Bytes prefixed(std::uint32_t value, unsigned bits, std::uint8_t first) {
  const std::uint32_t most = (1U << bits) - 1;
  if (value < most) return {static_cast<std::uint8_t>(first | value)};
  Bytes bytes{static_cast<std::uint8_t>(first | most)};
  for (value -= most; value >= 128; value >>= 7U) bytes.push_back(static_cast<std::uint8_t>((value & 127U) | 128U));
  bytes.push_back(static_cast<std::uint8_t>(value));
  return bytes;
}
inline Bytes hpack_string(std::string_view text) {
  return prefixed(static_cast<std::uint32_t>(text.size()), 7, 0) + octets(text);
}
inline Bytes line(std::string_view name, std::string_view value) {
  return Bytes{0x00} + hpack_string(name) + hpack_string(value);
}
using Lines = std::vector<std::pair<std::string_view, std::string_view>>;
inline Bytes block(const Lines& lines) {
  Bytes bytes;
  for (const auto& [name, value] : lines) bytes = bytes + line(name, value);
  return bytes;
}

// A request head as clients send it, with `more` lines after it.
inline Bytes request_block(std::string_view method = "GET", const Lines& more = {}) {
  return block({{":method", method}, {":scheme", "https"}, {":authority", "origin.test"}, {":path", "/"}}) +
         block(more);
}
inline Bytes headers(std::uint32_t stream, const Bytes& header_block, std::uint8_t flags = end_headers | end_stream) {
  return frame(FrameType::headers, flags, stream, header_block);
}
inline Bytes get(std::uint32_t stream) { return headers(stream, request_block()); }
inline Bytes post(std::uint32_t stream, const Lines& more = {}) {
  return headers(stream, request_block("POST", more), end_headers);
}
inline Bytes continuation(std::uint32_t stream, const Bytes& header_block, std::uint8_t flags = end_headers) {
  return frame(FrameType::continuation, flags, stream, header_block);
}
inline Bytes data(std::uint32_t stream, std::string_view content, std::uint8_t flags = 0) {
  return frame(FrameType::data, flags, stream, octets(content));
}
inline Bytes rst_stream(std::uint32_t stream, Code code) {
  return frame(FrameType::rst_stream, 0, stream, u32(static_cast<std::uint32_t>(code)));
}
inline Bytes window_update(std::uint32_t stream, std::uint32_t increment) {
  return frame(FrameType::window_update, 0, stream, u32(increment));
}
inline Bytes ping(std::string_view eight = "12345678", std::uint8_t flags = 0) {
  return frame(FrameType::ping, flags, 0, octets(eight));
}
inline Bytes goaway(std::uint32_t last_stream, Code code, std::string_view debug = {}) {
  return frame(FrameType::goaway, 0, 0, u32(last_stream) + u32(static_cast<std::uint32_t>(code)) + octets(debug));
}
inline Bytes priority_fields(std::uint32_t depends_on, std::uint8_t weight) { return u32(depends_on) + Bytes{weight}; }
inline Bytes priority(std::uint32_t stream, std::uint32_t depends_on) {
  return frame(FrameType::priority, 0, stream, priority_fields(depends_on, 15));
}

struct Frame {
  FrameType type;
  std::uint8_t flags;
  std::uint32_t stream;
  Bytes payload;

  bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
  // Of RST_STREAM and GOAWAY.
  Code code() const {
    ByteCursor cursor(payload);
    if (type == FrameType::goaway) cursor.u32();
    return static_cast<Code>(cursor.u32().value_or(0xffff));
  }
  std::uint32_t first_u32() const { return ByteCursor(payload).u32().value_or(0xffffffff); }
};

// The whole frames at the start of `bytes`; what is left of a cut one is ignored.
inline std::vector<Frame> frames_in(ByteView bytes) {
  std::vector<Frame> frames;
  ByteCursor cursor(bytes);
  while (const auto length = cursor.u24()) {
    const auto type = cursor.u8();
    const auto flags = cursor.u8();
    const auto stream = cursor.u32();
    const auto payload = stream ? cursor.take(*length) : std::nullopt;
    if (!payload) break;
    frames.push_back({static_cast<FrameType>(*type), *flags, *stream, Bytes(payload->begin(), payload->end())});
  }
  return frames;
}

inline std::vector<Frame> of_type(const std::vector<Frame>& frames, FrameType type) {
  std::vector<Frame> some;
  for (const Frame& one : frames) {
    if (one.type == type) some.push_back(one);
  }
  return some;
}

}  // namespace tollgate::http::test
