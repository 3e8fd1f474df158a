// Field sections: the header section after a start line and the trailer section after the last chunk (RFC 9112 §5,
// §7.1.2). Private to the room.
#pragma once

#include <cstdint>
#include <string_view>

#include "gateway/base/bytes.h"
#include "gateway/base/result.h"
#include "gateway/http/h1_line.h"
#include "gateway/http/message.h"

namespace tollgate::http {

// One field line, without its CR LF and known to hold no control but HTAB. Views into `line`.
// Errors: malformed  no colon, an empty name, white space or anything that is not a token before the colon, obs-fold
Result<FieldLine> parse_field_line(std::string_view line);

// Reads a section, up to and with the empty line that ends it.
class FieldSection {
 public:
  struct Step {
    std::size_t consumed;  // whole lines only
    bool complete;
  };

  // Starts a section of at most `octets` (with the empty line) and `lines`.
  void begin(std::size_t octets, std::size_t lines);
  // `bytes` are what has not been consumed of it. Errors: malformed, too_large.
  Result<Step> read(ByteView bytes);
  // What the complete section holds; leaves it empty.
  Fields take() { return std::move(fields_); }

 private:
  LineScanner lines_;
  Fields fields_;
  std::size_t octets_left_ = 0;
  std::size_t lines_left_ = 0;
};

}  // namespace tollgate::http
