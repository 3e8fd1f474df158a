// Bytes and how they are read: a cursor that cannot run past its end.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace tollgate {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// Reads big-endian fields from the front of a view. A read that does not fit returns nothing and moves nothing.
// Does not own the bytes.
class ByteCursor {
 public:
  explicit ByteCursor(ByteView bytes) : rest_(bytes) {}

  std::optional<std::uint8_t> u8() {
    const auto value = number(1);
    return value ? std::optional(static_cast<std::uint8_t>(*value)) : std::nullopt;
  }
  std::optional<std::uint16_t> u16() {
    const auto value = number(2);
    return value ? std::optional(static_cast<std::uint16_t>(*value)) : std::nullopt;
  }
  std::optional<std::uint32_t> u24() { return number(3); }
  std::optional<std::uint32_t> u32() { return number(4); }

  std::optional<ByteView> take(std::size_t count) {
    if (count > rest_.size()) return std::nullopt;
    const ByteView taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  // A vector with its length in front, as TLS presentation language has it (RFC 8446 §3.4): u8, u16 or u24 long.
  std::optional<ByteView> vector8() { return vector(1); }
  std::optional<ByteView> vector16() { return vector(2); }
  std::optional<ByteView> vector24() { return vector(3); }

  ByteView rest() const { return rest_; }
  bool empty() const { return rest_.empty(); }
  std::size_t size() const { return rest_.size(); }

 private:
  std::optional<std::uint32_t> number(std::size_t width) {
    const auto taken = take(width);
    if (!taken) return std::nullopt;
    std::uint32_t value = 0;
    for (const std::uint8_t byte : *taken) value = (value << 8U) | byte;
    return value;
  }
  std::optional<ByteView> vector(std::size_t width) {
    const ByteView before = rest_;
    const auto length = number(width);
    const auto body = length ? take(*length) : std::nullopt;
    if (!body) rest_ = before;
    return body;
  }

  ByteView rest_;
};

}  // namespace tollgate
