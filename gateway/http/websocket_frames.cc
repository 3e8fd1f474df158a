#include "gateway/http/websocket_frames.h"

#include <algorithm>

namespace tollgate::http {
namespace {

constexpr std::size_t shortest_header = 2;
constexpr std::uint8_t fin_bit = 0x80;
constexpr std::uint8_t mask_bit = 0x80;
constexpr std::uint8_t opcode_bits = 0x0f;
constexpr std::uint8_t control_bit = 0x08;  // of an opcode
constexpr std::uint8_t length_bits = 0x7f;
constexpr std::uint8_t length_16 = 126;
constexpr std::uint8_t length_64 = 127;

}  // namespace

void WebSocketFrames::feed(ByteView bytes) {
  while (counting_ && !bytes.empty()) {
    if (in_payload_) {
      const auto taken = static_cast<std::size_t>(std::min<ByteCount>(payload_left_, bytes.size()));
      bytes = bytes.subspan(taken);
      payload_left_ -= taken;
      if (payload_left_ == 0) end_frame();
      continue;
    }
    header_[header_have_++] = bytes.front();
    bytes = bytes.subspan(1);
    if (header_have_ < shortest_header || header_have_ < header_size()) continue;
    counting_ = begin_frame();
    header_have_ = 0;
  }
}

std::size_t WebSocketFrames::header_size() const {
  const std::uint8_t length = header_[1] & length_bits;
  const std::size_t extended = length == length_16 ? 2 : length == length_64 ? 8 : 0;
  return shortest_header + extended + ((header_[1] & mask_bit) != 0 ? 4 : 0);
}

// The header is complete. False: this is no WebSocket frame.
bool WebSocketFrames::begin_frame() {
  const bool last = (header_[0] & fin_bit) != 0;
  const std::uint8_t opcode = header_[0] & opcode_bits;
  ByteCount length = header_[1] & length_bits;
  const bool control = (opcode & control_bit) != 0;
  if (control && (!last || length >= length_16)) return false;  // §5.5: not fragmented, at most 125 octets
  ByteCursor extended(ByteView(header_).subspan(shortest_header));
  if (length == length_16) {
    length = *extended.u16();
  } else if (length == length_64) {
    const ByteCount high = *extended.u32();
    length = high << 32U | *extended.u32();
    if (high >> 31U != 0) return false;  // §5.2: the most significant bit is 0
  }
  if (!count_opcode(opcode, last)) return false;
  if (!control) counts_.payload += length;
  payload_left_ = length;
  in_payload_ = true;
  if (length == 0) end_frame();
  return true;
}

// False: an opcode that is reserved, or that cannot come here (§5.4: messages are not interleaved).
bool WebSocketFrames::count_opcode(std::uint8_t opcode, bool last) {
  ends_message_ = false;
  switch (opcode) {
    case 0x8: ++counts_.close; return true;
    case 0x9: ++counts_.ping; return true;
    case 0xa: ++counts_.pong; return true;
    case 0x0:
    case 0x1:
    case 0x2:
      if (in_message_ != (opcode == 0x0)) return false;
      ++(opcode == 0x0 ? counts_.continuation : opcode == 0x1 ? counts_.text : counts_.binary);
      in_message_ = !last;
      ends_message_ = last;
      return true;
    default: return false;
  }
}

void WebSocketFrames::end_frame() {
  in_payload_ = false;
  if (ends_message_) ++counts_.messages;
}

}  // namespace tollgate::http
