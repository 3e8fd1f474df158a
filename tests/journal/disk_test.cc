// The journal on disks that are full, read-only or broken, and what happens when they recover.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "tests/journal/journal_testing.h"

namespace tollgate::journal {
namespace {

using Ids = std::vector<std::string>;

// A resource limit of this process, lowered while this lives.
class Limit {
 public:
  Limit(__rlimit_resource resource, rlim_t soft) : resource_(resource) {
    std::signal(SIGXFSZ, SIG_IGN);  // a file that grows too large is then an error (EFBIG), as a full disk is
    REQUIRE(::getrlimit(resource_, &before_) == 0);
    rlimit lowered = before_;
    lowered.rlim_cur = soft;
    REQUIRE(::setrlimit(resource_, &lowered) == 0);
  }
  ~Limit() { ::setrlimit(resource_, &before_); }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;

 private:
  __rlimit_resource resource_;
  rlimit before_{};
};

// A file system of its own, in a mount namespace of this process.
class SmallDisk {
 public:
  explicit SmallDisk(const std::filesystem::path& at) : at_(at) {
    if (::geteuid() != 0 || ::unshare(CLONE_NEWNS) != 0) return;
    ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    mounted_ = ::mount("none", at_.c_str(), "tmpfs", 0, "size=64k") == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(at_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  bool remount(unsigned long flags, const char* options) {
    return ::mount("none", at_.c_str(), nullptr, MS_REMOUNT | flags, options) == 0;
  }

 private:
  std::filesystem::path at_;
  bool mounted_ = false;
};

TEST_CASE("a write cut short at any byte leaves whole entries only, and nothing is lost or doubled", "[journal]") {
  std::string two;
  REQUIRE(append_entry(exchange("2"), two));
  const std::size_t first_size = two.size();
  REQUIRE(append_entry(exchange("3"), two));
  for (std::size_t room = 0; room < two.size(); ++room) {
    CAPTURE(room);
    const TemporaryFolder folder;
    const auto writer = Writer::open(options_for(folder)).value();
    writer->append(exchange("1"));
    writer->commit();
    const auto segment = list_segments(folder.journal()).value().at(0);
    {
      const Limit limit(RLIMIT_FSIZE, segment.size + room);
      writer->append(exchange("2"));
      writer->append(exchange("3"));
      writer->commit();
    }
    REQUIRE(writer->health().failing_since.has_value());
    REQUIRE(writer->health().last_error.find("File too large") != std::string::npos);
    const bool second_is_in = room >= first_size;
    REQUIRE(std::filesystem::file_size(segment.path) == segment.size + (second_is_in ? first_size : 0));
    REQUIRE(writer->health().pending_bytes == two.size() - (second_is_in ? first_size : 0));
    writer->commit();
    REQUIRE_FALSE(writer->health().failing_since.has_value());
    REQUIRE(writer->health().pending_bytes == 0);
    REQUIRE(writer->health().written_records == 3);
    const Reading reading = read_journal(folder.journal());
    REQUIRE(reading.ids == Ids{"1", "2", "3"});
    REQUIRE(reading.damage.empty());
  }
}

TEST_CASE("while nothing can be written, memory is bounded, the first records are kept and the others counted",
          "[journal]") {
  const TemporaryFolder folder;
  auto options = options_for(folder);
  options.pending_limit = 10 * kibibyte;
  const auto writer = Writer::open(std::move(options)).value();
  {
    const Limit limit(RLIMIT_FSIZE, 10);
    for (int i = 0; i < 1000; ++i) {
      writer->append(exchange(std::to_string(i)));
      writer->commit();
      REQUIRE(writer->health().pending_bytes <= 10 * kibibyte);
    }
  }
  const auto lost = writer->health().lost_records;
  REQUIRE(lost > 0);
  REQUIRE(writer->health().failing_since.has_value());
  writer->append(exchange("lost too, for memory is full until the next commit"));
  writer->commit();
  writer->append(exchange("after"));
  writer->commit();
  REQUIRE_FALSE(writer->health().failing_since.has_value());
  REQUIRE(writer->health().lost_records == lost + 1);

  const Reading reading = read_journal(folder.journal());
  REQUIRE(reading.damage.empty());
  REQUIRE(reading.ids.size() == 1000 - lost + 1);
  for (std::size_t i = 0; i + 1 < reading.ids.size(); ++i) REQUIRE(reading.ids[i] == std::to_string(i));
  REQUIRE(reading.ids.back() == "after");
}

TEST_CASE("attempts on a failing disk keep a distance, and a clock that is set back does not prolong it", "[journal]") {
  const TemporaryFolder folder;
  WallTime now = from_micros(1'000'000'000);
  auto options = options_for(folder);
  options.retry_after = Millis(100);
  options.clock = [&now] { return now; };
  const auto writer = Writer::open(std::move(options)).value();
  writer->append(exchange("1"));
  {
    const Limit limit(RLIMIT_FSIZE, 10);
    writer->commit();
  }
  REQUIRE(writer->health().failing_since == now);
  now += Millis(99);
  writer->commit();
  REQUIRE(writer->health().failing_since.has_value());
  now += GENERATE(Millis(1), Millis(-3'600'000));
  writer->commit();
  REQUIRE_FALSE(writer->health().failing_since.has_value());
}

TEST_CASE("a full disk stops nothing, and the journal catches up when it has room again", "[journal]") {
  const TemporaryFolder folder;
  SmallDisk disk(folder.path());
  if (!disk.mounted()) {
    WARN("not run: needs the right to mount a tmpfs");
    return;
  }
  const auto writer = Writer::open(options_for(folder)).value();
  Ids written;
  const auto write_one = [&] {
    written.push_back(std::to_string(written.size()));
    writer->append(exchange(written.back()));
    writer->commit();
  };
  while (!writer->health().failing_since && written.size() < 10'000) write_one();
  REQUIRE(writer->health().last_error.find("No space left on device") != std::string::npos);
  const Reading full = read_journal(folder.journal());
  REQUIRE(full.damage.empty());
  REQUIRE(full.ids.size() == writer->health().written_records);
  for (int i = 0; i < 100; ++i) write_one();

  REQUIRE(disk.remount(0, "size=1m"));
  write_one();
  REQUIRE_FALSE(writer->health().failing_since.has_value());
  REQUIRE(writer->health().lost_records == 0);
  const Reading reading = read_journal(folder.journal());
  REQUIRE(reading.damage.empty());
  REQUIRE(reading.ids == written);
}

TEST_CASE("a read-only disk is an error that says so", "[journal]") {
  const TemporaryFolder folder;
  SmallDisk disk(folder.path());
  if (!disk.mounted()) {
    WARN("not run: needs the right to mount a tmpfs");
    return;
  }
  REQUIRE(disk.remount(MS_RDONLY, nullptr));
  const auto writer = Writer::open(options_for(folder));
  REQUIRE_FALSE(writer.has_value());
  REQUIRE(writer.error().kind == Error::Kind::io);
  REQUIRE(writer.error().what.find("Read-only file system") != std::string::npos);
}

TEST_CASE("where no new segment can be made, the old one goes on", "[journal]") {
  const TemporaryFolder folder;
  WallTime now = from_micros(1'000'000'000);
  auto options = options_for(folder);
  options.rotate_size = 500;
  options.clock = [&now] { return now; };
  const auto writer = Writer::open(std::move(options)).value();
  Ids written;
  const auto write_one = [&] {
    written.push_back(std::to_string(written.size()));
    writer->append(exchange(written.back()));
    writer->commit();
  };
  {
    const Limit limit(RLIMIT_NOFILE, 3);  // standard streams only: no more can be opened
    for (int i = 0; i < 20; ++i) write_one();
  }
  REQUIRE_FALSE(writer->health().failing_since.has_value());
  REQUIRE(writer->health().last_error.find("Too many open files") != std::string::npos);
  REQUIRE(list_segments(folder.journal()).value().size() == 1);
  now += Seconds(60);
  write_one();
  write_one();
  REQUIRE(list_segments(folder.journal()).value().size() == 2);
  REQUIRE(read_journal(folder.journal()).ids == written);
}

TEST_CASE("a segment that is deleted under its writer is noticed and replaced", "[journal]") {
  const TemporaryFolder folder;
  const auto writer = Writer::open(options_for(folder)).value();
  writer->append(exchange("1"));
  writer->commit();
  std::filesystem::remove_all(folder.journal());
  writer->sync();
  writer->append(exchange("2"));
  writer->commit();
  REQUIRE(writer->health().last_error.find("was deleted") != std::string::npos);
  REQUIRE(read_journal(folder.journal()).ids == Ids{"2"});
}

}  // namespace
}  // namespace tollgate::journal
