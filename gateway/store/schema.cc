#include "gateway/store/schema.h"

#include <fmt/format.h>

#include <array>
#include <string>

namespace tollgate::store {
namespace {

// SQLite keeps this text, comments included, and `.schema` prints it. Column names and their order are those of
// proto/record.proto; an `app` is app_id … app_evidence; lists are JSON.
constexpr std::string_view version_1 = R"sql(
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One run of a gateway process.
CREATE TABLE journal_runs (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,   -- as in its segments' file names
  heard INTEGER NOT NULL,      -- when its last record arrived, microseconds since 1970 UTC
  ended INTEGER NOT NULL       -- 1: it is gone, and what it left open has been closed
) STRICT;

-- How far each journal segment has been read. Written together with the records that were read.
CREATE TABLE journal_positions (
  segment TEXT PRIMARY KEY,    -- file name in journal/
  run INTEGER NOT NULL,        -- journal_runs.number
  position INTEGER NOT NULL,   -- bytes
  ended INTEGER NOT NULL       -- 1: read to its end, and its writer is gone
) STRICT, WITHOUT ROWID;

-- In the following tables all times are microseconds since 1970-01-01 UTC (the views *_readable say them in words), and
--   seq      counts rows as they came
--   arrived  is when the record came; retention counts from it
--   run      is the journal_runs.number of the gateway that wrote it

-- Requests and their responses.
CREATE TABLE exchanges (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL, device TEXT NOT NULL, connection TEXT NOT NULL, http TEXT NOT NULL,
  method TEXT NOT NULL, scheme TEXT NOT NULL, host TEXT NOT NULL, path TEXT NOT NULL,
  query TEXT NOT NULL,            -- JSON: the keys
  status INTEGER NOT NULL, request_bytes INTEGER NOT NULL, response_bytes INTEGER NOT NULL,
  request_type TEXT NOT NULL, response_type TEXT NOT NULL, user_agent TEXT NOT NULL, duration_ms REAL NOT NULL,
  app_id TEXT NOT NULL, app_name TEXT NOT NULL, app_confidence REAL NOT NULL,
  app_evidence TEXT NOT NULL,     -- JSON: sentences
  "class" TEXT NOT NULL, class_confidence REAL NOT NULL,
  class_evidence TEXT NOT NULL,   -- JSON: sentences
  owner TEXT NOT NULL,
  identifiers TEXT NOT NULL,      -- JSON: [{"kind":…,"where":…}]
  action TEXT NOT NULL, rule TEXT NOT NULL,
  active INTEGER,                 -- 1, 0, or NULL when unknown
  state TEXT NOT NULL,            -- open while only its beginning is known
  error TEXT NOT NULL, frames_up INTEGER NOT NULL, frames_down INTEGER NOT NULL,
  arrived INTEGER NOT NULL, run INTEGER NOT NULL
) STRICT;
CREATE INDEX exchanges_time ON exchanges (time);
CREATE INDEX exchanges_arrived ON exchanges (arrived);
CREATE INDEX exchanges_host ON exchanges (host, time);
CREATE INDEX exchanges_app ON exchanges (app_id, time) WHERE app_id <> '';
CREATE INDEX exchanges_open ON exchanges (run) WHERE state = 'open';

-- TCP connections of clients; the parts of a long one are one row.
CREATE TABLE connections (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL, device TEXT NOT NULL, opened INTEGER NOT NULL,
  closed INTEGER,                 -- NULL while open
  transport TEXT NOT NULL, destination TEXT NOT NULL, host TEXT NOT NULL, sni TEXT NOT NULL,
  alpn TEXT NOT NULL,             -- JSON: names
  ja4 TEXT NOT NULL, treatment TEXT NOT NULL, reason TEXT NOT NULL, tls_client TEXT NOT NULL, tls_upstream TEXT NOT NULL,
  bytes_up INTEGER NOT NULL, bytes_down INTEGER NOT NULL,
  app_id TEXT NOT NULL, app_name TEXT NOT NULL, app_confidence REAL NOT NULL,
  app_evidence TEXT NOT NULL,     -- JSON: sentences
  user_agent TEXT NOT NULL, error TEXT NOT NULL,
  part INTEGER NOT NULL,          -- the last one that is in this row
  exchanges INTEGER NOT NULL,
  activity TEXT NOT NULL,         -- JSON: [[ms since opened, bytes up, bytes down]], the last 4,096
  arrived INTEGER NOT NULL, run INTEGER NOT NULL
) STRICT;
CREATE INDEX connections_time ON connections (time);
CREATE INDEX connections_arrived ON connections (arrived);
CREATE INDEX connections_app ON connections (app_id, time) WHERE app_id <> '';
CREATE INDEX connections_open ON connections (run) WHERE closed IS NULL;

-- DNS queries.
CREATE TABLE dns (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL, device TEXT NOT NULL, query TEXT NOT NULL, type TEXT NOT NULL,
  answers TEXT NOT NULL,          -- JSON
  ttl INTEGER NOT NULL,
  cnames TEXT NOT NULL,           -- JSON: the chain
  rcode TEXT NOT NULL, action TEXT NOT NULL, rule TEXT NOT NULL,
  app_id TEXT NOT NULL, app_name TEXT NOT NULL, app_confidence REAL NOT NULL,
  app_evidence TEXT NOT NULL,     -- JSON: sentences
  connected INTEGER,              -- 1, 0, or NULL when it could not be seen
  arrived INTEGER NOT NULL, run INTEGER NOT NULL
) STRICT;
CREATE INDEX dns_time ON dns (time);
CREATE INDEX dns_arrived ON dns (arrived);

-- What a phone said about itself.
CREATE TABLE hints (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL, device TEXT NOT NULL, app TEXT NOT NULL, event TEXT NOT NULL,
  "on" INTEGER NOT NULL,          -- 1: it began, 0: it ended
  arrived INTEGER NOT NULL, run INTEGER NOT NULL
) STRICT;
CREATE INDEX hints_time ON hints (time);
CREATE INDEX hints_arrived ON hints (arrived);

CREATE VIEW exchanges_readable AS
  SELECT strftime('%Y-%m-%d %H:%M:%S', time / 1000000, 'unixepoch') || printf('.%06d', time % 1000000) AS time,
         device, app_name AS app, method, scheme || '://' || host || path AS url, status, request_bytes, response_bytes,
         round(duration_ms, 1) AS duration_ms, http, "class", owner, action, state, error, id
  FROM exchanges;
CREATE VIEW connections_readable AS
  SELECT strftime('%Y-%m-%d %H:%M:%S', opened / 1000000, 'unixepoch') || printf('.%06d', opened % 1000000) AS opened,
         strftime('%Y-%m-%d %H:%M:%S', closed / 1000000, 'unixepoch') || printf('.%06d', closed % 1000000) AS closed,
         device, app_name AS app, transport, host, sni, destination, treatment, reason, tls_client, tls_upstream,
         bytes_up, bytes_down, exchanges, error, id
  FROM connections;
CREATE VIEW dns_readable AS
  SELECT strftime('%Y-%m-%d %H:%M:%S', time / 1000000, 'unixepoch') || printf('.%06d', time % 1000000) AS time,
         device, query, type, answers, rcode, action, connected, id
  FROM dns;
CREATE VIEW hints_readable AS
  SELECT strftime('%Y-%m-%d %H:%M:%S', time / 1000000, 'unixepoch') || printf('.%06d', time % 1000000) AS time,
         device, app, event, "on", id
  FROM hints;

INSERT INTO meta VALUES ('created', strftime('%Y-%m-%dT%H:%M:%SZ', 'now'));
PRAGMA application_id = 0x54474154;
)sql";

constexpr std::array all_steps = {MigrationStep{version_1}};

}  // namespace

