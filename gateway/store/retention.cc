#include "gateway/store/retention.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>

#include "gateway/store/columns.h"

namespace tollgate::store {
namespace {

// What one transaction deletes of a table: some 20 ms of work, in which the ingester does nothing else.
constexpr int rows_a_step = 1000;
// Free pages that are kept for the rows to come.
constexpr std::int64_t spare_pages = 256;
constexpr int pages_a_step = 1000;
// What the write-ahead log may take (wal_autocheckpoint in ingestion.cc), counted against the bound in any case.
constexpr ByteCount write_ahead = 4 * mebibyte;

// The bytes that the database needs, which is what its file shrinks to.
Result<ByteCount> used_bytes(const Database& database) {
  const auto pages = database.integer("PRAGMA page_count");
  if (!pages) return fail(pages);
  const auto free_pages = database.integer("PRAGMA freelist_count");
  if (!free_pages) return fail(free_pages);
  const auto page_size = database.integer("PRAGMA page_size");
  if (!page_size) return fail(page_size);
  return static_cast<ByteCount>((*pages - *free_pages) * *page_size);
}

// Deletes up to rows_a_step rows a table that arrived before `before`.
Result<RetentionStep> delete_rows(const Database& database, std::int64_t before) {
  auto transaction = Transaction::begin(database, Transaction::Purpose::write);
  if (!transaction) return fail(transaction);
  RetentionStep step;
  for (const Kind kind : all_kinds) {
    auto statement = database.prepare(
        fmt::format("DELETE FROM {0} WHERE seq IN (SELECT seq FROM {0} WHERE arrived < ?1 ORDER BY arrived LIMIT {1})",
                    table(kind), rows_a_step));
    if (!statement) return fail(statement);
    statement->bind(1, before);
    if (auto done = statement->run(); !done) return fail(done);
    step.expired += static_cast<std::uint64_t>(database.changes());
    step.more = step.more || database.changes() == rows_a_step;
  }
  if (step.expired == 0) return step;
  if (auto committed = transaction->commit(); !committed) return fail(committed);
  return step;
}

// Hands free pages back to the file system. Says whether there are more.
Result<bool> shrink(const Database& database) {
  const auto free_pages = database.integer("PRAGMA freelist_count");
  if (!free_pages) return fail(free_pages);
  const auto surplus = *free_pages - spare_pages;
  if (surplus <= 0) return false;
  const auto count = std::min<std::int64_t>(surplus, pages_a_step);
  if (auto done = database.execute(fmt::format("PRAGMA incremental_vacuum({})", count)); !done) return fail(done);
  return surplus > pages_a_step;
}

// What arrived before this is the oldest part of the store: at most rows_a_step rows of the table whose oldest row is
// the oldest of all. Nothing when there are no rows.
Result<std::optional<std::int64_t>> oldest_part(const Database& database) {
  std::optional<std::int64_t> oldest;
  Kind where = Kind::exchange;
  for (const Kind kind : all_kinds) {
    auto statement = database.prepare(fmt::format("SELECT arrived FROM {} ORDER BY arrived LIMIT 1", table(kind)));
    if (!statement) return fail(statement);
    const auto row = statement->step();
    if (!row) return fail(row);
    if (*row && (!oldest || statement->integer(0) < *oldest)) {
      oldest = statement->integer(0);
      where = kind;
    }
  }
  if (!oldest) return oldest;
  auto statement = database.prepare(fmt::format(
      "SELECT max(arrived) FROM (SELECT arrived FROM {} ORDER BY arrived LIMIT {})", table(where), rows_a_step));
  if (!statement) return fail(statement);
  const auto row = statement->step();
  if (!row) return fail(row);
  return std::optional(statement->integer(0) + 1);
}

Status delete_segment(Ingestion& ingestion, const journal::SegmentFile& segment) {
  // The rows must outlive a power cut before the file goes: a checkpoint syncs the write-ahead log.
  if (auto done = ingestion.database().execute("PRAGMA wal_checkpoint(PASSIVE)"); !done) return done;
  if (unlink(segment.path.c_str()) != 0 && errno != ENOENT) {
    return fail(Error::Kind::io, fmt::format("{}: {}", segment.path.string(), std::generic_category().message(errno)));
  }
  // Only now: a segment without a position is read from its start.
  return ingestion.positions().forget(segment.name.text());
}

struct OldSegments {
  const journal::SegmentFile* oldest = nullptr;  // of those that may go
  WallTime oldest_written;
  ByteCount bytes = 0;  // of all segments
};

OldSegments look_at(const std::vector<journal::SegmentFile>& segments, const Positions& positions) {
  OldSegments found;
  found.bytes = measure(segments, positions.all()).all;
  for (const auto& segment : segments) {
    const auto run = positions.runs().find(segment.name.run);
    if (run == positions.runs().end() || !positions.of(segment.name.text()).ended) continue;
    const auto written = last_written(segment.path);
    if (written && (found.oldest == nullptr || *written < found.oldest_written)) {
      found.oldest = &segment;
      found.oldest_written = *written;
    }
  }
  return found;
}

Result<RetentionStep> retain_by_age(Ingestion& ingestion, WallTime before) {
  auto step = delete_rows(ingestion.database(), to_micros(before));
  if (!step) return step;
  const auto segments = ingestion.folder().segments(mono_now());
  if (!segments) return fail(segments);
  const auto old = look_at(**segments, ingestion.positions());
  if (old.oldest == nullptr || old.oldest_written >= before) return step;
  if (auto deleted = delete_segment(ingestion, *old.oldest); !deleted) return fail(deleted);
  if (const auto listed = ingestion.folder().list(mono_now()); !listed) return fail(listed);
  step->more = true;
  return step;
}

Result<RetentionStep> retain_by_size(Ingestion& ingestion, ByteCount bound) {
  const auto used = used_bytes(ingestion.database());
  if (!used) return fail(used);
  const auto segments = ingestion.folder().segments(mono_now());
  if (!segments) return fail(segments);
  const auto old = look_at(**segments, ingestion.positions());
  const ByteCount all = *used + old.bytes + std::min(write_ahead, bound / 8);
  if (all <= bound) return RetentionStep{};
  const auto part = oldest_part(ingestion.database());
  if (!part) return fail(part);
  if (old.oldest != nullptr && (old.bytes > bound / 4 || !*part)) {
    if (auto deleted = delete_segment(ingestion, *old.oldest); !deleted) return fail(deleted);
    if (const auto listed = ingestion.folder().list(mono_now()); !listed) return fail(listed);
    return RetentionStep{.expired = 0, .more = true};
  }
  if (!*part) return RetentionStep{};
  auto step = delete_rows(ingestion.database(), **part);
  if (step) step->more = step->expired > 0;
  return step;
}

}  // namespace

Result<RetentionStep> retain(Ingestion& ingestion, const RetentionLimits& limits, WallTime now) {
  RetentionStep step;
  if (limits.age > Millis(0)) {
    auto aged = retain_by_age(ingestion, now - limits.age);
    if (!aged) return aged;
    step = *aged;
  }
  if (limits.size > 0) {
    auto sized = retain_by_size(ingestion, limits.size);
    if (!sized) return sized;
    step.expired += sized->expired;
    step.more = step.more || sized->more;
  }
  const auto shrinking = shrink(ingestion.database());
  if (!shrinking) return fail(shrinking);
  step.more = step.more || *shrinking;
  return step;
}

}  // namespace tollgate::store
