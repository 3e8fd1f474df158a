// WebSocket frames, counted (RFC 6455 §5.2). After a 101 the gateway passes bytes through untouched; this watches one
// direction of them and counts. It never fails the traffic: at the first thing that is no WebSocket it stops counting.
// Sans-I/O. The same counts however the bytes are cut. Threads: one at a time.
#pragma once

#include <array>
#include <cstdint>

#include "gateway/base/bytes.h"
#include "gateway/base/units.h"

namespace tollgate::http {

// Frames are counted when their header is complete, messages when the payload of their last frame is.
struct WebSocketCounts {
  std::uint64_t text = 0;          // messages begun as text: frames of opcode 1
  std::uint64_t binary = 0;        // and as binary: opcode 2
  std::uint64_t continuation = 0;  // further frames of either: opcode 0
  std::uint64_t close = 0;
  std::uint64_t ping = 0;
  std::uint64_t pong = 0;
  std::uint64_t messages = 0;  // text and binary messages that were complete
  ByteCount payload = 0;       // of text, binary and continuation frames, as announced

  std::uint64_t frames() const { return text + binary + continuation + close + ping + pong; }
  bool operator==(const WebSocketCounts&) const = default;
};

class WebSocketFrames {
 public:
  // The next bytes of the direction, from the first one after the head on.
  void feed(ByteView bytes);
  const WebSocketCounts& counts() const { return counts_; }
  // False once something was no WebSocket frame: the counts are of what came before it.
  bool counting() const { return counting_; }

 private:
  static constexpr std::size_t longest_header = 14;  // 2, extended length 8, masking key 4

  std::size_t header_size() const;
  bool begin_frame();
  bool count_opcode(std::uint8_t opcode, bool last);
  void end_frame();

  WebSocketCounts counts_;
  std::array<std::uint8_t, longest_header> header_{};
  std::size_t header_have_ = 0;
  ByteCount payload_left_ = 0;
  bool in_payload_ = false;
  bool in_message_ = false;    // a data frame without FIN has been seen, and its end has not
  bool ends_message_ = false;  // the current frame completes a message
  bool counting_ = true;
};

}  // namespace tollgate::http
