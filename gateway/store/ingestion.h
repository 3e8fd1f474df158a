// Ingestion: an open store, and the journal being read into it. It lives until something fails; then whoever drives it
// throws it away and opens another, which goes on from the positions that were committed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/journal/reader.h"
#include "gateway/store/positions.h"
#include "gateway/store/row_writer.h"
#include "gateway/store/sqlite.h"

namespace tollgate::store {

// Says each trouble with a piece of the journal once, however often it is met again.
class DamageLog {
 public:
  // True the first time.
  bool first(const std::string& segment, ByteCount at) { return seen_.emplace(segment, at).second; }

 private:
  std::set<std::pair<std::string, ByteCount>> seen_;
};

class Ingestion {
 public:
  // Opens or makes the database, and brings it up to date. `damage` must outlive it.
  // Errors: malformed  the database is damaged
  //         refused    it is of a newer tollgate, or somebody else's
  //         io         the machine refused
  static Result<std::unique_ptr<Ingestion>> open(const std::filesystem::path& state_dir, DamageLog& damage);

  struct Batch {
    std::uint64_t records = 0;
    std::uint64_t damaged = 0;      // entries that nobody has been told of before
    std::uint64_t interrupted = 0;  // exchanges that a dead run had left open
    bool more = false;              // the batch was full: there is more to read now
  };
  // Moves the next batch of records, in one transaction: at most batch_records, or what batch_time allows.
  Result<Batch> step(WallTime now);

  const Database& database() const { return database_; }
  Positions& positions() { return *positions_; }
  JournalFolder& folder() { return folder_; }

  static constexpr std::uint64_t batch_records = 5000;
  static constexpr Millis batch_time{200};

 private:
  struct Tail {
    journal::SegmentReader reader;
    std::int64_t run;
  };
  class Writing;

  Ingestion(Database database, const std::filesystem::path& journal, DamageLog& damage)
      : database_(std::move(database)), folder_(journal), damage_(&damage) {}
  Status prepare();
  Result<Tail*> tail(const journal::SegmentFile& segment, Writing& writing);
  Status read_segment(const journal::SegmentFile& segment, Writing& writing);
  Status close_finished_runs(Writing& writing);
  void report(const std::string& segment, const journal::Damaged& damaged, Batch& batch);

  Database database_;
  JournalFolder folder_;
  DamageLog* damage_;
  std::optional<Positions> positions_;
  std::optional<RowWriter> rows_;
  std::map<std::string, Tail> tails_;  // open segments, by file name
  bool look_for_finished_runs_ = true;
};

}  // namespace tollgate::store
