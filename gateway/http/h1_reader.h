// HTTP/1.1 messages, read (RFC 9112). Sans-I/O and strict: what two implementations could read differently is an error,
// never a guess. One reader serves one direction of one connection, message after message. Threads: one at a time.
//
// Refused: both Content-Length and Transfer-Encoding, more than one of either, list-valued Content-Length, a
// Transfer-Encoding that is not exactly `chunked` (or any in HTTP/1.0), bare CR or LF anywhere in head, chunk or
// trailer lines, white space before a colon or before the first field, obs-fold, NUL and other controls, empty or
// non-token names, chunk sizes with signs, 0x or overflow, a Host that is missing, repeated or contradicts the target,
// a target in no form. h1_line.h, h1_start_line.h, h1_target.h, h1_fields.h, h1_framing.h and h1_chunked.h each say
// more.
//
// Tolerated: one empty line before a request line (RFC 9112 §2.2); obs-text in values and reasons; HTTP/1.0.
#pragma once

#include <memory>
#include <string_view>
#include <variant>

#include "gateway/base/bytes.h"
#include "gateway/base/result.h"
#include "gateway/http/h1_events.h"

namespace tollgate::http {

// Reads requests. After H1End the next message is read, if the caller goes on; pipelined bytes are left alone until
// then.
class H1RequestReader {
 public:
  using Event = std::variant<H1NeedMore, H1RequestHead, H1Data, H1End>;
  struct Step {
    std::size_t consumed;  // drop so many bytes from the front before the next call
    Event event;
  };

  explicit H1RequestReader(const H1Limits& limits = {});
  ~H1RequestReader();
  H1RequestReader(H1RequestReader&&) noexcept;
  H1RequestReader& operator=(H1RequestReader&&) noexcept;

  // `bytes` are the connection's bytes that have not been consumed. One event a call: go on, with no bytes if none are
  // left, until it is H1NeedMore; that, too, may consume. O(bytes) over the life of a message, however it is cut:
  // nothing is scanned twice, and the same events come (Data may be divided differently).
  // Errors: malformed  answer 400 and close; too_large  answer 431 and close. After an error the reader stays in it.
  Result<Step> read(ByteView bytes);
  bool between_messages() const;  // at the start, and after an End: the peer may close here

 private:
  struct Machine;
  std::unique_ptr<Machine> machine_;
};

// Reads responses. What a response's framing is depends on its request: begin(method) comes first for each.
class H1ResponseReader {
 public:
  using Event = std::variant<H1NeedMore, H1ResponseHead, H1Data, H1End>;
  struct Step {
    std::size_t consumed;
    Event event;
  };

  explicit H1ResponseReader(const H1Limits& limits = {});
  ~H1ResponseReader();
  H1ResponseReader(H1ResponseReader&&) noexcept;
  H1ResponseReader& operator=(H1ResponseReader&&) noexcept;

  // The next response answers a request of that method. Only between messages.
  void begin(std::string_view request_method);
  // As above. The Heads of 1xx responses come without an End, but 101 is final: Head, End, and what follows is no HTTP.
  // Errors: malformed (bytes that no request asked for, too), too_large. Either way the connection is of no more use.
  Result<Step> read(ByteView bytes);
  // The peer closed, and read() has said H1NeedMore. H1End when that is how the message ends (UntilClose), an error
  // (malformed: truncated) otherwise; between messages: H1NeedMore.
  Result<Event> close();
  bool between_messages() const;  // at the start, and after an End until begin()

 private:
  struct Machine;
  std::unique_ptr<Machine> machine_;
};

}  // namespace tollgate::http
