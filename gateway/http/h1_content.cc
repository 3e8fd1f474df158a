#include "gateway/http/h1_content.h"

#include <algorithm>

namespace tollgate::http {

void ContentReader::begin(const Framing& framing, const H1Limits& limits) {
  framing_ = framing;
  const auto* length = std::get_if<ContentLength>(&framing_);
  left_ = length != nullptr ? length->bytes : 0;
  if (std::holds_alternative<Chunked>(framing_)) chunks_.begin(limits);
}

Result<ContentStep> ContentReader::read(ByteView bytes) {
  if (std::holds_alternative<Chunked>(framing_)) return chunks_.read(bytes);
  const bool open_ended = ends_at_close();
  if (!open_ended && left_ == 0) return ContentStep{0, H1End{}};
  if (bytes.empty()) return ContentStep{0, H1NeedMore{}};
  if (open_ended) return ContentStep{bytes.size(), H1Data{bytes}};
  const ByteView data = bytes.first(static_cast<std::size_t>(std::min<ByteCount>(bytes.size(), left_)));
  left_ -= data.size();
  return ContentStep{data.size(), H1Data{data}};
}

}  // namespace tollgate::http
