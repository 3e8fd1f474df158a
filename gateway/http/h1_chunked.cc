#include "gateway/http/h1_chunked.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "gateway/base/unreachable.h"
#include "gateway/http/h1_chars.h"

namespace tollgate::http {
namespace {

constexpr std::size_t most_digits = 16;  // more could only be leading zeros, or more than 64 bits

std::optional<unsigned> hex_digit(char c) {
  if (is_digit(c)) return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

void skip_blanks(std::string_view& text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
}

bool skip_token(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_tchar);
  const auto size = static_cast<std::size_t>(end - text.begin());
  text.remove_prefix(size);
  return size > 0;
}

// quoted-string (RFC 9110 §5.6.4); `text` holds no control but HTAB.
bool skip_quoted_string(std::string_view& text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

// chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ), all of `text`.
bool is_chunk_ext(std::string_view text) {
  while (!text.empty()) {
    skip_blanks(text);
    if (!text.starts_with(';')) return false;
    text.remove_prefix(1);
    skip_blanks(text);
    if (!skip_token(text)) return false;
    std::string_view value = text;
    skip_blanks(value);
    if (!value.starts_with('=')) continue;
    value.remove_prefix(1);
    skip_blanks(value);
    const bool valid = value.starts_with('"') ? skip_quoted_string(value) : skip_token(value);
    if (!valid) return false;
    text = value;
  }
  return true;
}

// A trailer field that frames or routes would change what the head has said, for whoever merges the two (RFC 9110
// §6.5.1).
bool belongs_in_head(std::string_view name) {
  constexpr std::string_view framing[] = {"content-length", "transfer-encoding", "host", "connection", "upgrade"};
  return std::any_of(std::begin(framing), std::end(framing),
                     [&](std::string_view other) { return same_name(name, other); });
}

}  // namespace

Result<ByteCount> parse_chunk_size(std::string_view line) {
  ByteCount size = 0;
  std::size_t digits = 0;
  for (; digits < line.size(); ++digits) {
    const auto digit = hex_digit(line[digits]);
    if (!digit) break;
    if (digits == most_digits) return fail(Error::Kind::malformed, "a chunk size has more than 16 digits");
    size = size << 4U | *digit;
  }
  if (digits == 0) return fail(Error::Kind::malformed, "a chunk does not begin with its size");
  if (size > static_cast<ByteCount>(std::numeric_limits<std::int64_t>::max())) {
    return fail(Error::Kind::malformed, "a chunk size does not fit 63 bits");
  }
  if (!is_chunk_ext(line.substr(digits))) {
    return fail(Error::Kind::malformed, "a chunk size is followed by what is no chunk extension");
  }
  return size;
}

void ChunkedReader::begin(const H1Limits& limits) {
  state_ = State::size;
  line_limit_ = limits.chunk_line;
  trailers_.begin(limits.trailers, limits.fields);
}

Result<ContentStep> ChunkedReader::read(ByteView bytes) {
  std::size_t at = 0;
  while (true) {
    switch (state_) {
      case State::size: {
        const auto advanced = read_size(bytes, at);
        if (!advanced) return fail(advanced);
        if (!*advanced) return ContentStep{at, H1NeedMore{}};
        break;
      }
      case State::data: {
        const ByteView rest = bytes.subspan(at);
        if (rest.empty()) return ContentStep{at, H1NeedMore{}};
        const ByteView data = rest.first(static_cast<std::size_t>(std::min<ByteCount>(rest.size(), left_)));
        left_ -= data.size();
        if (left_ == 0) state_ = State::data_end;
        return ContentStep{at + data.size(), H1Data{data}};
      }
      case State::data_end: {
        const auto advanced = read_data_end(bytes, at);
        if (!advanced) return fail(advanced);
        if (!*advanced) return ContentStep{at, H1NeedMore{}};
        break;
      }
      case State::trailers: return read_trailers(bytes, at);
      case State::done: unreachable_state();
    }
  }
}

// False: more bytes are needed.
Result<bool> ChunkedReader::read_size(ByteView bytes, std::size_t& at) {
  const auto line = lines_.next(bytes.subspan(at), line_limit_);
  if (!line) return fail(line);
  if (!*line) return false;
  const auto size = parse_chunk_size(**line);
  if (!size) return fail(size);
  at += (*line)->size() + LineScanner::line_end;
  left_ = *size;
  state_ = left_ == 0 ? State::trailers : State::data;
  return true;
}

Result<bool> ChunkedReader::read_data_end(ByteView bytes, std::size_t& at) {
  const std::string_view rest = as_text(bytes.subspan(at)).substr(0, LineScanner::line_end);
  if (!std::string_view("\r\n").starts_with(rest)) {
    return fail(Error::Kind::malformed, "a chunk's data is not followed by CR LF: its size is wrong");
  }
  if (rest.size() < LineScanner::line_end) return false;
  at += LineScanner::line_end;
  state_ = State::size;
  return true;
}

Result<ContentStep> ChunkedReader::read_trailers(ByteView bytes, std::size_t at) {
  const auto section = trailers_.read(bytes.subspan(at));
  if (!section) return fail(section);
  at += section->consumed;
  if (!section->complete) return ContentStep{at, H1NeedMore{}};
  state_ = State::done;
  Fields trailers = trailers_.take();
  for (std::size_t i = 0; i < trailers.size(); ++i) {
    if (!belongs_in_head(trailers.at(i).name)) continue;
    return fail(Error::Kind::malformed, "a trailer section holds a field that frames or routes the message");
  }
  return ContentStep{at, H1End{std::move(trailers)}};
}

}  // namespace tollgate::http
