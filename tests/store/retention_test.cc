#include "gateway/store/retention.h"

#include <thread>

#include "gateway/store/ingester.h"
#include "tests/store/records.h"

namespace tollgate::store {
namespace {

struct Opened {
  explicit Opened(const StateDir& state) {
    auto opened = Ingestion::open(state.path(), damage);
    REQUIRE(opened);
    ingestion = std::move(*opened);
  }
  void ingest(WallTime now) {
    for (bool more = true; more;) {
      const auto batch = ingestion->step(now);
      REQUIRE(batch);
      more = batch->more;
    }
  }
  std::uint64_t retain_all(const RetentionLimits& limits, WallTime now) {
    std::uint64_t expired = 0;
    for (int step = 0; step < 10'000; ++step) {
      const auto done = retain(*ingestion, limits, now);
      REQUIRE(done);
      expired += done->expired;
      if (!done->more) return expired;
    }
    FAIL("retention does not come to an end");
    return expired;
  }

  DamageLog damage;
  std::unique_ptr<Ingestion> ingestion;
};

std::size_t segments(const StateDir& state) {
  const auto listed = journal::list_segments(journal_dir(state.path()));
  REQUIRE(listed);
  return listed->size();
}

void write_many(const StateDir& state, const std::string& run, std::int64_t first, std::int64_t last) {
  auto writing = writer(state, run, 256 * kibibyte);
  for (std::int64_t i = first; i <= last; ++i) {
    write(*writing, {exchange(i, [](proto::Exchange& exchange) { exchange.set_path("/" + std::string(200, 'x')); })});
  }
}

}  // namespace

TEST_CASE("what arrived too long ago leaves the store, whatever its own time says", "[store]") {
  const StateDir state;
  const WallTime now = wall_now();
  auto alive = writer(state);
  Opened opened(state);
  write(*alive, {exchange(1), connection(2)});
  opened.ingest(now - Seconds(100));
  write(*alive, {exchange(3), begin(4)});
  opened.ingest(now);
  CHECK(opened.retain_all({.age = Seconds(101)}, now) == 0);
  CHECK(opened.retain_all({.age = Seconds(50)}, now) == 2);
  CHECK(ids(all_of(open_log(state))) == ids_of({3, 4}));
  CHECK(opened.retain_all({.age = Millis(0)}, now + Seconds(1'000'000)) == 0);
}

TEST_CASE("a connection counts from its latest part", "[store]") {
  const StateDir state;
  const WallTime now = wall_now();
  auto alive = writer(state);
  Opened opened(state);
  write(*alive, {connection(1, [](proto::Connection& connection) { connection.clear_closed(); })});
  opened.ingest(now - Seconds(100));
  write(*alive, {connection(1, [](proto::Connection& connection) { connection.set_part(1); })});
  opened.ingest(now);
  CHECK(opened.retain_all({.age = Seconds(50)}, now) == 0);
}

TEST_CASE("more than one step's rows leave in several steps", "[store]") {
  const StateDir state;
  write_many(state, "RUN1", 1, 2500);
  Opened opened(state);
  const WallTime now = wall_now();
  opened.ingest(now);
  const auto first = retain(*opened.ingestion, {.age = Seconds(10)}, now + Seconds(60));
  REQUIRE(first);
  CHECK(first->expired == 1000);
  CHECK(first->more);
  CHECK(opened.retain_all({.age = Seconds(10)}, now + Seconds(60)) == 1500);
  CHECK(all_of(open_log(state)).empty());
}

TEST_CASE("segments leave when they are old, in the store, and their writer is gone", "[store]") {
  const StateDir state;
  auto alive = writer(state, "RUN2");
  write(*alive, {exchange(9001)});
  write_many(state, "RUN1", 1, 3000);
  const auto before = segments(state);
  REQUIRE(before > 3);
  const WallTime later = wall_now() + Seconds(60);
  Opened opened(state);
  CHECK(opened.retain_all({.age = Seconds(10)}, later) == 0);
  CHECK(segments(state) == before);  // nothing has been ingested yet
  opened.ingest(wall_now());
  opened.retain_all({.age = Seconds(10)}, later);
  CHECK(segments(state) == 1);
  CHECK(count(state, "SELECT count(*) FROM journal_positions") == 1);
  write(*alive, {exchange(9002)});
  opened.ingest(later);
  CHECK(ids(all_of(open_log(state))) == ids_of({9002}));
}

TEST_CASE("store and journal together keep to their size, and the newest records stay", "[store]") {
  const StateDir state;
  write_many(state, "RUN1", 1, 20'000);
  Opened opened(state);
  opened.ingest(wall_now());
  constexpr ByteCount bound = 6 * mebibyte;
  REQUIRE(database_size(state.path()) > bound);
  CHECK(opened.retain_all({.size = bound}, wall_now()) > 0);
  opened.ingestion.reset();  // the last to close the database empties its write-ahead log
  const auto counts = count_store(state.path());
  REQUIRE(counts);
  CHECK(counts->database_bytes + counts->journal_bytes <= bound);
  CHECK(counts->journal_bytes <= bound / 4);
  CHECK(counts->database_bytes > bound / 2);  // not more than had to go
  const auto left = ids(all_of(open_log(state)));
  REQUIRE(!left.empty());
  std::vector<std::int64_t> newest;
  for (auto i = 20'001 - static_cast<std::int64_t>(left.size()); i <= 20'000; ++i) newest.push_back(i);
  CHECK(left == ids_of(newest));
}

TEST_CASE("a size that one live segment exceeds is not deleted down to nothing for ever", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  for (std::int64_t i = 1; i <= 3000; ++i) write(*alive, {exchange(i)});
  Opened opened(state);
  opened.ingest(wall_now());
  opened.retain_all({.size = 64 * kibibyte}, wall_now());
  CHECK(segments(state) == 1);
  write(*alive, {exchange(3001)});
  opened.ingest(wall_now());
  CHECK(ids(all_of(open_log(state))) == ids_of({3001}));
}

TEST_CASE("a rebuilt store counts age from when records arrived, not from the rebuilding", "[store]") {
  const StateDir state;
  write_many(state, "RUN1", 1, 10);
  const WallTime now = wall_now();
  Opened opened(state);
  opened.ingest(now + Seconds(1000));
  CHECK(opened.retain_all({.age = Seconds(500)}, now + Seconds(1000)) == 10);
}

TEST_CASE("the ingester keeps to its limits while records come, and to new ones after a reload", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  auto ingester = Ingester::start(
      {.state_dir = state.path(), .retention_age = Seconds(3600), .retention_size = 0, .poll = Millis(2), .now = [] {
         return wall_now() - Seconds(7200);
       }});
  REQUIRE(ingester);
  write(*alive, {exchange(1), exchange(2)});
  const auto wait_for = [&](auto condition) {
    for (int i = 0; i < 2000 && !condition((*ingester)->health()); ++i) std::this_thread::sleep_for(Millis(5));
    return condition((*ingester)->health());
  };
  REQUIRE(wait_for([](const IngesterHealth& health) { return health.records == 2; }));
  CHECK((*ingester)->health().expired == 0);
  (*ingester)->set_retention(Millis(1), 0);
  CHECK(wait_for([](const IngesterHealth& health) { return health.expired == 2; }));
}

}  // namespace tollgate::store
