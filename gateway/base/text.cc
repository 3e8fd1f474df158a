#include "gateway/base/text.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>

namespace tollgate {
namespace {

struct Form {
  std::uint8_t mask, lead;
  std::size_t length;
  char32_t smallest;  // below it the form is overlong
};
constexpr std::array<Form, 4> forms{{
    {0x80, 0x00, 1, 0},
    {0xe0, 0xc0, 2, 0x80},
    {0xf0, 0xe0, 3, 0x800},
    {0xf8, 0xf0, 4, 0x10000},
}};

}  // namespace

std::optional<char32_t> take_code_point(std::string_view& text) {
  if (text.empty()) return std::nullopt;
  const auto first = static_cast<std::uint8_t>(text.front());
  for (const Form& form : forms) {
    if ((first & form.mask) != form.lead) continue;
    if (text.size() < form.length) return std::nullopt;
    char32_t value = first & static_cast<std::uint8_t>(~form.mask);
    for (std::size_t i = 1; i < form.length; ++i) {
      const auto next = static_cast<std::uint8_t>(text[i]);
      if ((next & 0xc0U) != 0x80) return std::nullopt;
      value = (value << 6U) | (next & 0x3fU);
    }
    const bool surrogate = value >= 0xd800 && value <= 0xdfff;
    if (value < form.smallest || value > 0x10ffff || surrogate) return std::nullopt;
    text.remove_prefix(form.length);
    return value;
  }
  return std::nullopt;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    if (!take_code_point(text)) return false;
  }
  return true;
}

bool is_control(char32_t code_point) {
  const auto within = [&](char32_t low, char32_t high) { return code_point >= low && code_point <= high; };
  return code_point < 0x20 || within(0x7f, 0x9f) || code_point == 0x61c || within(0x200b, 0x200f) ||
         within(0x2028, 0x202e) || within(0x2060, 0x2069) || code_point == 0xfeff;
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::string_view before = text;
    const auto code_point = take_code_point(text);
    if (!code_point) {
      out += fmt::format("\\x{{{:02x}}}", static_cast<std::uint8_t>(text.front()));
      text.remove_prefix(1);
    } else if (is_control(*code_point)) {
      out += fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(*code_point));
    } else {
      out += before.substr(0, before.size() - text.size());
    }
  }
  return out;
}

}  // namespace tollgate
