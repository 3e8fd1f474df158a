// LogReader: the whole log, for a command that runs beside a gateway or after one that was killed. It never ingests.
//
// The log is the store plus what the journal holds beyond the positions that the store has noted. A reader freezes both
// in one view: it opens the segments first, then begins one read transaction that sees positions and rows together,
// then reads the segments' tails into a private temporary database (in memory while small, then in an unlinked file).
// So nothing is missing and nothing is there twice, however the ingester and its retention go on meanwhile.
//
// One thread. Nothing is locked while a callback runs, so a slow reader (a pager) holds up no gateway; records that
// retention deletes during a long visit() may be left out of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "gateway/base/result.h"
#include "gateway/store/filter.h"
#include "proto/record.pb.h"

namespace tollgate::store {

class Follow;
class LogView;  // log_view.h: the frozen view

// False ends the visit, without an error.
using Visitor = std::function<bool(const proto::Record&)>;

class LogReader {
 public:
  // The log as it is now. Nothing is created: a state.dir without journal and database yet is an empty log.
  // Errors: not_found  there is no such directory
  //         refused    the database is of another version of tollgate, or somebody else's
  //         malformed  the database is damaged (a gateway that meets the damage rebuilds it)
  //         io         the machine refused
  static Result<LogReader> open(const std::filesystem::path& state_dir);

  LogReader(LogReader&&) noexcept;
  LogReader& operator=(LogReader&&) noexcept;
  ~LogReader();

  // Calls back for every record that matches, oldest first (by time, then kind). Memory does not grow with the log.
  // A begin record whose exchange has not ended has the state `open`, or `interrupted` when its gateway is gone; the
  // parts of a connection are one record. Errors: io.
  Status visit(const Filter& filter, const Visitor& visitor) const;
  // By id, of any kind. Nothing when there is none. Errors: io.
  Result<std::optional<proto::Record>> find(std::string_view id) const;
  // What is recorded after this view: exactly the rest of the log. Lives on without the reader.
  Follow follow(Filter filter) const;

  // Journal entries of the tails that were damaged and left out.
  std::uint64_t damaged() const;

 private:
  explicit LogReader(std::unique_ptr<LogView> view);
  std::unique_ptr<LogView> view_;
};

// New records as they finish, straight from the journal: each final record once (a filter's `limit` means nothing
// here), connection parts as they come, and an exchange as `interrupted` when its gateway died before its end.
class Follow {
 public:
  Follow(Follow&&) noexcept;
  Follow& operator=(Follow&&) noexcept;
  ~Follow();

  // Calls back for what has come since the last poll; call it every 200 ms or so (what retention deletes between two
  // polls is not seen). A visitor's false ends this poll; the rest comes with the next. Errors: io.
  Status poll(const Visitor& visitor);
  // Journal entries that were damaged and left out.
  std::uint64_t damaged() const;

 private:
  friend class LogReader;
  class Tails;
  explicit Follow(std::unique_ptr<Tails> tails);
  std::unique_ptr<Tails> tails_;
};

}  // namespace tollgate::store
