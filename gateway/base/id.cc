#include "gateway/base/id.h"

#include <openssl/rand.h>

#include <cstring>

namespace tollgate {
namespace {
constexpr std::string_view crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
}

IdSource::IdSource() {
  std::array<std::uint8_t, 16> seed{};
  RAND_bytes(seed.data(), static_cast<int>(seed.size()));
  std::memcpy(&random_low_, seed.data(), sizeof random_low_);
  std::memcpy(&random_high_, seed.data() + 8, sizeof random_high_);
  random_high_ &= 0x7fffU;  // the top bit is left free, so that counting up within a millisecond cannot overflow
}

std::string IdSource::next(WallTime now) {
  const std::int64_t millis = std::chrono::duration_cast<Millis>(now.time_since_epoch()).count();
  if (millis > last_millis_) last_millis_ = millis;
  if (++random_low_ == 0) ++random_high_;

  std::array<char, 26> text{};
  auto time = static_cast<std::uint64_t>(last_millis_);
  for (std::size_t i = 10; i-- > 0; time >>= 5U) text.at(i) = crockford[time & 31U];
  // 80 bits, 16 characters of 5: the low 64 bits first, then what spills from the high 16.
  std::uint64_t low = random_low_;
  std::uint64_t high = random_high_;
  for (std::size_t i = 26; i-- > 10;) {
    text.at(i) = crockford[low & 31U];
    low = (low >> 5U) | (high << 59U);
    high >>= 5U;
  }
  return {text.data(), text.size()};
}

}  // namespace tollgate
