#include "gateway/store/row_writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace tollgate::store {
namespace {

constexpr std::string_view abandoned_error = "the gateway stopped while the connection was open";

std::string insert_sql(Kind kind) {
  const auto count = columns(kind).size() + 2;
  std::string parameters = "?1";
  for (std::size_t i = 2; i <= count; ++i) parameters += fmt::format(", ?{}", i);
  return fmt::format("INSERT INTO {} ({}, arrived, run) VALUES ({}) ON CONFLICT (id) DO ", table(kind),
                     column_list(kind), parameters);
}

std::string replace_sql(Kind kind) {
  std::string sql = insert_sql(kind) + "UPDATE SET arrived = excluded.arrived, run = excluded.run";
  for (const auto& column : columns(kind)) sql += fmt::format(", \"{0}\" = excluded.\"{0}\"", column.name);
  return sql;
}

std::string_view id_of(const proto::Record& record, Kind kind) {
  switch (kind) {
    case Kind::exchange: return record.exchange().id();
    case Kind::connection: return record.connection().id();
    case Kind::dns: return record.dns().id();
    case Kind::hint: return record.hint().id();
  }
  return {};
}

}  // namespace

proto::Connection join(proto::Connection so_far, const proto::Connection& next) {
  if (next.part() <= so_far.part()) return so_far;
  google::protobuf::RepeatedPtrField<proto::Burst> activity;
  activity.Swap(so_far.mutable_activity());
  activity.MergeFrom(next.activity());
  if (activity.size() > max_bursts) activity.DeleteSubrange(0, activity.size() - max_bursts);
  proto::Connection joined = next;
  joined.mutable_activity()->Swap(&activity);
  return joined;
}

Result<RowWriter> RowWriter::prepare(const Database& database) {
  std::vector<Statements> statements;
  for (const Kind kind : all_kinds) {
    auto insert = database.prepare(insert_sql(kind) + "NOTHING");
    if (!insert) return fail(insert);
    auto replace = database.prepare(replace_sql(kind));
    if (!replace) return fail(replace);
    statements.push_back({std::move(*insert), std::move(*replace)});
  }
  auto find = database.prepare(fmt::format("SELECT {} FROM connections WHERE id = ?1", column_list(Kind::connection)));
  if (!find) return fail(find);
  return RowWriter(database, std::move(statements), std::move(*find));
}

Status RowWriter::write(Statement& statement, Kind kind, const google::protobuf::Message& message, const Origin& origin,
                        bool begin) {
  const int count = static_cast<int>(columns(kind).size());
  bind_row(statement, 1, kind, message, scratch_);
  if (begin) statement.bind(1 + column_index(kind, "state"), std::string_view("open"));
  statement.bind(count + 1, to_micros(origin.arrived));
  statement.bind(count + 2, origin.run);
  return statement.run();
}

Status RowWriter::put(const proto::Record& record, const Origin& origin) {
  const auto kind = kind_of(record);
  if (!kind || id_of(record, *kind).empty()) return {};
  if (*kind == Kind::connection) return put_connection(record.connection(), origin);
  auto& statements = statements_[static_cast<std::size_t>(*kind)];
  const bool begin = record.begin() && *kind == Kind::exchange;
  return write(begin ? statements.insert : statements.replace, *kind, message_of(record, *kind), origin, begin);
}

Status RowWriter::put_connection(const proto::Connection& connection, const Origin& origin) {
  auto& statements = statements_[static_cast<std::size_t>(Kind::connection)];
  auto inserted = write(statements.insert, Kind::connection, connection, origin);
  if (!inserted || database_->changes() > 0) return inserted;
  find_connection_.bind(1, std::string_view(connection.id()));
  const auto found = find_connection_.step();
  if (!found) return fail(found);
  proto::Record so_far;
  auto read = *found ? read_row(find_connection_, 0, Kind::connection, so_far) : Status();
  find_connection_.reset();
  // A row that somebody has edited beyond reading is replaced: the journal is the truth.
  const auto joined = read ? join(std::move(*so_far.mutable_connection()), connection) : connection;
  return write(statements.replace, Kind::connection, joined, origin);
}

Result<std::int64_t> RowWriter::close_run(std::int64_t run) {
  const auto update = [&](std::string_view sql, std::string_view error) -> Result<std::int64_t> {
    auto statement = database_->prepare(sql);
    if (!statement) return fail(statement);
    statement->bind(1, run);
    if (!error.empty()) statement->bind(2, error);
    if (auto done = statement->run(); !done) return fail(done);
    return database_->changes();
  };
  auto interrupted = update("UPDATE exchanges SET state = 'interrupted', error = ?2 WHERE state = 'open' AND run = ?1",
                            interrupted_error);
  if (!interrupted) return interrupted;
  if (auto done = update("UPDATE connections SET error = ?2, closed = max(opened, coalesce("
                         "(SELECT heard FROM journal_runs WHERE number = ?1), 0)) WHERE closed IS NULL AND run = ?1",
                         abandoned_error);
      !done) {
    return done;
  }
  if (auto done = update("UPDATE journal_runs SET ended = 1 WHERE number = ?1", {}); !done) return done;
  return interrupted;
}

}  // namespace tollgate::store
