// Time. Wall time is for records, monotonic time for deadlines and durations; both are inputs, so that tests set them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/base/result.h"
#include "gateway/base/units.h"

namespace tollgate {

using WallTime = std::chrono::time_point<std::chrono::system_clock, Micros>;
using MonoTime = std::chrono::steady_clock::time_point;

WallTime wall_now();
inline MonoTime mono_now() { return std::chrono::steady_clock::now(); }

inline std::int64_t to_micros(WallTime time) { return time.time_since_epoch().count(); }
inline WallTime from_micros(std::int64_t micros) { return WallTime(Micros(micros)); }

// RFC 3339 in UTC with microseconds: `2026-11-22T13:02:03.000004Z`.
std::string rfc3339(WallTime time);
// Any RFC 3339 offset, any number of fraction digits (those past microseconds are dropped). Errors: malformed.
Result<WallTime> parse_rfc3339(std::string_view text);

}  // namespace tollgate
