// Ends a switch that names every enumerator and has no default, so that -Wswitch names the one that was forgotten.
#pragma once

#include <cstdlib>

namespace tollgate {
[[noreturn]] inline void unreachable_state() { std::abort(); }
}  // namespace tollgate
