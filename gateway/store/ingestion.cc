#include "gateway/store/ingestion.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "gateway/store/schema.h"
#include "gateway/store/store.h"

namespace tollgate::store {
namespace {

// WAL: readers never wait for the ingester, nor it for them. NORMAL: no fsync a commit; after a power cut the last
// batches may be missing, positions with them, and are read again from the journal.
// The limit cuts the log file back after a checkpoint that found it grown (a reader held it up).
constexpr const char* connection_settings =
    "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
    "PRAGMA journal_size_limit = 4194304; PRAGMA wal_autocheckpoint = 1000; PRAGMA cache_size = -16384;"
    "PRAGMA temp_store = FILE;";

}  // namespace

// The transaction of one batch, begun when there is something to write.
class Ingestion::Writing {
 public:
  Writing(Ingestion& ingestion, WallTime at) : now(at), ingestion_(&ingestion) {}

  Status begin() {
    if (transaction_) return {};
    auto begun = Transaction::begin(ingestion_->database_, Transaction::Purpose::write);
    if (!begun) return fail(begun);
    transaction_.emplace(std::move(*begun));
    return {};
  }
  Status commit() { return transaction_ ? transaction_->commit() : Status(); }
  bool full() const { return batch.records >= batch_records || mono_now() >= deadline_; }

  const WallTime now;
  Batch batch;

 private:
  Ingestion* ingestion_;
  MonoTime deadline_ = mono_now() + batch_time;
  std::optional<Transaction> transaction_;
};

Result<std::unique_ptr<Ingestion>> Ingestion::open(const std::filesystem::path& state_dir, DamageLog& damage) {
  auto database = Database::open(database_path(state_dir));
  if (!database) return fail(database);
  std::unique_ptr<Ingestion> opened(new Ingestion(std::move(*database), journal_dir(state_dir), damage));
  if (auto prepared = opened->prepare(); !prepared) return fail(prepared);
  return opened;
}

Status Ingestion::prepare() {
  // First, so that somebody else's database is left as it is.
  if (const auto version = schema_version(database_, migrations()); !version) return fail(version);
  if (auto set = database_.execute(connection_settings); !set) return set;
  if (auto migrated = migrate(database_); !migrated) return migrated;
  auto rows = RowWriter::prepare(database_);
  if (!rows) return fail(rows);
  rows_.emplace(std::move(*rows));
  auto positions = Positions::load(database_);
  if (!positions) return fail(positions);
  positions_.emplace(std::move(*positions));
  return {};
}

Result<Ingestion::Batch> Ingestion::step(WallTime now) {
  Writing writing(*this, now);
  const auto listed = folder_.segments(mono_now());
  if (!listed) return fail(listed);
  for (const auto& segment : **listed) {
    if (positions_->of(segment.name.text()).ended) continue;
    if (auto read = read_segment(segment, writing); !read) return fail(read);
    writing.batch.more = writing.full();
    if (writing.batch.more) break;
  }
  if (!writing.batch.more) {
    if (auto closed = close_finished_runs(writing); !closed) return fail(closed);
  }
  if (auto committed = writing.commit(); !committed) return fail(committed);
  return writing.batch;
}

// The open segment, opened where it was left. Null when it cannot be read now, which has been said.
Result<Ingestion::Tail*> Ingestion::tail(const journal::SegmentFile& segment, Writing& writing) {
  const std::string name = segment.name.text();
  if (const auto found = tails_.find(name); found != tails_.end()) return &found->second;
  const Position position = positions_->of(name);
  auto reader = journal::SegmentReader::open(segment.path, position.offset);
  if (!reader) {
    const bool gone = reader.error().kind == Error::Kind::not_found;
    if (!gone && damage_->first(name, position.offset)) {
      spdlog::error("the journal segment {} cannot be read and stays where it is: {}", name, reader.error().what);
    }
    return nullptr;
  }
  if (auto begun = writing.begin(); !begun) return fail(begun);
  const auto run = positions_->run_number(segment.name.run);
  if (!run) return fail(run);
  return &tails_.emplace(name, Tail{std::move(*reader), *run}).first->second;
}

Status Ingestion::read_segment(const journal::SegmentFile& segment, Writing& writing) {
  const auto opened = tail(segment, writing);
  if (!opened) return fail(opened);
  if (*opened == nullptr) return {};
  Tail& from = **opened;
  const std::string name = segment.name.text();
  const ByteCount before = from.reader.offset();
  // What is in the file now came before it was last written, and what we have not read yet did not come long before.
  const WallTime arrived = std::min(writing.now, last_written(segment.path).value_or(writing.now));
  bool ended = false;
  for (bool read_on = true; read_on && !writing.full();) {
    auto step = from.reader.next();
    if (!step) {
      if (damage_->first(name, from.reader.offset())) {
        spdlog::error("the journal segment {} cannot be read now and is tried again: {}", name, step.error().what);
      }
      break;
    }
    if (auto* entry = std::get_if<journal::Entry>(&*step)) {
      if (auto begun = writing.begin(); !begun) return begun;
      if (auto put = rows_->put(entry->record, {from.run, arrived}); !put) return put;
      ++writing.batch.records;
    } else if (const auto* damaged = std::get_if<journal::Damaged>(&*step)) {
      report(name, *damaged, writing.batch);
    } else {
      ended = std::holds_alternative<journal::EndOfSegment>(*step);
      read_on = false;
    }
  }
  const Position position{from.reader.offset(), ended};
  if (position.offset == before && !ended) return {};
  if (auto begun = writing.begin(); !begun) return begun;
  if (position.offset != before) {
    if (auto heard = positions_->heard(from.run, arrived); !heard) return heard;
  }
  if (auto noted = positions_->note(name, from.run, position); !noted) return noted;
  if (ended) {
    tails_.erase(name);
    look_for_finished_runs_ = true;
  }
  return {};
}

void Ingestion::report(const std::string& segment, const journal::Damaged& damaged, Batch& batch) {
  if (!damage_->first(segment, damaged.from)) return;
  ++batch.damaged;
  spdlog::error("the journal segment {} is damaged: bytes {} to {} are skipped ({})", segment, damaged.from, damaged.to,
                damaged.why);
}

Status Ingestion::close_finished_runs(Writing& writing) {
  if (!look_for_finished_runs_) return {};
  look_for_finished_runs_ = false;
  const auto finished = finished_runs(positions_->runs_going_on(), positions_->all(), folder_, mono_now());
  if (!finished) return fail(finished);
  for (const auto& run : *finished) {
    if (auto begun = writing.begin(); !begun) return begun;
    const auto interrupted = rows_->close_run(positions_->runs().at(run).number);
    if (!interrupted) return fail(interrupted);
    positions_->ended(run);
    writing.batch.interrupted += static_cast<std::uint64_t>(*interrupted);
    if (*interrupted > 0) {
      spdlog::warn("{} exchanges were not over when their gateway stopped; they are recorded as interrupted",
                   *interrupted);
    }
  }
  return {};
}

}  // namespace tollgate::store
