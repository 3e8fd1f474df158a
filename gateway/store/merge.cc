#include "gateway/store/merge.h"

#include <fmt/format.h>

#include <algorithm>

namespace tollgate::store {
namespace {

// A chunk ends with whatever comes first. Records are some hundred bytes, rarely up to 100 KiB (activity).
constexpr std::size_t records_a_chunk = 1000;
constexpr Millis time_a_chunk{500};
// Hosts that are read through their index, each as a source of its own; with more, reading everything is as good.
constexpr std::size_t max_indexed_hosts = 64;

// The columns of a statement: seq, then those of the record.
constexpr int seq_column = 0;
constexpr int first_column = 1;

// Where the fields that filters look at are; -1 for those that the kind does not have.
struct FilterColumns {
  int time, device, app_id, app_name, klass, host, server_name, action;
};

const FilterColumns& filter_columns(Kind kind) {
  static const auto all = [] {
    std::array<FilterColumns, all_kinds.size()> made{};
    for (const Kind each : all_kinds) {
      const auto at = [each](std::string_view name) {
        const int index = column_index(each, name);
        return index < 0 ? -1 : first_column + index;
      };
      made[static_cast<std::size_t>(each)] = {
          at("time"),
          at("device"),
          at(each == Kind::hint ? "app" : "app_id"),
          at("app_name"),
          at("class"),
          at(each == Kind::dns ? "query" : "host"),
          at("sni"),
          at(each == Kind::connection ? "treatment" : "action"),
      };
    }
    return made;
  }();
  return all[static_cast<std::size_t>(kind)];
}

Candidate candidate(const Statement& row, Kind kind) {
  const auto& at = filter_columns(kind);
  const auto text = [&row](int column) { return column < 0 ? std::string_view() : row.text(column); };
  return {.kind = kind,
          .time = from_micros(row.integer(at.time)),
          .device = text(at.device),
          .app_id = text(at.app_id),
          .app_name = text(at.app_name),
          .klass = text(at.klass),
          .host = text(at.host),
          .server_name = text(at.server_name),
          .action = text(at.action)};
}

}  // namespace

Result<Merge> Merge::over(const LogView& view, const Filter& filter) {
  Merge merge(view, filter);
  if (auto found = merge.find_sources(); !found) return fail(found);
  if (filter.since) merge.next_.time = to_micros(*filter.since);
  return merge;
}

Status Merge::find_sources() {
  const auto hosts = matching_hosts();
  if (!hosts) return fail(hosts);
  const auto add = [this](Kind kind, bool in_store, std::optional<std::string> host) {
    sources_.push_back({kind, in_store, std::move(host), std::nullopt});
  };
  for (const Kind kind : all_kinds) {
    if (filter_->kind && *filter_->kind != kind) continue;
    if (view_->has_store() && view_->last_seq(kind) > 0) {
      if (kind == Kind::exchange && *hosts) {
        for (const auto& host : **hosts) add(kind, true, host);
      } else {
        add(kind, true, std::nullopt);
      }
    }
    if (view_->has_tail(kind)) add(kind, false, std::nullopt);
  }
  return {};
}

// The hosts of the store's exchanges that match, when they are few. The index is stepped from host to host, so this
// takes as long as there are hosts, not exchanges.
Result<std::optional<std::vector<std::string>>> Merge::matching_hosts() const {
  if (!filter_->host || !view_->has_store()) return std::optional<std::vector<std::string>>();
  auto statement = view_->database().prepare(
      "WITH RECURSIVE hosts (host) AS ("
      "  SELECT min(host) FROM store.exchanges"
      "  UNION ALL SELECT (SELECT min(host) FROM store.exchanges AS e WHERE e.host > hosts.host) FROM hosts"
      "  WHERE hosts.host IS NOT NULL) "
      "SELECT host FROM hosts WHERE host IS NOT NULL");
  if (!statement) return fail(statement);
  Filter by_host;
  by_host.host = filter_->host;
  std::vector<std::string> found;
  auto row = statement->step();
  for (; row && *row; row = statement->step()) {
    Candidate only;
    only.host = statement->text(0);
    if (!matches(by_host, only)) continue;
    if (found.size() == max_indexed_hosts) return std::optional<std::vector<std::string>>();
    found.emplace_back(only.host);
  }
  if (!row) return fail(row);
  return std::optional(std::move(found));
}

// A unary plus keeps SQLite from choosing an index for that term: the one on time (or host and time) gives the order.
std::string Merge::sql(const Source& source, Order order) const {
  std::string sql = fmt::format("SELECT seq, {} FROM {}.{} AS r WHERE time >= ?1 AND (time > ?1 OR +seq >= ?2)",
                                column_list(source.kind), source.in_store ? "store" : "main", table(source.kind));
  if (filter_->until) sql += " AND time < ?3";
  if (source.host) sql += " AND host = ?4";
  if (source.in_store) sql += fmt::format(" AND +seq <= {}", view_->last_seq(source.kind));
  if (source.in_store && view_->has_tail(source.kind)) {
    sql += fmt::format(" AND NOT EXISTS (SELECT 1 FROM main.{} AS newer WHERE newer.id = r.id)", table(source.kind));
  }
  const std::string_view direction = order == Order::descending ? " DESC" : "";
  return sql + fmt::format(" ORDER BY time{0}, seq{0}", direction);
}

// Every source's statement at its first row that is not before `from`, or at its last row.
Status Merge::start(Order order, const RowKey& from) {
  using limits = std::numeric_limits<std::int64_t>;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    Source& source = sources_[i];
    if (!source.statement) {
      auto prepared = view_->database().prepare(sql(source, order));
      if (!prepared) return fail(prepared);
      source.statement.emplace(std::move(*prepared));
    }
    source.statement->bind(1, from.time);
    source.statement->bind(2, i == from.source ? from.seq : i < from.source ? limits::max() : limits::min());
    if (filter_->until) source.statement->bind(3, to_micros(*filter_->until));
    if (source.host) source.statement->bind(4, std::string_view(*source.host));
    if (auto advanced = advance(source); !advanced) return advanced;
  }
  return {};
}

