#include "gateway/http/h1_fields.h"

#include <algorithm>

#include "gateway/http/h1_chars.h"

namespace tollgate::http {
namespace {

// A typical section of a browser or an SDK, so that its text and its lines take one allocation each.
constexpr std::size_t usual_lines = 16;
constexpr std::size_t usual_octets = 1024;

}  // namespace

Result<FieldLine> parse_field_line(std::string_view line) {
  const auto end = std::find_if_not(line.begin(), line.end(), is_tchar);
  const auto size = static_cast<std::size_t>(end - line.begin());
  if (size > 0 && end != line.end() && *end == ':') {
    return FieldLine{line.substr(0, size), trim_blanks(line.substr(size + 1))};
  }
  if (size == 0 && is_blank(line.front())) {
    return fail(Error::Kind::malformed, "a field line begins with white space (folded, or before the first field)");
  }
  if (size == 0 && line.front() == ':') return fail(Error::Kind::malformed, "a field name is empty");
  if (end == line.end()) return fail(Error::Kind::malformed, "a field line has no colon");
  if (is_blank(*end)) return fail(Error::Kind::malformed, "white space between a field name and its colon");
  return fail(Error::Kind::malformed, "a field name holds a character that no token has");
}

void FieldSection::begin(std::size_t octets, std::size_t lines) {
  octets_left_ = octets;
  lines_left_ = lines;
}

Result<FieldSection::Step> FieldSection::read(ByteView bytes) {
  std::size_t at = 0;
  while (true) {
    const auto line = lines_.next(bytes.subspan(at), octets_left_);
    if (!line) return fail(line);
    if (!*line) return Step{at, false};
    const std::size_t size = (*line)->size() + LineScanner::line_end;
    at += size;
    octets_left_ -= size;
    if ((*line)->empty()) return Step{at, true};
    if (lines_left_ == 0) return fail(Error::Kind::too_large, "more field lines than the limit");
    --lines_left_;
    const auto field = parse_field_line(**line);
    if (!field) return fail(field);
    if (fields_.empty()) fields_.reserve(usual_lines, std::min(bytes.size(), usual_octets));
    fields_.add(field->name, field->value);
  }
}

}  // namespace tollgate::http
