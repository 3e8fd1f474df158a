#include "gateway/store/log_reader.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "gateway/store/ingester.h"
#include "tests/store/records.h"

namespace tollgate::store {
namespace {

proto::Record dns(std::int64_t number) {
  proto::Record record;
  record.mutable_dns()->set_id(id_of(number));
  record.mutable_dns()->set_time(monday + number);
  record.mutable_dns()->set_device("tablet");
  record.mutable_dns()->set_query("api.example.test");
  record.mutable_dns()->set_action("blocked");
  return record;
}

proto::Record hint(std::int64_t number) {
  proto::Record record;
  record.mutable_hint()->set_id(id_of(number));
  record.mutable_hint()->set_time(monday + number);
  record.mutable_hint()->set_app("com.example.weather");
  return record;
}

proto::Record to_host(std::int64_t number, const std::string& host) {
  return exchange(number, [&](proto::Exchange& exchange) { exchange.set_host(host); });
}

std::vector<std::string> found(const StateDir& state, const Filter& filter) {
  return ids(all_of(open_log(state), filter));
}

// The same records in the store, in the journal only, or some here and some there: a reader sees no difference.
void put_somewhere(const StateDir& state, journal::Writer& writer, const std::vector<proto::Record>& records,
                   int placement) {
  const auto half = static_cast<std::ptrdiff_t>(records.size() / 2);
  if (placement == 0) write(writer, records);
  if (placement == 1) {
    write(writer, records);
    ingest(state);
  }
  if (placement == 2) {
    write(writer, {records.begin(), records.begin() + half});
    ingest(state);
    write(writer, {records.begin() + half, records.end()});
  }
}

}  // namespace

TEST_CASE("no state.dir is said, and a state.dir with nothing in it is an empty log", "[store]") {
  const StateDir state;
  const auto missing = LogReader::open(state.path() / "missing");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().kind == Error::Kind::not_found);
  CHECK(all_of(open_log(state)).empty());
  CHECK(std::filesystem::is_empty(state.path()));  // nothing was made
  std::filesystem::create_directory(journal_dir(state.path()));
  CHECK(all_of(open_log(state)).empty());
}

TEST_CASE("a database that is being made is an empty log", "[store]") {
  const StateDir state;
  REQUIRE(Database::open(database_path(state.path())));
  CHECK(all_of(open_log(state)).empty());
}

TEST_CASE("records come by time, whatever their kind, their order of arrival and their place", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  const auto placement = GENERATE(0, 1, 2);
  CAPTURE(placement);
  put_somewhere(state, *alive, {exchange(5), dns(2), connection(1), exchange(3), hint(4), exchange(2)}, placement);
  const auto records = all_of(open_log(state));
  CHECK(ids(records) == ids_of({1, 2, 2, 3, 4, 5}));
  CHECK(records[1].has_exchange());  // of one instant: exchange before dns
}

TEST_CASE("each filter finds its records, wherever they are", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  const auto placement = GENERATE(0, 1, 2);
  CAPTURE(placement);
  const auto ad = exchange(6, [](proto::Exchange& exchange) {
    exchange.set_class_("ads");
    exchange.set_action("blocked");
    exchange.set_device("tablet");
    exchange.set_host("ads.example.test:8443");
    exchange.mutable_app()->set_id("com.example.weather");
    exchange.mutable_app()->set_name("Weather");
  });
  put_somewhere(state, *alive, {exchange(1), connection(2), dns(3), hint(4), to_host(5, "other.test"), ad, exchange(7)},
                placement);
  Filter filter;
  SECTION("kind") {
    filter.kind = Kind::exchange;
    CHECK(found(state, filter) == ids_of({1, 5, 6, 7}));
    filter.kind = Kind::hint;
    CHECK(found(state, filter) == ids_of({4}));
  }
  SECTION("since and until") {
    filter.since = from_micros(monday + 3);
    filter.until = from_micros(monday + 6);
    CHECK(found(state, filter) == ids_of({3, 4, 5}));
  }
  SECTION("app") {
    filter.app = "weather";
    CHECK(found(state, filter) == ids_of({4, 6}));
  }
  SECTION("device") {
    filter.device = "tablet";
    CHECK(found(state, filter) == ids_of({3, 6}));
    filter.device = "ph*";
    CHECK(found(state, filter) == ids_of({1, 2, 5, 7}));
  }
  SECTION("class") {
    filter.klass = "ads";
    CHECK(found(state, filter) == ids_of({6}));
  }
  SECTION("host") {
    filter.host = "example.test";
    CHECK(found(state, filter) == ids_of({1, 2, 3, 6, 7}));
    filter.host = "ads.*";
    CHECK(found(state, filter) == ids_of({6}));
    filter.host = "nowhere.test";
    CHECK(found(state, filter).empty());
  }
  SECTION("action") {
    filter.action = "blocked";
    CHECK(found(state, filter) == ids_of({3, 6}));
    filter.action = "intercepted";
    CHECK(found(state, filter) == ids_of({2}));
  }
  SECTION("limit") {
    filter.limit = 3;
    CHECK(found(state, filter) == ids_of({5, 6, 7}));
    filter.host = "example.test";
    CHECK(found(state, filter) == ids_of({3, 6, 7}));
    filter.until = from_micros(monday + 7);
    CHECK(found(state, filter) == ids_of({2, 3, 6}));
    filter.since = from_micros(monday + 3);
    CHECK(found(state, filter) == ids_of({3, 6}));
    filter.limit = 0;
    CHECK(found(state, filter).empty());
  }
}

