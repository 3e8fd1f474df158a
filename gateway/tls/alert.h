// A fatal alert in clear, for a client whose ClientHello is all that was said (RFC 8446 §6, §5.1).
#pragma once

#include <array>
#include <cstdint>

namespace tollgate::tls {

enum class Alert : std::uint8_t {
  record_overflow = 22,
  handshake_failure = 40,
  decode_error = 50,
  internal_error = 80
};

constexpr std::array<std::uint8_t, 7> fatal_alert(Alert alert) {
  return {21, 3, 3, 0, 2, 2, static_cast<std::uint8_t>(alert)};
}

}  // namespace tollgate::tls
