#include "gateway/http/websocket_frames.h"

#include <catch2/catch.hpp>
#include <string>

namespace tollgate::http {
namespace {

constexpr int fin = 0x80;
enum class Mask : std::uint8_t { no, yes };

std::string frame(int first_octet, std::size_t length, Mask mask = Mask::no) {
  const auto octet = [](std::size_t value) { return static_cast<char>(value & 0xffU); };
  const std::size_t mask_bit = mask == Mask::yes ? 0x80 : 0;
  std::string bytes{octet(static_cast<std::size_t>(first_octet))};
  if (length < 126) {
    bytes += octet(mask_bit | length);
  } else if (length < 65536) {
    bytes += {octet(mask_bit | 126), octet(length >> 8U), octet(length)};
  } else {
    bytes += octet(mask_bit | 127);
    for (int shift = 56; shift >= 0; shift -= 8) bytes += octet(static_cast<std::uint64_t>(length) >> shift);
  }
  if (mask == Mask::yes) bytes += "\x81\x02\x03\x04";
  return bytes + std::string(length, '\x81');  // a payload that looks like headers
}

WebSocketFrames fed(std::string_view bytes, std::size_t piece = ~std::size_t{0}) {
  WebSocketFrames frames;
  for (std::size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size())) {
    frames.feed(as_bytes(bytes.substr(at, piece)));
  }
  return frames;
}

TEST_CASE("frames and messages are counted by opcode", "[http][websocket]") {
  const std::string bytes = frame(fin | 1, 5, Mask::yes) + frame(fin | 2, 300) + frame(fin | 9, 4) +
                            frame(fin | 10, 0) + frame(1, 3) + frame(fin | 9, 0) + frame(0, 70000) +
                            frame(fin | 0, 0, Mask::yes) + frame(fin | 0x40 | 1, 125) + frame(fin | 8, 2);
  const auto frames = fed(bytes);
  CHECK(frames.counting());
  const WebSocketCounts& counts = frames.counts();
  CHECK(counts.text == 3);
  CHECK(counts.binary == 1);
  CHECK(counts.continuation == 2);
  CHECK(counts.ping == 2);
  CHECK(counts.pong == 1);
  CHECK(counts.close == 1);
  CHECK(counts.frames() == 10);
  CHECK(counts.messages == 4);
  CHECK(counts.payload == 5 + 300 + 3 + 70000 + 125);
  for (const std::size_t piece : {1U, 2U, 3U, 7U, 4096U}) {
    CAPTURE(piece);
    CHECK(fed(bytes, piece).counts() == counts);
  }
}

TEST_CASE("a message counts when its last octet is there", "[http][websocket]") {
  const std::string bytes = frame(fin | 1, 2);
  CHECK(fed(bytes.substr(0, 1)).counts().text == 0);
  CHECK(fed(bytes.substr(0, 2)).counts().text == 1);
  CHECK(fed(bytes.substr(0, 3)).counts().messages == 0);
  CHECK(fed(bytes).counts().messages == 1);
}

TEST_CASE("counting stops at what is no WebSocket frame, and stays stopped", "[http][websocket]") {
  const std::string good = frame(fin | 1, 1);
  const std::vector<std::pair<std::string, std::string>> nonsense = {
      {"reserved data opcode", frame(fin | 3, 0)},
      {"reserved control opcode", frame(fin | 11, 0)},
      {"fragmented ping", frame(9, 0)},
      {"long ping", frame(fin | 9, 126)},
      {"continuation of nothing", frame(fin | 0, 1)},
      {"message within a message", frame(1, 1) + frame(fin | 1, 1)},
      {"length past 63 bits", std::string("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", 10)},
      {"HTTP", "HTTP/1.1 200 OK\r\n"},
  };
  for (const auto& [what, bytes] : nonsense) {
    CAPTURE(what);
    std::string stream = good;
    stream.append(bytes).append(good);
    const auto frames = fed(stream);
    CHECK_FALSE(frames.counting());
    CHECK(frames.counts().messages == 1);
  }
}

}  // namespace
}  // namespace tollgate::http
