// The TOML library (toml++ 3.3), as every file that needs it must include it: one set of its macros in the program.
//
// In two places 3.3 takes for granted what a document can break:
//  - parse_key() assumes a key behind a table's brackets (`[[[`), asserting so in one build and letting the optimiser
//  rely
//    on it in another, although the code behind the assumption reports the error well. So nothing is assumed here.
//  - its test for whitespace runs into __builtin_unreachable() for many characters that are not ASCII. Where TOML
//  allows
//    none, stray_character() finds them first: call it before toml::parse.
#pragma once

#include <toml++/impl/preprocessor.h>

#include <cstddef>
#include <optional>
#include <string_view>

#undef TOML_ASSERT_ASSUME
#define TOML_ASSERT_ASSUME(...) static_assert(true)
#include <toml++/toml.h>

namespace tollgate::config {

// Where the first character stands that is not ASCII and is neither in a string nor in a comment (TOML 1.0 allows it
// only there). For text that is no TOML the answer holds up to the first error.
std::optional<std::size_t> stray_character(std::string_view text);

}  // namespace tollgate::config
