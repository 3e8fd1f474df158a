// The program's version; CMakeLists.txt says the same, and a test compares them.
#pragma once

#include <string_view>

namespace tollgate::app {
inline constexpr std::string_view version = "0.1.0";
}