void Merge::finish() {
  for (auto& source : sources_) {
    if (source.statement) source.statement->reset();
  }
}

Status Merge::advance(Source& source) {
  const auto row = source.statement->step();
  if (!row) return fail(row);
  source.has_row = *row;
  return {};
}

RowKey Merge::key(std::size_t source) const {
  const auto& statement = *sources_[source].statement;
  return {statement.integer(filter_columns(sources_[source].kind).time), source, statement.integer(seq_column)};
}

std::optional<std::size_t> Merge::first(Order order) const {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (!sources_[i].has_row) continue;
    if (!found || (order == Order::ascending ? key(i) < key(*found) : key(i) > key(*found))) found = i;
  }
  return found;
}

bool Merge::wanted(const Source& source) const { return matches(*filter_, candidate(*source.statement, source.kind)); }

Result<std::vector<proto::Record>> Merge::next_chunk() {
  std::vector<proto::Record> records;
  const MonoTime deadline = mono_now() + time_a_chunk;
  const auto transaction = Transaction::begin(view_->database(), Transaction::Purpose::read);
  if (!transaction) return fail(transaction);
  if (auto started = start(Order::ascending, next_); !started) return fail(started);
  while (records.size() < records_a_chunk && mono_now() < deadline) {
    const auto source = first(Order::ascending);
    at_end_ = !source;
    if (at_end_) break;
    next_ = key(*source);
    ++next_.seq;
    Source& from = sources_[*source];
    if (wanted(from)) {
      proto::Record record;
      if (auto read = read_row(*from.statement, first_column, from.kind, record); !read) return fail(read);
      records.push_back(std::move(record));
    }
    if (auto advanced = advance(from); !advanced) return fail(advanced);
  }
  finish();
  return records;
}

Status Merge::skip_to_last(std::size_t count) {
  const auto transaction = Transaction::begin(view_->database(), Transaction::Purpose::read);
  if (!transaction) return fail(transaction);
  if (auto started = start(Order::descending, next_); !started) return started;
  RowKey found{std::numeric_limits<std::int64_t>::max(), 0, 0};
  for (std::size_t seen = 0; seen < count;) {
    const auto source = first(Order::descending);
    if (!source) break;
    if (wanted(sources_[*source])) {
      ++seen;
      found = key(*source);
    }
    if (auto advanced = advance(sources_[*source]); !advanced) return advanced;
  }
  for (auto& source : sources_) source.statement.reset();  // the other order from now on
  next_ = found;
  return {};
}

}  // namespace tollgate::store
