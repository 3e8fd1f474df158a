// Text that came from somewhere else: whether it is UTF-8, and how to show it to a person without trusting it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tollgate {

// Takes one code point from the front of `text`. Nothing, and nothing moved, where `text` does not begin with
// well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
std::optional<char32_t> take_code_point(std::string_view& text);

bool is_utf8(std::string_view text);

// What a terminal would act on rather than show: C0 and C1 controls, DEL, line and paragraph separators, and the marks
// that reorder or hide text (bidirectional controls, zero-width characters).
bool is_control(char32_t code_point);

// `text` as it may be printed anywhere: controls become \u{1b}, bytes that are not UTF-8 become \x{ff}.
std::string printable(std::string_view text);

}  // namespace tollgate
