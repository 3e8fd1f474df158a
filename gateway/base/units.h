// Units that are not confused: sizes in bytes, durations in std::chrono.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/base/result.h"

namespace tollgate {

using ByteCount = std::uint64_t;  // bytes, always
inline constexpr ByteCount kibibyte = 1024;
inline constexpr ByteCount mebibyte = 1024 * kibibyte;
inline constexpr ByteCount gibibyte = 1024 * mebibyte;

using Millis = std::chrono::milliseconds;
using Micros = std::chrono::microseconds;
using Seconds = std::chrono::seconds;

// `2GiB`, `512 MiB`, `64KiB`, `100` (bytes). Errors: malformed, with what is allowed.
Result<ByteCount> parse_byte_count(std::string_view text);
// `500ms`, `30s`, `5m`, `24h`, `7d`. Errors: malformed, with what is allowed.
Result<Millis> parse_duration(std::string_view text);

// For people: `1.5 MiB`, `312 B`.
std::string readable(ByteCount bytes);

}  // namespace tollgate
