// RowWriter: journal records into the tables of a database, the store's or a reader's private one; and what becomes of
// the records that a dead gateway has left open. Everything happens in the caller's transaction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/store/columns.h"
#include "gateway/store/sqlite.h"
#include "proto/record.pb.h"

namespace tollgate::store {

inline constexpr int max_bursts = 4096;  // of a connection's activity, as one record may have

// The parts `so_far` and `next` of one connection as one record: what the later part says, and the bursts of both in
// their order, the newest max_bursts of them. A part that is in `so_far` already changes nothing.
proto::Connection join(proto::Connection so_far, const proto::Connection& next);

// The error of an exchange whose gateway is gone.
inline constexpr std::string_view interrupted_error = "the gateway stopped before the exchange had ended";

// Where a record came from.
struct Origin {
  std::int64_t run = 0;  // journal_runs.number
  WallTime arrived;
};

class RowWriter {
 public:
  // The tables are there. `database` must outlive it.
  static Result<RowWriter> prepare(const Database& database);

  // Inserts it, or what it makes of the row with its id:
  //   exchange, begin   a row in state `open`; nothing when there is a row already (its end may have come first)
  //   exchange          replaces what is there
  //   connection        joined with the parts that are there
  //   dns, hint         replaces what is there
  // A record without a kind, or without an id, is left out. Errors: those of sqlite.h.
  Status put(const proto::Record& record, const Origin& origin);

  // What the dead run left open: exchanges become `interrupted`; connections get the time it was last heard of as
  // `closed`, because the true one is not known and null would mean that they are open. Gives the number of exchanges.
  Result<std::int64_t> close_run(std::int64_t run);

 private:
  struct Statements {
    Statement insert;   // does nothing when the id is there
    Statement replace;  // overwrites the row with the id
  };
  RowWriter(const Database& database, std::vector<Statements> statements, Statement find_connection)
      : database_(&database), statements_(std::move(statements)), find_connection_(std::move(find_connection)) {}

  Status write(Statement& statement, Kind kind, const google::protobuf::Message& message, const Origin& origin,
               bool begin = false);
  Status put_connection(const proto::Connection& connection, const Origin& origin);

  const Database* database_;
  std::vector<Statements> statements_;  // by Kind
  Statement find_connection_;
  std::vector<std::string> scratch_;
};

}  // namespace tollgate::store
