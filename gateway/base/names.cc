#include "gateway/base/names.h"

#include <fmt/format.h>

#include <algorithm>

namespace tollgate {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_label_char(char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_'; }

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= 63 && std::all_of(label.begin(), label.end(), is_label_char);
}

// "127.1", "0x7f.1", "2130706433": inet_aton spellings end in a number.
bool ends_in_number(std::string_view host) {
  const std::string_view last = host.substr(host.rfind('.') + 1);
  if (last.starts_with("0x")) {
    return std::all_of(last.begin() + 2, last.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
  }
  return std::all_of(last.begin(), last.end(), is_digit);
}

}  // namespace

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

template <>
Result<HostName> HostName::parse(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return fail(Error::Kind::malformed, fmt::format("\"{}\" is not a host name: {}", text.substr(0, 300), why));
  };
  std::string host = ascii_lower(text);
  if (host.ends_with('.')) host.pop_back();
  if (host.empty()) return bad("it is empty");
  if (host.size() > 253) return bad("it is longer than 253 characters");
  std::string_view rest = host;
  while (true) {
    const auto dot = rest.find('.');
    if (!is_label(rest.substr(0, dot))) return bad("labels are 1 to 63 letters, digits and hyphens");
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (ends_in_number(host)) return bad("its last label is a number, so it is an IPv4 address");
  return HostName(std::move(host));
}

}  // namespace tollgate
