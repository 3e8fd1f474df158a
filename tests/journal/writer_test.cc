#include "gateway/journal/writer.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <thread>

#include "tests/journal/journal_testing.h"

namespace tollgate::journal {
namespace {

using Ids = std::vector<std::string>;

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777U;
}

TEST_CASE("what is committed can be read at once, what is only appended cannot", "[journal]") {
  const TemporaryFolder folder;
  const auto writer = Writer::open(options_for(folder)).value();
  writer->append(exchange("1"));
  writer->append(exchange("2"));
  REQUIRE(writer->health().pending_bytes > 0);
  REQUIRE(read_journal(folder.journal()).ids.empty());
  writer->commit();
  REQUIRE(writer->health().pending_bytes == 0);
  REQUIRE(writer->health().written_records == 2);
  writer->append(exchange("3"));
  const Reading reading = read_journal(folder.journal());
  REQUIRE(reading.ids == Ids{"1", "2"});
  REQUIRE(reading.damage.empty());
  REQUIRE_FALSE(reading.finished);
}

TEST_CASE("a record is read as it was written, of whichever kind it is", "[journal]") {
  proto::Record record;
  record.set_begin(true);
  switch (GENERATE(range(0, 4))) {
    case 0: record.mutable_exchange()->mutable_app()->add_evidence("User-Agent names it"); break;
    case 1: record.mutable_connection()->add_activity()->set_down(1ULL << 60U); break;
    case 2: record.mutable_dns()->set_connected(false); break;
    case 3: record.mutable_hint()->set_on(true); break;
    default: FAIL();
  }
  const TemporaryFolder folder;
  const auto writer = Writer::open(options_for(folder)).value();
  writer->append(record);
  writer->commit();
  auto reader = SegmentReader::open(list_segments(folder.journal()).value().at(0).path).value();
  const auto step = reader.next().value();
  REQUIRE(std::get<Entry>(step).record.SerializeAsString() == record.SerializeAsString());
}

TEST_CASE("the journal's folder and files are their owner's alone", "[journal]") {
  const TemporaryFolder folder;
  const auto writer = Writer::open(options_for(folder)).value();
  REQUIRE(mode_of(folder.journal()) == 0700);
  REQUIRE(mode_of(list_segments(folder.journal()).value().at(0).path) == 0600);
}

TEST_CASE("a writer that ends commits what was appended and leaves a finished segment", "[journal]") {
  const TemporaryFolder folder;
  Writer::open(options_for(folder)).value()->append(exchange("1"));
  const Reading reading = read_journal(folder.journal());
  REQUIRE(reading.ids == Ids{"1"});
  REQUIRE(reading.finished);
}

TEST_CASE("a writer that wrote nothing leaves no file", "[journal]") {
  const TemporaryFolder folder;
  { const auto writer = Writer::open(options_for(folder)).value(); }
  REQUIRE(list_segments(folder.journal()).value().empty());
}

TEST_CASE("a segment that has grown large enough is followed by another", "[journal]") {
  const TemporaryFolder folder;
  auto options = options_for(folder);
  options.rotate_size = 1000;
  const auto writer = Writer::open(std::move(options)).value();
  Ids written;
  for (int i = 0; i < 100; ++i) {
    written.push_back(std::to_string(i));
    writer->append(exchange(written.back()));
    writer->commit();
    if (i % 30 == 0) writer->sync();
  }
  const auto segments = list_segments(folder.journal()).value();
  REQUIRE(segments.size() > 3);
  for (const SegmentFile& segment : segments) REQUIRE(segment.size < 2000);
  REQUIRE(read_segment(segments.front().path).finished);
  REQUIRE_FALSE(read_segment(segments.back().path).finished);
  REQUIRE(read_journal(folder.journal()).ids == written);
}

TEST_CASE("a segment that has grown old is followed by another, unless it is empty", "[journal]") {
  const TemporaryFolder folder;
  WallTime now = from_micros(1'000'000'000);
  auto options = options_for(folder);
  options.clock = [&now] { return now; };
  const auto writer = Writer::open(std::move(options)).value();
  now += std::chrono::hours(2);
  writer->commit();
  REQUIRE(list_segments(folder.journal()).value().size() == 1);
  writer->append(exchange("1"));
  writer->commit();
  writer->append(exchange("2"));
  writer->commit();
  const auto segments = list_segments(folder.journal()).value();
  REQUIRE(segments.size() == 2);
  REQUIRE(read_segment(segments.front().path).ids == Ids{"1"});
  REQUIRE(SegmentReader::open(segments.back().path).value().header()->created == now);
}

TEST_CASE("two writers at once do not meet", "[journal]") {
  const TemporaryFolder folder;
  const auto write = [&folder](std::uint16_t worker) {
    auto options = options_for(folder);
    options.worker = worker;
    options.rotate_size = 4000;
    const auto writer = Writer::open(std::move(options)).value();
    for (int i = 0; i < 500; ++i) {
      writer->append(exchange(std::to_string(worker) + "/" + std::to_string(i)));
      writer->commit();
    }
  };
  std::thread other(write, std::uint16_t{1});
  write(0);
  other.join();
  const Reading reading = read_journal(folder.journal());
  REQUIRE(reading.damage.empty());
  REQUIRE(reading.ids.size() == 1000);
  for (std::size_t i = 0; i < 1000; ++i) {
    REQUIRE(reading.ids[i] == std::to_string(i / 500) + "/" + std::to_string(i % 500));
  }
}

TEST_CASE("another thread may sync while records are written and segments rotated", "[journal]") {
  const TemporaryFolder folder;
  auto options = options_for(folder);
  options.rotate_size = 1000;
  const auto writer = Writer::open(std::move(options)).value();
  std::atomic<bool> done{false};
  std::thread syncing([&] {
    do {
      writer->sync();
    } while (!done);
  });
  for (int i = 0; i < 1000; ++i) {
    writer->append(exchange(std::to_string(i)));
    writer->commit();
  }
  done = true;
  syncing.join();
  writer->commit();
  REQUIRE(writer->health().last_error.empty());
  REQUIRE(read_journal(folder.journal()).ids.size() == 1000);
}

TEST_CASE("text that must not be recorded does not reach the journal, and its record does", "[journal]") {
  const TemporaryFolder folder;
  const auto writer = Writer::open(options_for(folder)).value();
  proto::Record record = exchange("1");
  record.mutable_exchange()->set_user_agent("\x1b]0;owned\a \xff\x74\x67\xfe");
  writer->append(record);
  writer->commit();
  REQUIRE(writer->health().repaired_records == 1);
  auto reader = SegmentReader::open(list_segments(folder.journal()).value().at(0).path).value();
  const auto step = reader.next().value();
  REQUIRE(std::get<Entry>(step).record.exchange().user_agent() == "\uFFFD]0;owned\uFFFD \uFFFDtg\uFFFD");
}

TEST_CASE("a journal that cannot be begun says why", "[journal]") {
  const TemporaryFolder folder;
  auto options = options_for(folder);
  options.run = "not/a/run";
  REQUIRE(Writer::open(options).error().kind == Error::Kind::malformed);

  options.run = "RUN";
  write_file(folder.journal(), "a file where the folder should be");
  REQUIRE(Writer::open(options).error().kind == Error::Kind::io);
  options.dir = folder.path() / "no" / "parent";
  const auto failed = Writer::open(options);
  REQUIRE(failed.error().kind == Error::Kind::io);
  REQUIRE(failed.error().what.find("No such file or directory") != std::string::npos);
}

TEST_CASE("a second writer of the same run and worker is refused", "[journal]") {
  const TemporaryFolder folder;
  const auto writer = Writer::open(options_for(folder)).value();
  REQUIRE(Writer::open(options_for(folder)).error().kind == Error::Kind::io);
}

}  // namespace
}  // namespace tollgate::journal
