#include "gateway/store/log_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/store/schema.h"
#include "gateway/store/store.h"

namespace tollgate::store {
namespace {

// Retention deletes one segment at a time, and only those that were read long ago: meeting it once is rare.
constexpr int max_attempts = 10;

// All but `seq`, which each database counts for itself.
std::string copied_columns(Kind kind) { return column_list(kind) + ", arrived, run"; }

// Nothing of the private database is worth keeping; it stays in memory up to the cache's size.
constexpr const char* private_settings =
    "PRAGMA main.journal_mode = MEMORY; PRAGMA main.synchronous = OFF; PRAGMA main.cache_size = -65536;"
    "PRAGMA temp_store = FILE;";

}  // namespace

Result<std::unique_ptr<LogView>> LogView::freeze(const std::filesystem::path& state_dir) {
  std::error_code error;
  if (!std::filesystem::is_directory(state_dir, error)) {
    return fail(Error::Kind::not_found, fmt::format("{}: no such directory; set state.dir", state_dir.string()));
  }
  for (int attempt = 0; attempt < max_attempts; ++attempt) {
    auto database = Database::temporary();
    if (!database) return fail(database);
    std::unique_ptr<LogView> view(new LogView(std::move(*database), journal_dir(state_dir)));
    if (auto attached = view->attach(database_path(state_dir)); !attached) return fail(attached);
    const auto filled = view->fill();
    if (!filled) return fail(filled);
    if (*filled) return view;
  }
  return fail(Error::Kind::io, fmt::format("{}: segments keep going away while they are read", state_dir.string()));
}

Status LogView::attach(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) {
    if (auto attached = database_.attach_read_only(path, "store"); !attached) return attached;
    const auto version = schema_version(database_, migrations(), "store");
    if (!version) return fail(version);
    // A database that is being made has no version yet, and no rows.
    has_store_ = *version > 0;
    if (has_store_ && *version < static_cast<std::int64_t>(migrations().size())) {
      return fail(
          Error::Kind::refused,
          fmt::format("{}: of an older tollgate; start the gateway once, which brings it up to date", path.string()));
    }
  }
  if (auto set = database_.execute(private_settings); !set) return set;
  return migrate(database_);
}

Result<bool> LogView::fill() {
  auto rows = RowWriter::prepare(database_);
  if (!rows) return fail(rows);
  if (has_store_) {
    for (const Kind kind : all_kinds) {
      auto copy =
          database_.prepare(fmt::format("INSERT OR IGNORE INTO main.{0} ({1}) SELECT {1} FROM store.{0} WHERE id = ?1",
                                        table(kind), copied_columns(kind)));
      if (!copy) return fail(copy);
      take_over_.push_back(std::move(*copy));
    }
  }
  auto transaction = Transaction::begin(database_, Transaction::Purpose::read);
  if (!transaction) return fail(transaction);
  auto positions = [&]() -> Result<Positions> {
    if (!has_store_) return Positions::load(database_);
    // This first read of the store fixes what the transaction sees of it.
    auto known = Positions::load(database_, "store");
    if (!known) return known;
    auto copied = database_.execute("INSERT INTO main.journal_runs SELECT * FROM store.journal_runs");
    if (!copied) return fail(copied);
    return known;
  }();
  if (!positions) return fail(positions);
  JournalFolder folder(journal_);
  auto read = read_tails(*positions, folder, *rows);
  if (!read || !*read) return read;
  if (auto closed = close_finished_runs(*positions, folder, *rows); !closed) return fail(closed);
  if (auto noted = note_extent(); !noted) return fail(noted);
  if (auto committed = transaction->commit(); !committed) return fail(committed);
  ends_ = positions->all();
  return true;
}

