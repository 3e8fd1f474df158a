#include "gateway/base/text.h"

#include <catch2/catch.hpp>

using namespace tollgate;

TEST_CASE("UTF-8 is recognised, and what only looks like it is not", "[base]") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("abc \xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\xb1"));
  const auto* const text =
      GENERATE("\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
               "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xff", "a\xe2\x82");
  CAPTURE(text);
  CHECK_FALSE(is_utf8(text));
}

TEST_CASE("a code point is taken whole or not at all", "[base]") {
  std::string_view text = "\xe2\x82\xac\xff";
  CHECK(take_code_point(text) == U'\u20ac');
  CHECK(text == "\xff");
  CHECK_FALSE(take_code_point(text));
  CHECK(text == "\xff");
}

TEST_CASE("printable text shows controls and broken bytes instead of sending them", "[base]") {
  CHECK(printable("plain \xc3\xa9") == "plain \xc3\xa9");
  CHECK(printable("\x1b[31mred\n") == "\\u{1b}[31mred\\u{a}");
  CHECK(printable("\xc2\x9b"
                  "31m") == "\\u{9b}31m");
  CHECK(printable("user\xe2\x80\xaegnp.exe") == "user\\u{202e}gnp.exe");
  CHECK(printable("\xff\x7f") == "\\x{ff}\\u{7f}");
}
