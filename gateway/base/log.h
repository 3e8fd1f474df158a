// The program's own log: spdlog to stderr. Never a secret: no query value, header value, body byte or key.
#pragma once

#include <string_view>

#include "gateway/base/result.h"

namespace tollgate {

// Sets the default spdlog logger: stderr, time, level, message. `level` is trace, debug, info, warn, error or off.
// Errors: malformed, with what is allowed.
Status start_logging(std::string_view level);

}  // namespace tollgate
