// Lines of an HTTP/1.1 message, found as they arrive (RFC 9112 §2.2). Private to the room.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "gateway/base/bytes.h"
#include "gateway/base/result.h"

namespace tollgate::http {

// Finds one line after another and remembers how far it has looked, so that no byte is looked at twice.
// A line ends in CR LF. A CR or LF on its own and every other control but HTAB are malformed wherever they stand: some
// peers take them for a line's end, some for text, some for white space.
class LineScanner {
 public:
  // `bytes` begin where the line begins; they may grow from call to call but not change. The line without its CR LF, a
  // view into `bytes`; nothing when its end has not come yet.
  // Errors: malformed; too_large  the line would take more than `limit` bytes, CR LF included.
  Result<std::optional<std::string_view>> next(ByteView bytes, std::size_t limit);

  // Whether text of a line has come, but not its end.
  bool inside() const { return scanned_ > 0; }

  static constexpr std::size_t line_end = 2;  // what follows the text of a line: CR LF

 private:
  std::size_t scanned_ = 0;  // there is no control before this
};

}  // namespace tollgate::http
