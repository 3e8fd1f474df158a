#include "gateway/config/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "gateway/base/text.h"
#include "gateway/config/toml_library.h"

namespace tollgate::config {
namespace {

constexpr std::size_t longest_shown = 100;

// As it is printed inside a message.
std::string clipped(std::string_view text) {
  std::string out = printable(text.substr(0, longest_shown * 4));
  std::string_view rest = out;
  for (std::size_t i = 0; i < longest_shown && !rest.empty(); ++i) take_code_point(rest);
  if (!rest.empty()) out.replace(out.size() - rest.size(), rest.size(), "…");
  return out;
}

std::string place_of(std::string_view file_name, const toml::source_region& source) {
  return fmt::format("{}:{}:{}", file_name, source.begin.line, source.begin.column);
}

bool is_bare(std::string_view part) {
  return !part.empty() && std::all_of(part.begin(), part.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::string as_written(const toml::node& node) {
  if (node.is_table()) return "a table";
  std::ostringstream out;
  node.visit([&](const auto& known) { out << known; });
  return clipped(out.str());
}

// In a --set (no file) the parts of a list have the place of the whole. The library bounds the depth (256).
Value to_value(const toml::node& node, const std::string& place, std::string_view file_name) {
  Value value{place, as_written(node), Value::Other{}};
  if (const auto* text = node.as_string()) {
    value.shown = shown(text->get());
    value.is = text->get();
  } else if (const auto* integer = node.as_integer()) {
    value.is = integer->get();
  } else if (const auto* boolean = node.as_boolean()) {
    value.is = boolean->get();
  } else if (const auto* array = node.as_array()) {
    Value::List list;
    for (const toml::node& element : *array) {
      list.push_back(to_value(element, file_name.empty() ? place : place_of(file_name, element.source()), file_name));
    }
    value.is = std::move(list);
  }
  return value;
}

struct Found {
  toml::source_position at;
  Assignment assignment;
};

void flatten(const toml::table& table, const std::string& prefix, std::string_view file_name, std::vector<Found>& out) {
  for (const auto& [key, node] : table) {
    const std::string part(key.str());
    const std::string path = prefix + (is_bare(part) ? part : shown(part));
    const toml::table* inner = node.as_table();
    if (inner != nullptr && !inner->empty()) {
      flatten(*inner, path + ".", file_name, out);
      continue;
    }
    Value value = to_value(node, place_of(file_name, node.source()), file_name);
    out.push_back({key.source().begin, {path, place_of(file_name, key.source()), std::move(value)}});
  }
}

// Line and column of a byte, as the library counts them: from 1, in characters.
std::string place_in(std::string_view text, std::size_t at, std::string_view file_name) {
  const std::string_view before = text.substr(0, at);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::string_view in_line = before.substr(before.rfind('\n') + 1);
  const auto column = std::count_if(in_line.begin(), in_line.end(), [](char c) { return (c & '\xc0') != '\x80'; }) + 1;
  return fmt::format("{}:{}:{}", file_name, line, column);
}

}  // namespace

Result<std::vector<Assignment>> read_toml(std::string_view text, std::string_view file_name) {
  if (const auto stray = stray_character(text)) {
    return fail(Error::Kind::malformed, fmt::format("{}: only ASCII is allowed outside of strings and comments",
                                                    place_in(text, *stray, file_name)));
  }
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    return fail(Error::Kind::malformed,
                fmt::format("{}: {}", place_of(file_name, error.source()), clipped(error.description())));
  }
  std::vector<Found> found;
  flatten(table, "", file_name, found);
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.at < b.at; });
  std::vector<Assignment> assignments;
  assignments.reserve(found.size());
  for (Found& one : found) assignments.push_back(std::move(one.assignment));
  return assignments;
}

Value read_set_value(std::string_view text) {
  static constexpr const char* place = "--set";
  Value as_text{place, shown(text), std::string(text)};
  // A line break could smuggle in a second assignment; text with one is no TOML value.
  if (text.find('\n') != std::string_view::npos || stray_character(text)) return as_text;
  try {
    const toml::table table = toml::parse(fmt::format("value = {}", text));
    return to_value(*table.get("value"), place, "");
  } catch (const toml::parse_error&) {
    return as_text;
  }
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string shown(std::string_view text) { return fmt::format("\"{}\"", clipped(text)); }

}  // namespace tollgate::config
