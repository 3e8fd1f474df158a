#include "gateway/http/message.h"

#include <algorithm>
#include <cassert>
#include <limits>

#include "gateway/base/names.h"
#include "gateway/http/h1_chars.h"

namespace tollgate::http {
namespace {

// Length of the list member at the front of `list`: up to a comma that no quoted string holds.
std::size_t member_length(std::string_view list) {
  bool quoted = false;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i] == '"') {
      quoted = !quoted;
    } else if (quoted && list[i] == '\\') {
      ++i;  // quoted-pair: whatever follows is not the end
    } else if (!quoted && list[i] == ',') {
      return i;
    }
  }
  return list.size();
}

}  // namespace

void Fields::add(std::string_view name, std::string_view value) {
  assert(text_.size() + name.size() + value.size() <= std::numeric_limits<std::uint32_t>::max());
  const auto at = static_cast<std::uint32_t>(text_.size());
  const auto name_size = static_cast<std::uint32_t>(name.size());
  text_.append(name).append(value);
  lines_.push_back(Line{at, name_size, at + name_size, static_cast<std::uint32_t>(value.size())});
}

std::size_t Fields::remove(std::string_view name) {
  const std::size_t found = count(name);
  if (found == 0) return 0;
  // Rebuilt, so that the text of what is gone goes too: text_size() is what is left.
  Fields kept;
  kept.reserve(size() - found, text_.size());
  for (std::size_t i = 0; i < size(); ++i) {
    const FieldLine line = at(i);
    if (!same_name(line.name, name)) kept.add(line.name, line.value);
  }
  *this = std::move(kept);
  return found;
}

void Fields::reserve(std::size_t lines, std::size_t text) {
  lines_.reserve(lines);
  text_.reserve(text);
}

// Sizes first: they tell most names apart without touching the text.
bool Fields::is_named(const Line& line, std::string_view name) const {
  return line.name_size == name.size() && equal_ignoring_case(piece(line.name_at, line.name_size), name);
}

std::optional<std::string_view> Fields::find(std::string_view name) const {
  for (const Line& line : lines_) {
    if (is_named(line, name)) return piece(line.value_at, line.value_size);
  }
  return std::nullopt;
}

std::size_t Fields::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(lines_.begin(), lines_.end(), [&](const Line& line) { return is_named(line, name); }));
}

bool Fields::list_contains(std::string_view name, std::string_view token) const {
  for (const Line& line : lines_) {
    if (!is_named(line, name)) continue;
    std::string_view rest = piece(line.value_at, line.value_size);
    while (const auto member = take_list_member(rest)) {
      if (same_name(*member, token)) return true;
    }
  }
  return false;
}

std::optional<std::string_view> take_list_member(std::string_view& list) {
  while (!list.empty()) {
    const std::size_t length = member_length(list);
    const std::string_view member = trim_blanks(list.substr(0, length));
    list.remove_prefix(std::min(length + 1, list.size()));
    if (!member.empty()) return member;
  }
  return std::nullopt;
}

}  // namespace tollgate::http
