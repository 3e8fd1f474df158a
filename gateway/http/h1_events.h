// What the HTTP/1.1 readers tell: the events of one message, in the order of the wire, and the limits they keep.
#pragma once

#include <cstdint>
#include <variant>

#include "gateway/base/bytes.h"
#include "gateway/base/units.h"
#include "gateway/http/message.h"

namespace tollgate::http {

// How the content after a head is delimited (RFC 9112 §6.3).
struct NoContent {
  bool operator==(const NoContent&) const = default;
};
struct ContentLength {
  ByteCount bytes;  // at most 2^63-1
  bool operator==(const ContentLength&) const = default;
};
struct Chunked {
  bool operator==(const Chunked&) const = default;
};
struct UntilClose {  // responses only
  bool operator==(const UntilClose&) const = default;
};
using Framing = std::variant<NoContent, ContentLength, Chunked, UntilClose>;

// Octets count CR LF. What goes past a limit is too_large, at the same octet however the bytes are cut.
struct H1Limits {
  std::size_t head = 64 * kibibyte;       // start line and field lines
  std::size_t trailers = 16 * kibibyte;   // and trailer sections
  std::size_t chunk_line = 4 * kibibyte;  // a chunk-size line with its extensions
  std::size_t fields = 256;               // field lines in one section
};

// A message is Head Data… End; Heads of 1xx responses come before it.
struct H1NeedMore {};  // nothing more can be said until more bytes come
struct H1RequestHead {
  RequestHead head;
  Framing framing;
};
struct H1ResponseHead {
  ResponseHead head;
  Framing framing;
};
struct H1Data {
  ByteView bytes;  // never empty; a view into the argument of read(): content without chunk framing
};
struct H1End {
  Fields trailers;  // chunked only
};

// What a reader of content says: the part of a reader's events that requests and responses share.
struct ContentStep {
  std::size_t consumed;  // drop so many bytes from the front before the next call
  std::variant<H1NeedMore, H1Data, H1End> event;
};

}  // namespace tollgate::http
