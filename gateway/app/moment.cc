#include "gateway/app/moment.h"

#include <fmt/format.h>

#include "gateway/base/text.h"

namespace tollgate::app {

Result<WallTime> parse_moment(std::string_view text, WallTime now) {
  if (const auto time = parse_rfc3339(text)) return *time;
  if (const auto age = parse_duration(text)) {
    // Compared in milliseconds: an age of all of Millis would overflow in microseconds. 1970 is as far back as there
    // is.
    const auto since_1970 = std::chrono::duration_cast<Millis>(now.time_since_epoch());
    return *age < since_1970 ? now - *age : WallTime();
  }
  return fail(Error::Kind::malformed,
              fmt::format("\"{}\": a time is RFC 3339, such as 2026-11-22T13:02:03Z, or an age, such as 90m, 24h or 7d",
                          printable(text.substr(0, 100))));
}

}  // namespace tollgate::app