TEST_CASE("many hosts are found as well as few", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  std::vector<proto::Record> records;
  for (std::int64_t i = 1; i <= 200; ++i) records.push_back(to_host(i, "h" + std::to_string(i) + ".example.test"));
  for (std::int64_t i = 201; i <= 400; ++i) records.push_back(to_host(i, "few" + std::to_string(i % 3) + ".test"));
  write(*alive, records);
  ingest(state);
  Filter filter;
  filter.host = "example.test";
  CHECK(found(state, filter).size() == 200);
  filter.host = "few*.test";
  const auto few = found(state, filter);
  CHECK(few.size() == 200);
  CHECK(std::is_sorted(few.begin(), few.end()));
  filter.limit = 7;
  CHECK(found(state, filter) == ids_of({394, 395, 396, 397, 398, 399, 400}));
}

TEST_CASE("more records than a chunk holds come whole and in order, also of one instant", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  std::vector<proto::Record> records;
  for (std::int64_t i = 1; i <= 5000; ++i) {
    records.push_back(exchange(i, [&](proto::Exchange& exchange) { exchange.set_time(monday + i / 3000); }));
  }
  const auto placement = GENERATE(0, 1, 2);
  CAPTURE(placement);
  put_somewhere(state, *alive, records, placement);
  const auto all = found(state, {});
  REQUIRE(all.size() == 5000);
  CHECK(all.front() == id_of(1));
  CHECK(all.back() == id_of(5000));
  CHECK(std::is_sorted(all.begin(), all.end()));
  Filter filter;
  filter.limit = 2345;
  CHECK(found(state, filter) == std::vector(all.end() - 2345, all.end()));
}

TEST_CASE("begin and final are one record, wherever each of them is", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  SECTION("both in the tail") { write(*alive, {begin(1), exchange(1)}); }
  SECTION("both in the store") {
    write(*alive, {begin(1), exchange(1)});
    ingest(state);
  }
  SECTION("begin in the store, final in the tail") {
    write(*alive, {begin(1)});
    ingest(state);
    write(*alive, {exchange(1)});
  }
  SECTION("final in the store, begin in the tail") {
    write(*alive, {exchange(1)});
    ingest(state);
    write(*alive, {begin(1)});
  }
  const auto records = all_of(open_log(state));
  REQUIRE(records.size() == 1);
  CHECK(records[0].exchange().state() == "complete");
  CHECK(records[0].exchange().status() == 200);
}

TEST_CASE("an exchange that goes on is open, and interrupted when its gateway is dead", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  write(*alive, {begin(1)});
  if (GENERATE(false, true)) ingest(state);
  CHECK(all_of(open_log(state))[0].exchange().state() == "open");
  alive.reset();
  const auto records = all_of(open_log(state));
  REQUIRE(records.size() == 1);
  CHECK(records[0].exchange().state() == "interrupted");
  CHECK_FALSE(records[0].exchange().error().empty());
}

TEST_CASE("the parts of a connection are joined over store and tail", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  const auto part = [](std::uint32_t number, bool last) {
    return connection(1, [&](proto::Connection& connection) {
      connection.set_part(number);
      if (!last) connection.clear_closed();
      connection.add_activity()->set_ms(number);
    });
  };
  write(*alive, {part(0, false)});
  ingest(state);
  write(*alive, {part(1, true)});
  const auto records = all_of(open_log(state));
  REQUIRE(records.size() == 1);
  CHECK(records[0].connection().has_closed());
  CHECK(records[0].connection().activity_size() == 2);
}