Result<bool> LogView::read_tails(Positions& positions, JournalFolder& folder, RowWriter& rows) {
  // The positions were read before the folder is listed, so a segment that is listed without a position is new, never
  // one whose position was forgotten when it was deleted.
  const auto segments = folder.list(mono_now());
  if (!segments) return fail(segments);
  for (const auto& segment : **segments) {
    if (positions.of(segment.name.text()).ended) continue;
    auto read = read_tail(segment, positions, rows);
    if (!read || !*read) return read;
  }
  return true;
}

Result<bool> LogView::read_tail(const journal::SegmentFile& segment, Positions& positions, RowWriter& rows) {
  const std::string name = segment.name.text();
  Position position = positions.of(name);
  auto reader = journal::SegmentReader::open(segment.path, position.offset);
  if (!reader) {
    if (reader.error().kind == Error::Kind::not_found) return false;
    return fail(reader);
  }
  const auto run = positions.run_number(segment.name.run);
  if (!run) return fail(run);
  const WallTime arrived = last_written(segment.path).value_or(WallTime());
  // What is written from now on is not of this view: a busy writer could be run after for ever.
  const ByteCount extent = current_size(segment);
  bool at_end = false;
  while (!at_end) {
    auto step = reader->next();
    if (!step) return fail(step);
    if (auto* entry = std::get_if<journal::Entry>(&*step)) {
      if (auto taken = take_over(entry->record); !taken) return fail(taken);
      if (auto put = rows.put(entry->record, {*run, arrived}); !put) return fail(put);
      at_end = entry->at >= extent;
    } else if (std::holds_alternative<journal::Damaged>(*step)) {
      ++damaged_;
    } else {
      position.ended = std::holds_alternative<journal::EndOfSegment>(*step);
      at_end = true;
    }
  }
  if (auto heard = positions.heard(*run, arrived); !heard) return fail(heard);
  position.offset = reader->offset();
  if (auto noted = positions.note(name, *run, position); !noted) return fail(noted);
  return true;
}

Status LogView::take_over(const proto::Record& record) {
  const auto kind = kind_of(record);
  if (!kind || take_over_.empty()) return {};
  auto& copy = take_over_[static_cast<std::size_t>(*kind)];
  const auto& message = message_of(record, *kind);
  std::string scratch;
  const auto& id = message.GetReflection()->GetStringReference(
      message, columns(*kind)[static_cast<std::size_t>(column_index(*kind, "id"))].field, &scratch);
  copy.bind(1, std::string_view(id));
  return copy.run();
}

Status LogView::close_finished_runs(Positions& positions, JournalFolder& folder, RowWriter& rows) {
  const auto finished = finished_runs(positions.runs_going_on(), positions.all(), folder, mono_now());
  if (!finished) return fail(finished);
  for (const auto& run : *finished) {
    const auto number = positions.runs().at(run).number;
    if (has_store_) {
      for (const auto& [kind, open] :
           {std::pair(Kind::exchange, "state = 'open'"), std::pair(Kind::connection, "closed IS NULL")}) {
        auto copied = database_.execute(
            fmt::format("INSERT OR IGNORE INTO main.{0} ({1}) SELECT {1} FROM store.{0} WHERE {2} AND run = {3}",
                        table(kind), copied_columns(kind), open, number));
        if (!copied) return copied;
      }
    }
    if (const auto closed = rows.close_run(number); !closed) return fail(closed);
    positions.ended(run);
  }
  return {};
}

Status LogView::note_extent() {
  for (const Kind kind : all_kinds) {
    const auto at = static_cast<std::size_t>(kind);
    const auto any = database_.integer(fmt::format("SELECT EXISTS (SELECT 1 FROM main.{})", table(kind)));
    if (!any) return fail(any);
    has_tail_[at] = *any != 0;
    if (!has_store_) continue;
    const auto last = database_.integer(fmt::format("SELECT max(seq) FROM store.{}", table(kind)));
    if (!last) return fail(last);
    last_seq_[at] = *last;
  }
  return {};
}

}  // namespace tollgate::store
