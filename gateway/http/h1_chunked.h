// The chunked transfer coding, read (RFC 9112 §7.1). Private to the room.
//
//   size ──"5;ext\r\n"──▶ data ──5 octets──▶ data_end ──"\r\n"──▶ size
//     └──"0\r\n"──▶ trailers ──"\r\n"──▶ done
#pragma once

#include <cstdint>
#include <string_view>

#include "gateway/base/bytes.h"
#include "gateway/base/result.h"
#include "gateway/base/units.h"
#include "gateway/http/h1_events.h"
#include "gateway/http/h1_fields.h"
#include "gateway/http/h1_line.h"

namespace tollgate::http {

// A chunk's size line without CR LF: chunk-size [ chunk-ext ]. Extensions are checked and forgotten, as every recipient
// may (§7.1.1): we frame content anew towards the other side.
// Errors: malformed  no size, more than 16 digits or past 2^63-1, anything after it that is not chunk-ext
Result<ByteCount> parse_chunk_size(std::string_view line);

class ChunkedReader {
 public:
  void begin(const H1Limits& limits);
  // The next of Data, End and NeedMore. Errors: malformed, too_large (a size line or the trailer section).
  Result<ContentStep> read(ByteView bytes);

 private:
  enum class State : std::uint8_t { size, data, data_end, trailers, done };

  Result<bool> read_size(ByteView bytes, std::size_t& at);
  Result<bool> read_data_end(ByteView bytes, std::size_t& at);
  Result<ContentStep> read_trailers(ByteView bytes, std::size_t at);

  State state_ = State::done;
  ByteCount left_ = 0;  // of the chunk's data
  std::size_t line_limit_ = 0;
  LineScanner lines_;
  FieldSection trailers_;
};

}  // namespace tollgate::http
