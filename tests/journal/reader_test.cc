#include "gateway/journal/reader.h"

#include <fcntl.h>
#include <sys/file.h>

#include <catch2/catch.hpp>
#include <limits>

#include "tests/journal/journal_testing.h"

namespace tollgate::journal {
namespace {

using Ids = std::vector<std::string>;

// A segment's bytes, and where each of its entries begins (and the last one ends).
struct Segment {
  std::string bytes;
  std::vector<std::size_t> edges;
};

Segment segment_of(const Ids& ids) {
  Segment segment;
  const auto header = encode_header({{"RUN", 0, 1}, from_micros(1)});
  segment.bytes = as_text(header);
  segment.edges.push_back(segment.bytes.size());
  for (const std::string& id : ids) {
    REQUIRE(append_entry(exchange(id), segment.bytes));
    segment.edges.push_back(segment.bytes.size());
  }
  return segment;
}

// A file that the test writes and holds locked as a writer does.
class LiveFile {
 public:
  LiveFile(const std::filesystem::path& path, std::string_view bytes)
      : file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
    REQUIRE(::flock(file_.get(), LOCK_EX | LOCK_NB) == 0);
    append(bytes);
  }
  void append(std::string_view bytes) {
    REQUIRE(::write(file_.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  void close() { file_.close(); }

 private:
  Descriptor file_;
};

TEST_CASE("a segment torn at any byte gives every whole entry and says what was torn", "[journal]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "torn";
  const Segment segment = segment_of({"1", "2", "3"});
  for (std::size_t size = header_size; size <= segment.bytes.size(); ++size) {
    CAPTURE(size);
    write_file(file, std::string_view(segment.bytes).substr(0, size));
    std::size_t whole = 0;
    while (whole + 1 < segment.edges.size() && segment.edges[whole + 1] <= size) ++whole;
    const Reading reading = read_segment(file);
    REQUIRE(reading.finished);
    REQUIRE(reading.ids.size() == whole);
    const bool torn = size > segment.edges[whole];
    REQUIRE(reading.damage.size() == (torn ? 1U : 0U));
    if (!torn) continue;
    REQUIRE(reading.damage[0].from == segment.edges[whole]);
    REQUIRE(reading.damage[0].to == size);
  }
}

TEST_CASE("a torn or damaged header is reported, and the entries behind it are read", "[journal]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "header";
  Segment segment = segment_of({"1", "2"});
  for (std::size_t size = 1; size < header_size; ++size) {
    write_file(file, std::string_view(segment.bytes).substr(0, size));
    const Reading reading = read_segment(file);
    REQUIRE(reading.ids.empty());
    REQUIRE(reading.damage.size() == 1);
    REQUIRE(reading.damage[0].to == size);
  }
  segment.bytes[30] = 'x';
  write_file(file, segment.bytes);
  const Reading reading = read_segment(file);
  REQUIRE(reading.ids == Ids{"1", "2"});
  REQUIRE(reading.damage.size() == 1);
  REQUIRE(reading.damage[0].from == 0);
  REQUIRE(reading.damage[0].to == header_size);
}

TEST_CASE("an empty file is a finished segment without entries", "[journal]") {
  const TemporaryFolder folder;
  write_file(folder.path() / "empty", "");
  const Reading reading = read_segment(folder.path() / "empty");
  REQUIRE(reading.finished);
  REQUIRE(reading.damage.empty());
}

TEST_CASE("damage to any byte of the middle entry costs that entry only, and is reported exactly", "[journal]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "damaged";
  const Segment segment = segment_of({"1", "2", "3"});
  for (std::size_t at = segment.edges[1]; at < segment.edges[2]; ++at) {
    CAPTURE(at);
    std::string bytes = segment.bytes;
    bytes[at] = static_cast<char>(~static_cast<unsigned char>(bytes[at]));
    write_file(file, bytes);
    const Reading reading = read_segment(file);
    REQUIRE(reading.ids == Ids{"1", "3"});
    REQUIRE(reading.damage.size() == 1);
    REQUIRE(reading.damage[0].from == segment.edges[1]);
    REQUIRE(reading.damage[0].to == segment.edges[2]);
    REQUIRE_FALSE(reading.damage[0].why.empty());
  }
}

TEST_CASE("bytes lost from or put into the middle cost the entry they hit only", "[journal]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "damaged";
  const Segment segment = segment_of({"1", "2", "3"});
  const std::size_t at = segment.edges[1] + GENERATE(as<std::size_t>(), 0, 2, 6, 10, 20);
  std::string bytes = segment.bytes;
  SECTION("lost") { bytes.erase(at, 5); }
  SECTION("zeros put in") { bytes.insert(at, std::string(200'000, '\0')); }
  SECTION("markers put in") { bytes.insert(at, "\xff\x74\x67\xfe\xff\x74\x67\xfe"); }
  write_file(file, bytes);
  const Reading reading = read_segment(file);
  const bool between = at == segment.edges[1] && bytes.size() > segment.bytes.size();
  REQUIRE(reading.ids == (between ? Ids{"1", "2", "3"} : Ids{"1", "3"}));
  REQUIRE(reading.damage.size() == 1);
}

TEST_CASE("an entry that is no record is reported and stepped over", "[journal]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "odd";
  std::string good;
  REQUIRE(append_entry(exchange("2"), good));
  Segment segment = segment_of({"1"});
  // A payload that no schema parses, under a right checksum: there is no wire type 7.
  std::string entry("\xff\x74\x67\xfe\0\0\0\1\x41\x5d\x53\xff\x07", 13);
  REQUIRE(std::holds_alternative<Whole>(peek_entry(as_bytes(entry))));
  segment.bytes += entry + good;
  write_file(file, segment.bytes);
  const Reading reading = read_segment(file);
  REQUIRE(reading.ids == Ids{"1", "2"});
  REQUIRE(reading.damage.size() == 1);
  REQUIRE(reading.damage[0].to - reading.damage[0].from == entry.size());
}

TEST_CASE("a live segment is waited for at any byte and gives the same entries as a finished one", "[journal]") {
  const TemporaryFolder folder;
  const Segment segment = segment_of({"1", "2"});
  for (std::size_t cut = 0; cut <= segment.bytes.size(); ++cut) {
    CAPTURE(cut);
    const auto file = folder.path() / std::to_string(cut);
    LiveFile live(file, std::string_view(segment.bytes).substr(0, cut));
    auto reader = SegmentReader::open(file).value();
    Reading reading;
    read_on(reader, reading);
    REQUIRE_FALSE(reading.finished);
    live.append(std::string_view(segment.bytes).substr(cut));
    read_on(reader, reading);
    REQUIRE_FALSE(reading.finished);
    live.close();
    read_on(reader, reading);
    REQUIRE(reading.finished);
    REQUIRE(reading.ids == Ids{"1", "2"});
    REQUIRE(reading.damage.empty());
    REQUIRE(reader.header().has_value());
  }
}

TEST_CASE("damage in a live segment is reported when what follows has been read, and not before", "[journal]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "live";
  const Segment segment = segment_of({"1", "2", "3"});
  std::string bytes = segment.bytes;
  bytes[segment.edges[1] + entry_overhead] ^= 1;
  LiveFile live(file, std::string_view(bytes).substr(0, segment.edges[2]));
  auto reader = SegmentReader::open(file).value();
  Reading reading;
  read_on(reader, reading);
  REQUIRE(reading.ids == Ids{"1"});
  REQUIRE(reading.damage.empty());
  REQUIRE(reader.offset() == segment.edges[1]);
  live.append(std::string_view(bytes).substr(segment.edges[2]));
  read_on(reader, reading);
  REQUIRE(reading.ids == Ids{"1", "3"});
  REQUIRE(reading.damage.size() == 1);
}

TEST_CASE("reading goes on from any position that was kept", "[journal]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "kept";
  const Segment segment = segment_of({"1", "2", "3"});
  write_file(file, segment.bytes);
  for (std::size_t i = 0; i < segment.edges.size(); ++i) {
    auto reader = SegmentReader::open(file, segment.edges[i]).value();
    REQUIRE(reader.offset() == segment.edges[i]);
    Reading reading;
    read_on(reader, reading);
    REQUIRE(reading.ids.size() == 3 - i);
    REQUIRE(reading.damage.empty());
    REQUIRE(reader.offset() == segment.bytes.size());
  }
  // A power cut may have taken what the position counted.
  auto beyond = SegmentReader::open(file, segment.bytes.size() + 1000).value();
  REQUIRE(std::holds_alternative<EndOfSegment>(beyond.next().value()));
  REQUIRE_FALSE(SegmentReader::open(file, std::numeric_limits<ByteCount>::max()).has_value());
}

TEST_CASE("an entry says where it began, and offset() where it ended", "[journal]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "offsets";
  const Segment segment = segment_of({"1", "2"});
  write_file(file, segment.bytes);
  auto reader = SegmentReader::open(file).value();
  for (std::size_t i = 0; i < 2; ++i) {
    const auto step = reader.next().value();
    REQUIRE(std::get<Entry>(step).at == segment.edges[i]);
    REQUIRE(reader.offset() == segment.edges[i + 1]);
  }
}

TEST_CASE("a segment that is deleted while it is read is read to its end", "[journal]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "deleted";
  write_file(file, segment_of({"1", "2"}).bytes);
  auto reader = SegmentReader::open(file).value();
  REQUIRE(std::holds_alternative<Entry>(reader.next().value()));
  std::filesystem::remove(file);
  Reading reading;
  read_on(reader, reading);
  REQUIRE(reading.ids == Ids{"2"});
  REQUIRE(reading.finished);
}

TEST_CASE("entries as large as they may be are read between small ones", "[journal]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "large";
  Segment segment = segment_of({"1"});
  proto::Record large = exchange("2");
  large.mutable_exchange()->set_path(std::string(max_payload - 100, 'p'));
  REQUIRE(append_entry(large, segment.bytes));
  REQUIRE(append_entry(exchange("3"), segment.bytes));
  write_file(file, segment.bytes);
  REQUIRE(read_segment(file).ids == Ids{"1", "2", "3"});
}

TEST_CASE("a segment of a later version is refused by name", "[journal]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "later";
  // Version 2, worker 0, sequence 1, created 1, run RUN; the checksum was made with another program (Python's zlib).
  std::string header("\x89TGJ\r\n\x1a\n\0\2\0\0\0\0\0\1\0\0\0\0\0\0\0\1RUN", 27);
  header.resize(60);
  header += "\xd3\x3f\x4f\x78";
  write_file(file, header);
  const auto refused = SegmentReader::open(file);
  REQUIRE_FALSE(refused.has_value());
  REQUIRE(refused.error().kind == Error::Kind::refused);
  REQUIRE(refused.error().what.find("version 2") != std::string::npos);
}

TEST_CASE("the segments of a folder are listed in order, and nothing else is", "[journal]") {
  const TemporaryFolder folder;
  REQUIRE(list_segments(folder.journal()).error().kind == Error::Kind::not_found);
  const Ids names{"A-000-00000001.tgj", "A-000-00000010.tgj", "A-1000-00000001.tgj", "B-000-00000001.tgj"};
  for (const std::string& name : {names[3], names[2], names[1], names[0]}) {
    write_file(folder.path() / name, segment_of({}).bytes);
  }
  write_file(folder.path() / "A-000-00000002.tgj", "being made");
  write_file(folder.path() / "notes.txt", segment_of({}).bytes);
  std::filesystem::create_directory(folder.path() / "A-000-00000003.tgj");
  Ids listed;
  const auto segments = list_segments(folder.path()).value();
  for (const SegmentFile& segment : segments) {
    listed.push_back(segment.path.filename().native());
    REQUIRE(segment.size == header_size);
  }
  REQUIRE(listed == names);
}

}  // namespace
}  // namespace tollgate::journal
