// The segment format of the journal (docs/journal.md), without I/O: headers and entries to bytes and back.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "gateway/base/bytes.h"
#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/base/units.h"
#include "proto/record.pb.h"

namespace tollgate::journal {

inline constexpr std::size_t header_size = 64;
inline constexpr std::size_t entry_overhead = 12;           // marker, length, checksum
inline constexpr std::uint32_t max_payload = 8 * mebibyte;  // a longer entry is damage
inline constexpr std::array<std::uint8_t, 4> marker = {0xff, 0x74, 0x67,
                                                       0xfe};  // its first byte is never in UTF-8 text

// `<run>-<worker>-<sequence>.tgj`. The text sorts as its parts do for up to 1,000 workers and 10^8 segments of a run.
struct SegmentName {
  std::string run;  // id of the process's run: 1 to 32 letters and digits (a ULID: sorts by time)
  std::uint16_t worker = 0;
  std::uint32_t sequence = 0;

  std::string text() const;
  // Errors: malformed.
  static Result<SegmentName> parse(std::string_view text);
  auto operator<=>(const SegmentName&) const = default;
};

struct SegmentHeader {
  SegmentName name;
  WallTime created;
};

std::array<std::uint8_t, header_size> encode_header(const SegmentHeader& header);
// Errors: malformed  not a segment's header, or a damaged one (also when `bytes` is shorter than header_size)
//         refused    a version that this program does not know
Result<SegmentHeader> decode_header(ByteView bytes);

// Appends one entry to `out`; false, and nothing appended, when the record is larger than max_payload.
// Allocates nothing when `out` has room. The record's texts must be valid UTF-8.
[[nodiscard]] bool append_entry(const proto::Record& record, std::string& out);

struct Whole {
  ByteView payload;  // a view into the bytes given
  std::size_t size;  // of the entry, overhead included
};
struct NeedMore {
  std::size_t at_least;  // bytes from the entry's start, more than were given
};
struct NotAnEntry {
  std::string_view why;
};
// Looks for an entry at the start of `bytes`. The answer NotAnEntry never changes when more bytes follow.
std::variant<Whole, NeedMore, NotAnEntry> peek_entry(ByteView bytes);

}  // namespace tollgate::journal
