#include "gateway/store/schema.h"

#include <sys/stat.h>

#include "gateway/store/ingester.h"
#include "tests/store/records.h"

namespace tollgate::store {
namespace {

// A database as version 1 made it, with a row of each kind; its text is never changed. Later versions must take it
// over.
constexpr const char* version_1_fixture = R"sql(
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE journal_runs (
  number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, heard INTEGER NOT NULL, ended INTEGER NOT NULL
) STRICT;
CREATE TABLE journal_positions (
  segment TEXT PRIMARY KEY, run INTEGER NOT NULL, position INTEGER NOT NULL, ended INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE exchanges (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL, device TEXT NOT NULL, connection TEXT NOT NULL, http TEXT NOT NULL,
  method TEXT NOT NULL, scheme TEXT NOT NULL, host TEXT NOT NULL, path TEXT NOT NULL, query TEXT NOT NULL,
  status INTEGER NOT NULL, request_bytes INTEGER NOT NULL, response_bytes INTEGER NOT NULL,
  request_type TEXT NOT NULL, response_type TEXT NOT NULL, user_agent TEXT NOT NULL, duration_ms REAL NOT NULL,
  app_id TEXT NOT NULL, app_name TEXT NOT NULL, app_confidence REAL NOT NULL, app_evidence TEXT NOT NULL,
  "class" TEXT NOT NULL, class_confidence REAL NOT NULL, class_evidence TEXT NOT NULL, owner TEXT NOT NULL,
  identifiers TEXT NOT NULL, action TEXT NOT NULL, rule TEXT NOT NULL, active INTEGER, state TEXT NOT NULL,
  error TEXT NOT NULL, frames_up INTEGER NOT NULL, frames_down INTEGER NOT NULL,
  arrived INTEGER NOT NULL, run INTEGER NOT NULL
) STRICT;
CREATE INDEX exchanges_time ON exchanges (time);
CREATE INDEX exchanges_arrived ON exchanges (arrived);
CREATE INDEX exchanges_host ON exchanges (host, time);
CREATE INDEX exchanges_app ON exchanges (app_id, time) WHERE app_id <> '';
CREATE INDEX exchanges_open ON exchanges (run) WHERE state = 'open';
CREATE TABLE connections (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL, device TEXT NOT NULL, opened INTEGER NOT NULL, closed INTEGER,
  transport TEXT NOT NULL, destination TEXT NOT NULL, host TEXT NOT NULL, sni TEXT NOT NULL, alpn TEXT NOT NULL,
  ja4 TEXT NOT NULL, treatment TEXT NOT NULL, reason TEXT NOT NULL, tls_client TEXT NOT NULL,
  tls_upstream TEXT NOT NULL, bytes_up INTEGER NOT NULL, bytes_down INTEGER NOT NULL,
  app_id TEXT NOT NULL, app_name TEXT NOT NULL, app_confidence REAL NOT NULL, app_evidence TEXT NOT NULL,
  user_agent TEXT NOT NULL, error TEXT NOT NULL, part INTEGER NOT NULL, exchanges INTEGER NOT NULL,
  activity TEXT NOT NULL, arrived INTEGER NOT NULL, run INTEGER NOT NULL
) STRICT;
CREATE INDEX connections_time ON connections (time);
CREATE INDEX connections_arrived ON connections (arrived);
CREATE INDEX connections_app ON connections (app_id, time) WHERE app_id <> '';
CREATE INDEX connections_open ON connections (run) WHERE closed IS NULL;
CREATE TABLE dns (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL, device TEXT NOT NULL, query TEXT NOT NULL, type TEXT NOT NULL,
  answers TEXT NOT NULL, ttl INTEGER NOT NULL, cnames TEXT NOT NULL, rcode TEXT NOT NULL, action TEXT NOT NULL,
  rule TEXT NOT NULL, app_id TEXT NOT NULL, app_name TEXT NOT NULL, app_confidence REAL NOT NULL,
  app_evidence TEXT NOT NULL, connected INTEGER, arrived INTEGER NOT NULL, run INTEGER NOT NULL
) STRICT;
CREATE INDEX dns_time ON dns (time);
CREATE INDEX dns_arrived ON dns (arrived);
CREATE TABLE hints (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL, device TEXT NOT NULL, app TEXT NOT NULL, event TEXT NOT NULL,
  "on" INTEGER NOT NULL, arrived INTEGER NOT NULL, run INTEGER NOT NULL
) STRICT;
CREATE INDEX hints_time ON hints (time);
CREATE INDEX hints_arrived ON hints (arrived);
CREATE VIEW exchanges_readable AS SELECT id FROM exchanges;
CREATE VIEW connections_readable AS SELECT id FROM connections;
CREATE VIEW dns_readable AS SELECT id FROM dns;
CREATE VIEW hints_readable AS SELECT id FROM hints;
INSERT INTO journal_runs VALUES (1, 'OLDRUN', 1790000000000000, 1);
INSERT INTO exchanges VALUES (1, 'OLD1', 1790000000000001, 'phone', '', '2', 'GET', 'https', 'api.example.test', '/',
  '["k"]', 200, 1, 2, '', '', '', 1.5, '', '', 0.0, '[]', 'ads', 0.5, '[]', '', '[]', 'allowed', '', NULL, 'complete', '',
  0, 0, 1790000000000002, 1);
INSERT INTO connections VALUES (1, 'OLD2', 1790000000000002, 'phone', 1790000000000002, 1790000000000009, 'proxy', '',
  '', '', '[]', '', 'intercepted', '', '', '', 1, 2, '', '', 0.0, '[]', '', '', 0, 1, '[[1,2,3]]', 1790000000000002, 1);
INSERT INTO dns VALUES (1, 'OLD3', 1790000000000003, 'phone', 'api.example.test', 'A', '["192.0.2.1"]', 60, '[]',
  'NOERROR', 'allowed', '', '', '', 0.0, '[]', NULL, 1790000000000003, 1);
INSERT INTO hints VALUES (1, 'OLD4', 1790000000000004, 'phone', 'com.example.weather', 'opened', 1, 1790000000000004, 1);
PRAGMA application_id = 0x54474154;
PRAGMA user_version = 1;
)sql";

Database open_database(const StateDir& state) {
  auto database = Database::open(database_path(state.path()));
  REQUIRE(database);
  return std::move(*database);
}

constexpr std::array numbered_steps = {
    MigrationStep{
        "CREATE TABLE things (name TEXT); INSERT INTO things VALUES ('a'); PRAGMA application_id = 0x54474154"},
    MigrationStep{"ALTER TABLE things ADD COLUMN size INTEGER NOT NULL DEFAULT 7"},
    MigrationStep{"UPDATE things SET size = size + 1"},
};

}  // namespace

TEST_CASE("a database of version 1 is brought up to date and keeps its records", "[store]") {
  const StateDir state;
  REQUIRE(open_database(state).execute(version_1_fixture));
  auto alive = writer(state, "RUN2");
  write(*alive, {exchange(5)});
  ingest(state);
  CHECK(count(state, "PRAGMA user_version") == static_cast<std::int64_t>(migrations().size()));
  const auto records = all_of(open_log(state));
  CHECK(ids(records) == std::vector<std::string>{"OLD1", "OLD2", "OLD3", "OLD4", id_of(5)});
  CHECK(records[0].exchange().query(0) == "k");
  CHECK(records[1].connection().activity(0).down() == 3);
}

TEST_CASE("migration runs the steps that are missing, and only those", "[store]") {
  const StateDir state;
  const Database database = open_database(state);
  const auto done = GENERATE(0U, 1U, 2U, 3U);
  REQUIRE(migrate(database, std::span(numbered_steps).first(done)));
  REQUIRE(migrate(database, numbered_steps));
  CHECK(database.integer("SELECT size FROM things").value() == 8);
  REQUIRE(migrate(database, numbered_steps));
  CHECK(database.integer("SELECT size FROM things").value() == 8);
  CHECK(database.integer("PRAGMA user_version").value() == 3);
}

TEST_CASE("a step that fails changes nothing", "[store]") {
  const StateDir state;
  const Database database = open_database(state);
  REQUIRE(migrate(database, std::span(numbered_steps).first(1)));
  const std::array broken = {numbered_steps[0], MigrationStep{"DELETE FROM things; SELECT no_such_column FROM things"}};
  REQUIRE_FALSE(migrate(database, broken));
  CHECK(database.integer("SELECT count(*) FROM things").value() == 1);
  CHECK(database.integer("PRAGMA user_version").value() == 1);
}

TEST_CASE("a database of a newer tollgate is refused and left alone", "[store]") {
  const StateDir state;
  ingest(state);
  REQUIRE(open_database(state).execute("PRAGMA user_version = 99"));
  const std::string expected = "tollgate.db has schema version 99, and this tollgate knows versions up to " +
                               std::to_string(migrations().size()) + ": use the newer tollgate, or another state.dir";
  const auto started = Ingester::start({.state_dir = state.path()});
  REQUIRE_FALSE(started);
  CHECK(started.error().kind == Error::Kind::refused);
  CHECK(started.error().what == expected);
  const auto reader = LogReader::open(state.path());
  REQUIRE_FALSE(reader);
  CHECK(reader.error().what == expected);
  const auto counts = count_store(state.path());
  REQUIRE_FALSE(counts);
  CHECK(counts.error().kind == Error::Kind::refused);
  CHECK(count(state, "PRAGMA user_version") == 99);
}

TEST_CASE("somebody else's database is refused and left alone", "[store]") {
  const StateDir state;
  REQUIRE(open_database(state).execute("CREATE TABLE notes (text TEXT)"));
  const auto started = Ingester::start({.state_dir = state.path()});
  REQUIRE_FALSE(started);
  CHECK(started.error().kind == Error::Kind::refused);
  CHECK(count(state, "SELECT count(*) FROM sqlite_schema") == 1);
}

TEST_CASE("the database and its companions are readable by their owner only", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  write(*alive, {exchange(1)});
  DamageLog damage;
  auto ingestion = Ingestion::open(state.path(), damage);
  REQUIRE(ingestion);
  REQUIRE((*ingestion)->step(wall_now()));
  for (const char* suffix : {"", "-wal", "-shm"}) {
    CAPTURE(suffix);
    struct stat status {};
    REQUIRE(stat((database_path(state.path()).string() + suffix).c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0600U);
  }
}

TEST_CASE("the views say times in words", "[store]") {
  const StateDir state;
  write(*writer(state), {exchange(4), connection(5)});
  ingest(state);
  CHECK(count(state,
              "SELECT time = '2026-09-21 14:13:20.000004' AND url = 'https://api.example.test/v1/things' "
              "FROM exchanges_readable") == 1);
  CHECK(count(state, "SELECT closed = '2026-09-21 14:13:20.001005' FROM connections_readable") == 1);
  CHECK(count(state, "SELECT count(*) FROM dns_readable, hints_readable") == 0);
}

}  // namespace tollgate::store
