#include "gateway/store/positions.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

namespace tollgate::store {
namespace {

// A folder's mtime moves in steps of the kernel's clock tick, and a segment is listed only once its header is written,
// which the folder's mtime does not show. So a folder is listed until it has been quiet for a while, and now and then.
constexpr Millis settle_time{1000};
constexpr Millis list_anyway{5000};

std::optional<std::int64_t> modified(const std::filesystem::path& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return std::nullopt;
  return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

}  // namespace

Result<Positions> Positions::load(const Database& database, std::string_view schema) {
  Positions loaded;
  loaded.database_ = &database;
  auto runs = database.prepare(fmt::format("SELECT name, number, ended FROM {}.journal_runs", schema));
  if (!runs) return fail(runs);
  auto row = runs->step();
  for (; row && *row; row = runs->step()) {
    loaded.runs_[std::string(runs->text(0))] = {runs->integer(1), runs->integer(2) != 0};
  }
  if (!row) return fail(row);
  auto positions = database.prepare(fmt::format("SELECT segment, position, ended FROM {}.journal_positions", schema));
  if (!positions) return fail(positions);
  row = positions->step();
  for (; row && *row; row = positions->step()) {
    loaded.positions_[std::string(positions->text(0))] = {static_cast<ByteCount>(positions->integer(1)),
                                                          positions->integer(2) != 0};
  }
  if (!row) return fail(row);
  return loaded;
}

Position Positions::of(const std::string& segment) const {
  const auto found = positions_.find(segment);
  return found == positions_.end() ? Position{} : found->second;
}

std::vector<std::string> Positions::runs_going_on() const {
  std::vector<std::string> going_on;
  for (const auto& [name, run] : runs_) {
    if (!run.ended) going_on.push_back(name);
  }
  return going_on;
}

Result<std::int64_t> Positions::run_number(const std::string& run) {
  if (const auto found = runs_.find(run); found != runs_.end()) return found->second.number;
  auto statement =
      database_->prepare("INSERT INTO journal_runs (name, heard, ended) VALUES (?1, 0, 0) RETURNING number");
  if (!statement) return fail(statement);
  statement->bind(1, std::string_view(run));
  const auto row = statement->step();
  if (!row) return fail(row);
  const std::int64_t number = statement->integer(0);
  if (auto done = statement->run(); !done) return fail(done);
  runs_[run] = {number, false};
  return number;
}

Status Positions::heard(std::int64_t run, WallTime at) {
  auto statement = database_->prepare("UPDATE journal_runs SET heard = max(heard, ?2), ended = 0 WHERE number = ?1");
  if (!statement) return fail(statement);
  statement->bind(1, run);
  statement->bind(2, to_micros(at));
  for (auto& [name, known] : runs_) {
    if (known.number == run) known.ended = false;
  }
  return statement->run();
}

Status Positions::note(const std::string& segment, std::int64_t run, const Position& position) {
  auto statement = database_->prepare(
      "INSERT INTO journal_positions (segment, run, position, ended) VALUES (?1, ?2, ?3, ?4) "
      "ON CONFLICT (segment) DO UPDATE SET position = excluded.position, ended = excluded.ended");
  if (!statement) return fail(statement);
  statement->bind(1, std::string_view(segment));
  statement->bind(2, run);
  statement->bind(3, static_cast<std::int64_t>(position.offset));
  statement->bind(4, std::int64_t{position.ended});
  positions_[segment] = position;
  return statement->run();
}

Status Positions::forget(const std::string& segment) {
  auto statement = database_->prepare("DELETE FROM journal_positions WHERE segment = ?1");
  if (!statement) return fail(statement);
  statement->bind(1, std::string_view(segment));
  auto done = statement->run();
  if (done) positions_.erase(segment);
  return done;
}

Result<const std::vector<journal::SegmentFile>*> JournalFolder::segments(MonoTime now) {
  const auto changed = modified(path_);
  const bool same = changed_ && changed == changed_;
  if (!same) quiet_since_ = now;
  if (same && now - quiet_since_ > settle_time && now - listed_ < list_anyway) return &segments_;
  return list(now);
}

Result<const std::vector<journal::SegmentFile>*> JournalFolder::list(MonoTime now) {
  changed_ = modified(path_);
  listed_ = now;
  auto listed = journal::list_segments(path_);
  if (!listed && listed.error().kind != Error::Kind::not_found) return fail(listed);
  segments_ = listed ? std::move(*listed) : std::vector<journal::SegmentFile>();
  return &segments_;
}

Result<std::vector<std::string>> finished_runs(const std::vector<std::string>& runs, const PositionMap& positions,
                                               JournalFolder& folder, MonoTime now) {
  std::vector<std::string> finished;
  if (runs.empty()) return finished;
  // A writer makes its next segment before it leaves the last. So whoever has seen the last one ended, which is when
  // `positions` were made, sees the next one in a listing made now.
  const auto segments = folder.list(now);
  if (!segments) return fail(segments);
  std::set<std::string> going_on;
  for (const auto& segment : **segments) {
    const auto position = positions.find(segment.name.text());
    if (position == positions.end() || !position->second.ended) going_on.insert(segment.name.run);
  }
  std::copy_if(runs.begin(), runs.end(), std::back_inserter(finished),
               [&](const std::string& run) { return !going_on.contains(run); });
  return finished;
}

std::optional<WallTime> last_written(const std::filesystem::path& file) {
  const auto nanos = modified(file);
  if (!nanos) return std::nullopt;
  return from_micros(*nanos / 1000);
}

ByteCount current_size(const journal::SegmentFile& segment) {
  std::error_code gone;
  const auto size = std::filesystem::file_size(segment.path, gone);
  return gone ? segment.size : size;
}

JournalSize measure(const std::vector<journal::SegmentFile>& segments, const PositionMap& positions) {
  JournalSize size;
  for (const auto& segment : segments) {
    const auto found = positions.find(segment.name.text());
    const Position position = found != positions.end() ? found->second : Position{};
    // Only what may still grow is looked at again.
    const ByteCount bytes = position.ended ? segment.size : current_size(segment);
    size.all += bytes;
    if (!position.ended && bytes > position.offset) size.unread += bytes - position.offset;
  }
  return size;
}

}  // namespace tollgate::store