TEST_CASE("a gateway that was killed leaves a whole log, which reading does not change", "[store]") {
  const StateDir state;
  const pid_t child = fork();
  if (child == 0) {
    journal::WriterOptions options;
    options.dir = journal_dir(state.path());
    options.run = "RUN1";
    auto writing = journal::Writer::open(options);
    DamageLog damage;
    auto ingestion = Ingestion::open(state.path(), damage);
    if (!writing || !ingestion) _exit(1);
    write(**writing, {exchange(1), begin(2)});
    if (!(*ingestion)->step(wall_now())) _exit(1);
    write(**writing, {exchange(3)});
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  for (int round = 0; round < 2; ++round) {
    const auto records = all_of(open_log(state));
    CHECK(ids(records) == ids_of({1, 2, 3}));
    CHECK(records[1].exchange().state() == "interrupted");
  }
  CHECK(count(state, "SELECT count(*) FROM exchanges") == 2);
  CHECK(count(state, "SELECT count(*) FROM exchanges WHERE state = 'open'") == 1);
  CHECK(ingest(state).interrupted == 1);
}

TEST_CASE("a view stays as it was while the journal is ingested under it", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  write(*alive, {exchange(1), begin(2)});
  ingest(state);
  write(*alive, {exchange(2), exchange(3)});
  const auto reader = open_log(state);
  write(*alive, {exchange(4)});
  alive.reset();
  ingest(state);
  CHECK(ids(all_of(reader)) == ids_of({1, 2, 3}));
  CHECK(ids(all_of(open_log(state))) == ids_of({1, 2, 3, 4}));
}

TEST_CASE("a reader does not hold the gateway's write-ahead log while its caller takes its time", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  write(*alive, {exchange(1)});
  DamageLog damage;
  auto ingestion = Ingestion::open(state.path(), damage);
  REQUIRE(ingestion);
  REQUIRE((*ingestion)->step(wall_now()));
  const auto reader = open_log(state);
  bool called = false;
  REQUIRE(reader.visit({}, [&](const proto::Record&) {
    called = true;
    // A checkpoint that must wait for a reader says so in its first column.
    CHECK((*ingestion)->database().integer("PRAGMA wal_checkpoint(TRUNCATE)").value() == 0);
    return true;
  }));
  CHECK(called);
}

TEST_CASE("a record is found by its id, in store and tail", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  write(*alive, {exchange(1), begin(2), dns(3)});
  ingest(state);
  write(*alive, {exchange(2), hint(4)});
  const auto reader = open_log(state);
  const auto get = [&](std::int64_t number) {
    const auto record = reader.find(id_of(number));
    REQUIRE(record);
    return *record;
  };
  CHECK(ndjson(get(1).value()) == ndjson(exchange(1)));
  CHECK(get(2).value().exchange().state() == "complete");
  CHECK(get(3).value().has_dns());
  CHECK(get(4).value().has_hint());
  CHECK_FALSE(get(5).has_value());
}

TEST_CASE("a visitor that has seen enough is not called again", "[store]") {
  const StateDir state;
  write(*writer(state), {exchange(1), exchange(2), exchange(3)});
  int calls = 0;
  REQUIRE(open_log(state).visit({}, [&](const proto::Record&) { return ++calls < 2; }));
  CHECK(calls == 2);
}

TEST_CASE("damaged entries in the tails are counted", "[store]") {
  const StateDir state;
  write(*writer(state), {exchange(1), exchange(2)});
  const auto segments = journal::list_segments(journal_dir(state.path()));
  REQUIRE(segments);
  std::filesystem::resize_file(segments->front().path, segments->front().size - 3);
  const auto reader = open_log(state);
  CHECK(reader.damaged() == 1);
  CHECK(ids(all_of(reader)) == ids_of({1}));
}

TEST_CASE("a state.dir with odd characters in its name is read like any other", "[store]") {
  const StateDir state;
  const auto odd = state.path() / "50% of #1? yes";
  std::filesystem::create_directory(odd);
  DamageLog damage;
  REQUIRE(Ingestion::open(odd, damage));
  const auto reader = LogReader::open(odd);
  REQUIRE(reader);
  CHECK(count_store(odd)->exists);
}

TEST_CASE("counts say what is there and how far the store is behind", "[store]") {
  const StateDir state;
  CHECK(count_store(state.path() / "missing").error().kind == Error::Kind::not_found);
  auto alive = writer(state);
  write(*alive, {exchange(1), exchange(2), connection(3), dns(4), hint(5)});
  auto counts = count_store(state.path());
  REQUIRE(counts);
  CHECK_FALSE(counts->exists);
  CHECK(counts->lag == counts->journal_bytes);
  CHECK(counts->journal_bytes > 0);
  ingest(state);
  counts = count_store(state.path());
  REQUIRE(counts);
  CHECK(counts->exists);
  CHECK(counts->schema_version == 1);
  CHECK(counts->exchanges == 2);
  CHECK(counts->connections == 1);
  CHECK(counts->dns == 1);
  CHECK(counts->hints == 1);
  CHECK(counts->lag == 0);
  CHECK(counts->database_bytes > 0);
  write(*alive, {exchange(6)});
  CHECK(count_store(state.path())->lag > 0);
}

}  // namespace tollgate::store
