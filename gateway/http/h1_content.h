// The content of an HTTP/1.1 message under each framing, read (RFC 9112 §6). Private to the room.
#pragma once

#include "gateway/base/bytes.h"
#include "gateway/base/result.h"
#include "gateway/http/h1_chunked.h"
#include "gateway/http/h1_events.h"

namespace tollgate::http {

class ContentReader {
 public:
  void begin(const Framing& framing, const H1Limits& limits);
  // The next of Data, End and NeedMore; not to be called after End. Errors: malformed, too_large, from chunks only.
  Result<ContentStep> read(ByteView bytes);
  // Whether the peer's close is how this content ends.
  bool ends_at_close() const { return std::holds_alternative<UntilClose>(framing_); }

 private:
  Framing framing_;
  ByteCount left_ = 0;  // ContentLength: what is still to come
  ChunkedReader chunks_;
};

}  // namespace tollgate::http
