// Names that cannot be confused with each other or with unchecked text: the only way in is parse().
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>

#include "gateway/base/result.h"

namespace tollgate {

template <class Tag>
class Name {
 public:
  static Result<Name> parse(std::string_view text);
  const std::string& text() const { return text_; }
  auto operator<=>(const Name&) const = default;

 private:
  explicit Name(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// A DNS host name: lower-case A-labels (underscores are tolerated, as resolvers do), no final dot, at most 253
// characters, labels of 1 to 63 (RFC 1035 §2.3.4). Never an IPv4 literal in any spelling (a last label that is a number
// makes it one, WHATWG URL §3.5). parse() folds case and drops one final dot.
using HostName = Name<struct HostNameTag>;
template <>
Result<HostName> HostName::parse(std::string_view text);

std::string ascii_lower(std::string_view text);
// ASCII case-insensitive, as field names and tokens are compared (RFC 9110 §5.1).
bool equal_ignoring_case(std::string_view a, std::string_view b);

}  // namespace tollgate

template <class Tag>
struct std::hash<tollgate::Name<Tag>> {
  std::size_t operator()(const tollgate::Name<Tag>& name) const { return std::hash<std::string>{}(name.text()); }
};
