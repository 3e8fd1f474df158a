// Reading the journal: the segments there are, and one segment's records, also while it is being written.
// A position that can be kept (the store does, in the transaction that keeps the records) is a segment's file name and
// the offset that SegmentReader::offset() gave.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "gateway/base/bytes.h"
#include "gateway/base/descriptor.h"
#include "gateway/base/result.h"
#include "gateway/base/units.h"
#include "gateway/journal/segment.h"
#include "proto/record.pb.h"

namespace tollgate::journal {

struct SegmentFile {
  SegmentName name;
  std::filesystem::path path;
  ByteCount size = 0;  // when it was listed
};

// The segments in `dir` in the order of their names: runs by time, then workers, then sequence. Files of other names
// are left out, and so are those shorter than a header (being made, or their making was interrupted: nothing is in
// them). Errors: not_found  there is no such folder
//         io         it cannot be read
Result<std::vector<SegmentFile>> list_segments(const std::filesystem::path& dir);

// One whole record, moved to the caller.
struct Entry {
  proto::Record record;
  ByteCount at;  // where it began; offset() is now where it ended
};
// Everything written so far has been read; the writer still has the segment open. Ask again later.
struct EndForNow {};
// Everything has been read and the writer is gone: nothing will ever follow. The file may be deleted.
struct EndOfSegment {};
// The bytes from `from` to `to` hold no readable entry: a torn tail (only `to` being the end), or damage from which the
// next marker with a valid checksum led back. They have been skipped; to be counted and said aloud.
struct Damaged {
  ByteCount from, to;
  std::string why;
};
using Step = std::variant<Entry, EndForNow, EndOfSegment, Damaged>;

// Not thread-safe; any number of readers may read a segment at once. Keeps the file open, so deleting it harms no
// reader. Memory: one read's window, 64 KiB or the entry being read, at most 8 MiB.
class SegmentReader {
 public:
  // Opens a segment to be read from `offset`: 0 (the first entry), or what offset() said before. A header that is
  // damaged does not stop it: the first next() reports it. Errors: not_found; io; refused (a version from a later
  // program); malformed (an offset that no file has).
  static Result<SegmentReader> open(const std::filesystem::path& path, ByteCount offset = 0);

  // The next thing in the segment. What it says about a byte does not depend on how much of the file was there when it
  // was asked: what cannot be decided yet is EndForNow. Errors: io; nothing has been skipped, and it may be tried
  // again.
  Result<Step> next();

  // Where next() will go on.
  ByteCount offset() const { return offset_; }
  // Absent when it is damaged.
  const std::optional<SegmentHeader>& header() const { return header_; }

 private:
  explicit SegmentReader(Descriptor file) : file_(std::move(file)) {}

  // What the file has from `offset` on: `wanted` bytes or more, or less where the file ends.
  Result<ByteView> window(ByteCount offset, std::size_t wanted);
  Result<Step> read_header();
  Result<Step> read_entry();
  Result<Step> resync();
  Result<Step> damaged(std::string why);
  Step skip_to(ByteCount to);
  // At the file's end: whether what is there is all there will ever be.
  Result<bool> is_final();

  Descriptor file_;
  std::optional<SegmentHeader> header_;
  ByteCount offset_ = 0;
  bool final_ = false;         // the writer was seen gone: the size cannot change any more
  std::string damage_;         // why nothing can be read at offset_; empty while nothing is known to be wrong
  ByteCount searched_to_ = 0;  // while damaged: no entry begins before this
  Bytes window_;
  ByteCount window_at_ = 0;
};

}  // namespace tollgate::journal
