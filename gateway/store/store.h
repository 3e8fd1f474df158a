// The store: one SQLite database, state.dir/tollgate.db, that a person can read with the sqlite3 shell (`.schema`
// explains itself). It can always be rebuilt from the journal, as far as that reaches back.
#pragma once

#include <cstdint>
#include <filesystem>

#include "gateway/base/result.h"
#include "gateway/base/units.h"

namespace tollgate::store {

// Where things are in state.dir.
std::filesystem::path database_path(const std::filesystem::path& state_dir);  // tollgate.db
std::filesystem::path journal_dir(const std::filesystem::path& state_dir);    // journal/
ByteCount database_size(const std::filesystem::path& state_dir);              // with its write-ahead log; 0: none

// What the store holds, for `doctor` and `/metrics`.
struct StoreCounts {
  bool exists = false;              // whether there is a database yet
  std::int64_t schema_version = 0;  // of the database
  std::uint64_t exchanges = 0;      // rows
  std::uint64_t connections = 0;    // rows
  std::uint64_t dns = 0;            // rows
  std::uint64_t hints = 0;          // rows
  ByteCount database_bytes = 0;     // tollgate.db with its write-ahead log
  ByteCount journal_bytes = 0;      // all segments
  ByteCount lag = 0;                // journal bytes that are not in the store yet
};

// Reads them without changing anything; works beside a running gateway. Counting rows takes a second per few million.
// Errors: not_found  no such state.dir
//         refused    the database is of a newer tollgate, or somebody else's
//         malformed  it is damaged
//         io         the machine refused
Result<StoreCounts> count_store(const std::filesystem::path& state_dir);

// `PRAGMA quick_check` of the database: nothing to say when there is none. Errors: as above; malformed names what is
// wrong.
Status check_store(const std::filesystem::path& state_dir);

}  // namespace tollgate::store
