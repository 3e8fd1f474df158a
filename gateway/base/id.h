// Record ids: ULIDs, 26 characters of Crockford base 32 that sort by time. https://github.com/ulid/spec
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "gateway/base/clock.h"

namespace tollgate {

// Makes ids that never repeat and never go backwards, even when the clock does. One a thread: not thread-safe.
class IdSource {
 public:
  IdSource();  // seeds itself from the kernel
  std::string next(WallTime now);

 private:
  std::int64_t last_millis_ = 0;
  std::uint64_t random_high_ = 0;  // 16 bits
  std::uint64_t random_low_ = 0;   // 64 bits
};

}  // namespace tollgate
