#include "gateway/config/toml_library.h"

#include <algorithm>

namespace tollgate::config {
namespace {

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

// Whether a quotation mark behind `before` begins a string. Elsewhere (`807ms"`) it is a mistake, in which the library
// looks for the end of a value that it takes for a number.
bool begins_string_after(std::string_view before) {
  static constexpr std::string_view openers = " \t\r\n=[,{.";
  return before.empty() || openers.find(before.back()) != std::string_view::npos;
}

// The end of the string that begins at `at`, behind its last quotation mark; the end of the line or text when it is not
// closed.
std::size_t string_end(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const std::string_view three = quote == '"' ? R"(""")" : "'''";
  const bool multi_line = text.substr(at, 3) == three;
  const std::string_view closing = multi_line ? three : three.substr(0, 1);
  for (at += closing.size(); at < text.size(); ++at) {
    if (text[at] == '\\' && quote == '"') {
      ++at;
    } else if (text[at] == '\n' && !multi_line) {
      return at;
    } else if (text.substr(at, closing.size()) == closing) {
      at += closing.size();
      // One or two quotation marks may stand right before the three that close: the last three are those.
      for (int more = 0; multi_line && more < 2 && at < text.size() && text[at] == quote; ++more) ++at;
      return at;
    }
  }
  return text.size();
}

}  // namespace

std::optional<std::size_t> stray_character(std::string_view text) {
  static constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  const std::size_t start = text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0;
  std::size_t at = start;
  while (at < text.size()) {
    if (!is_ascii(text[at])) return at;
    if ((text[at] == '"' || text[at] == '\'') && begins_string_after(text.substr(start, at - start))) {
      at = string_end(text, at);
    } else if (text[at] == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else {
      ++at;
    }
  }
  return std::nullopt;
}

}  // namespace tollgate::config
