// Any bytes as a segment's file. Reading must end, and say of every byte whether it was header, entry or damage; it
// must give every entry that stands whole before the first damage; what it gave, written again, must read the same; and
// the answer must be the same when the file was still growing while it was read.
#include <fcntl.h>
#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>
#include <sys/file.h>
#include <sys/mman.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "gateway/journal/reader.h"

namespace {

using namespace tollgate;
using namespace tollgate::journal;

void require(bool holds) {
  if (!holds) std::abort();
}

// A file in memory that the reader can open, locked as a writer has it until finish().
class MemoryFile {
 public:
  MemoryFile() : file_(::memfd_create("segment", MFD_CLOEXEC)) { require(::flock(file_.get(), LOCK_EX) == 0); }
  void append(ByteView bytes) {
    require(::write(file_.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  void finish() { require(::flock(file_.get(), LOCK_UN) == 0); }
  std::string path() const { return fmt::format("/proc/self/fd/{}", file_.get()); }

 private:
  Descriptor file_;
};

struct Range {
  ByteCount from, to;
  bool operator==(const Range&) const = default;
};
struct Reading {
  std::vector<std::string> records;  // serialised
  std::vector<Range> entries, damage;
  bool operator==(const Reading&) const = default;
};

// Reads until the end (for now); true when it was the end for good.
bool read_on(SegmentReader& reader, Reading& reading) {
  while (true) {
    auto step = reader.next();
    require(step.has_value());
    if (auto* entry = std::get_if<Entry>(&*step)) {
      reading.records.push_back(entry->record.SerializeAsString());
      reading.entries.push_back({entry->at, reader.offset()});
    } else if (auto* damaged = std::get_if<Damaged>(&*step)) {
      require(damaged->from < damaged->to && damaged->to == reader.offset() && !damaged->why.empty());
      reading.damage.push_back({damaged->from, damaged->to});
    } else {
      return std::holds_alternative<EndOfSegment>(*step);
    }
  }
}

// Nothing when it is refused as a later version's.
bool read_finished(ByteView bytes, Reading& reading) {
  MemoryFile file;
  file.append(bytes);
  file.finish();
  auto reader = SegmentReader::open(file.path());
  if (!reader) {
    require(reader.error().kind == Error::Kind::refused);
    return false;
  }
  require(read_on(*reader, reading));
  require(reader->offset() == bytes.size());
  return true;
}

// Entries and damage cover everything behind a sound header, once, in order.
void check_covers(const Reading& reading, ByteView bytes) {
  ByteCount at = decode_header(bytes) ? header_size : 0;
  auto damage = reading.damage.begin();
  auto entry = reading.entries.begin();
  while (at < bytes.size()) {
    if (damage != reading.damage.end() && damage->from == at) {
      at = (damage++)->to;
    } else {
      require(entry != reading.entries.end() && entry->from == at);
      at = (entry++)->to;
    }
  }
  require(damage == reading.damage.end() && entry == reading.entries.end());
}

// Entries one after the other from the start on are all given, as the format's description has them.
void check_front(const Reading& reading, ByteView bytes) {
  if (!decode_header(bytes)) return;
  ByteView rest = bytes.subspan(header_size);
  for (const std::string& given : reading.records) {
    const auto found = peek_entry(rest);
    const auto* whole = std::get_if<Whole>(&found);
    proto::Record record;
    if (whole == nullptr) return;
    if (!record.ParseFromArray(whole->payload.data(), static_cast<int>(whole->payload.size()))) return;
    require(record.SerializeAsString() == given);
    rest = rest.subspan(whole->size);
  }
}

void check_same_when_growing(const Reading& whole, ByteView bytes) {
  const std::size_t cut = bytes.empty() ? 0 : (bytes.back() * bytes.size()) / 256;
  MemoryFile file;
  file.append(bytes.first(cut));
  auto reader = SegmentReader::open(file.path());
  if (!reader) return;
  Reading grown;
  require(!read_on(*reader, grown));
  file.append(bytes.subspan(cut));
  require(!read_on(*reader, grown));
  file.finish();
  require(read_on(*reader, grown));
  require(grown == whole);
}

void check_written_again(const Reading& whole) {
  std::string again(as_text(encode_header({{"AGAIN", 0, 1}, from_micros(0)})));
  std::vector<std::string> written;
  for (const std::string& serialised : whole.records) {
    proto::Record record;
    require(record.ParseFromString(serialised));
    if (append_entry(record, again)) written.push_back(serialised);
  }
  Reading reading;
  require(read_finished(as_bytes(again), reading));
  require(reading.damage.empty() && reading.records == written);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const google::protobuf::LogSilencer quiet;  // it has something to say about every text that is no UTF-8
  const ByteView bytes(data, size);
  Reading whole;
  if (!read_finished(bytes, whole)) return 0;
  check_covers(whole, bytes);
  check_front(whole, bytes);
  check_same_when_growing(whole, bytes);
  check_written_again(whole);
  return 0;
}
