#include "gateway/http/h1_line.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/http/h1_chars.h"

namespace tollgate::http {
namespace {

tl::unexpected<Error> refuse(std::uint8_t control) {
  if (control == '\n') return fail(Error::Kind::malformed, "a line ends in LF without CR");
  if (control == '\r') return fail(Error::Kind::malformed, "a CR without LF");
  return fail(Error::Kind::malformed, fmt::format("a line holds the control character 0x{:02x}", control));
}

}  // namespace

Result<std::optional<std::string_view>> LineScanner::next(ByteView bytes, std::size_t limit) {
  const ByteView window = bytes.first(std::min(bytes.size(), limit));
  const std::size_t end = find_control(window, scanned_);
  const std::size_t left = window.size() - end;
  if (left >= line_end && window[end] == '\r' && window[end + 1] == '\n') {
    scanned_ = 0;
    return as_text(window.first(end));
  }
  if (left >= line_end || (left == 1 && window[end] != '\r')) return refuse(window[end]);
  if (window.size() == limit) {
    return fail(Error::Kind::too_large, fmt::format("a line goes on past the limit, {} bytes from here", limit));
  }
  scanned_ = end;  // at the end, or at a CR whose LF may still come
  return std::nullopt;
}

}  // namespace tollgate::http
