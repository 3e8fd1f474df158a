// LogView: the log as it was at one moment, as one database to ask.
//
//   main    private and temporary, the same tables: what the journal's tails hold beyond the store's positions, and
//   every
//           row of the store that they change
//   store   the gateway's database, read-only, as far as its rows were there at that moment; absent when there is none
//
// A row of main hides the row of store with its id.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "gateway/base/result.h"
#include "gateway/store/columns.h"
#include "gateway/store/positions.h"
#include "gateway/store/row_writer.h"
#include "gateway/store/sqlite.h"

namespace tollgate::store {

class LogView {
 public:
  // Errors: as LogReader::open().
  static Result<std::unique_ptr<LogView>> freeze(const std::filesystem::path& state_dir);

  const Database& database() const { return database_; }
  bool has_store() const { return has_store_; }
  // Rows of the store with a higher `seq` came later.
  std::int64_t last_seq(Kind kind) const { return last_seq_[static_cast<std::size_t>(kind)]; }
  // Whether main has rows of the kind.
  bool has_tail(Kind kind) const { return has_tail_[static_cast<std::size_t>(kind)]; }
  // Where the view ends in each segment.
  const PositionMap& ends() const { return ends_; }
  const std::filesystem::path& journal() const { return journal_; }
  std::uint64_t damaged() const { return damaged_; }

 private:
  LogView(Database database, std::filesystem::path journal)
      : database_(std::move(database)), journal_(std::move(journal)) {}

  Status attach(const std::filesystem::path& database);
  // Fills main. False: a segment went away while it was looked for; then all of this is out of date.
  Result<bool> fill();
  Result<bool> read_tails(Positions& positions, JournalFolder& folder, RowWriter& rows);
  Result<bool> read_tail(const journal::SegmentFile& segment, Positions& positions, RowWriter& rows);
  Status close_finished_runs(Positions& positions, JournalFolder& folder, RowWriter& rows);
  // Copies the store's row with the record's id to main, so that the record can change it.
  Status take_over(const proto::Record& record);
  Status note_extent();

  Database database_;
  std::filesystem::path journal_;
  bool has_store_ = false;
  std::array<std::int64_t, all_kinds.size()> last_seq_{};
  std::array<bool, all_kinds.size()> has_tail_{};
  std::vector<Statement> take_over_;  // by Kind; none without a store
  PositionMap ends_;
  std::uint64_t damaged_ = 0;
};

}  // namespace tollgate::store
