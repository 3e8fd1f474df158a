// A point in time as people give it on a command line.
#pragma once

#include <string_view>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"

namespace tollgate::app {

// RFC 3339 (`2026-11-22T13:02:03Z`), or an age before `now` (`24h`). Errors: malformed, with what is allowed.
Result<WallTime> parse_moment(std::string_view text, WallTime now);

}  // namespace tollgate::app
