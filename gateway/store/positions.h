// How far the journal has been read: the tables journal_runs and journal_positions of a database, and in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/base/units.h"
#include "gateway/journal/reader.h"
#include "gateway/store/sqlite.h"

namespace tollgate::store {

struct Position {
  ByteCount offset = 0;
  bool ended = false;  // read to its end, and its writer is gone
};

using PositionMap = std::map<std::string, Position>;  // by a segment's file name

// A transaction that is rolled back leaves the copy in memory wrong: load it again then.
class Positions {
 public:
  // Those of the database's `schema` (`main`, or an attached one), for reading; with `main`, for changing too.
  static Result<Positions> load(const Database& database, std::string_view schema = "main");

  // Of a segment's file name. Unknown: from the start.
  Position of(const std::string& segment) const;
  const PositionMap& all() const { return positions_; }

  // The number of the run, which is entered when it is new. Errors: those of sqlite.h.
  Result<std::int64_t> run_number(const std::string& run);
  // Notes that something of the run arrived, and so that it is not over.
  Status heard(std::int64_t run, WallTime at);
  Status note(const std::string& segment, std::int64_t run, const Position& position);
  // The segment's file is gone.
  Status forget(const std::string& segment);

  struct Run {
    std::int64_t number = 0;
    bool ended = false;  // what it left open has been closed
  };
  const std::map<std::string, Run>& runs() const { return runs_; }
  std::vector<std::string> runs_going_on() const;
  void ended(const std::string& run) { runs_[run].ended = true; }

 private:
  Positions() = default;
  const Database* database_ = nullptr;
  PositionMap positions_;
  std::map<std::string, Run> runs_;  // by name
};

// The segments of a journal folder, listed again when the folder has changed.
class JournalFolder {
 public:
  explicit JournalFolder(std::filesystem::path path) : path_(std::move(path)) {}

  // An absent folder has no segments. Sizes may be old. Errors: io.
  Result<const std::vector<journal::SegmentFile>*> segments(MonoTime now);
  // Lists in any case. Errors: io.
  Result<const std::vector<journal::SegmentFile>*> list(MonoTime now);
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::vector<journal::SegmentFile> segments_;
  std::optional<std::int64_t> changed_;  // the folder's mtime when it was listed, nanoseconds
  MonoTime quiet_since_{};               // when the mtime was first seen to be what it is
  MonoTime listed_{};
};

// Those of `runs` that are over: every segment of theirs has ended, and a listing made after that shows no other.
// Errors: io.
Result<std::vector<std::string>> finished_runs(const std::vector<std::string>& runs, const PositionMap& positions,
                                               JournalFolder& folder, MonoTime now);

// When the file was last written; nothing when it is gone.
std::optional<WallTime> last_written(const std::filesystem::path& file);

// The size of the file now; that of its listing when it is gone.
ByteCount current_size(const journal::SegmentFile& segment);

// Bytes of all segments, and those of them beyond the positions.
struct JournalSize {
  ByteCount all = 0;
  ByteCount unread = 0;
};
JournalSize measure(const std::vector<journal::SegmentFile>& segments, const PositionMap& positions);

}  // namespace tollgate::store