std::span<const MigrationStep> migrations() { return all_steps; }

Result<std::int64_t> schema_version(const Database& database, std::span<const MigrationStep> steps,
                                    std::string_view schema) {
  const auto version = database.integer(fmt::format("PRAGMA {}.user_version", schema));
  if (!version) return fail(version);
  const auto owner = database.integer(fmt::format("PRAGMA {}.application_id", schema));
  if (!owner) return fail(owner);
  const auto tables = database.integer(fmt::format("SELECT count(*) FROM {}.sqlite_schema", schema));
  if (!tables) return fail(tables);
  if (*owner != application_id && (*tables != 0 || *version != 0)) {
    return fail(Error::Kind::refused, "tollgate.db is some other program's database: move it away");
  }
  if (*version > static_cast<std::int64_t>(steps.size())) {
    return fail(Error::Kind::refused,
                fmt::format("tollgate.db has schema version {}, and this tollgate knows versions up "
                            "to {}: use the newer tollgate, or another state.dir",
                            *version, steps.size()));
  }
  return *version;
}

Status migrate(const Database& database, std::span<const MigrationStep> steps) {
  auto version = schema_version(database, steps);
  while (version && *version < static_cast<std::int64_t>(steps.size())) {
    auto transaction = Transaction::begin(database, Transaction::Purpose::write);
    if (!transaction) return fail(transaction);
    // Again, now that nobody else can change it.
    version = schema_version(database, steps);
    if (!version || *version == static_cast<std::int64_t>(steps.size())) break;
    const std::string sql =
        fmt::format("{}\n;PRAGMA user_version = {};", steps[static_cast<std::size_t>(*version)].sql, *version + 1);
    if (auto done = database.execute(sql); !done) return done;
    if (auto committed = transaction->commit(); !committed) return committed;
    version = schema_version(database, steps);
  }
  if (!version) return fail(version);
  return {};
}

}  // namespace tollgate::store
