#include "gateway/store/ingestion.h"

#include <zlib.h>

#include <fstream>

#include "gateway/store/row_writer.h"
#include "tests/store/records.h"

namespace tollgate::store {
namespace {

std::filesystem::path only_segment(const StateDir& state) {
  const auto segments = journal::list_segments(journal_dir(state.path()));
  REQUIRE(segments);
  REQUIRE(segments->size() == 1);
  return segments->front().path;
}

proto::Record part(std::uint32_t number, std::uint64_t bytes_up, std::vector<std::uint64_t> bursts_at, bool closed) {
  return connection(1, [&](proto::Connection& connection) {
    connection.set_part(number);
    connection.set_bytes_up(bytes_up);
    if (!closed) connection.clear_closed();
    for (const auto ms : bursts_at) connection.add_activity()->set_ms(ms);
  });
}

}  // namespace

TEST_CASE("records are in the store once, however often the journal is looked at", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  write(*alive, {exchange(1), connection(2)});
  CHECK(ingest(state).records == 2);
  CHECK(ingest(state).records == 0);
  write(*alive, {exchange(3)});
  alive.reset();
  CHECK(ingest(state).records == 1);
  CHECK(ingest(state).records == 0);
  CHECK(count(state, "SELECT count(*) FROM exchanges") == 2);
  CHECK(count(state, "SELECT count(*) FROM connections") == 1);
}

TEST_CASE("what was not committed is read again", "[store]") {
  const StateDir state;
  write(*writer(state), {exchange(1)});
  DamageLog damage;
  {
    auto ingestion = Ingestion::open(state.path(), damage);
    REQUIRE(ingestion);
    auto blocking = Database::open(database_path(state.path()));
    REQUIRE(blocking);
    auto lock = Transaction::begin(*blocking, Transaction::Purpose::write);
    REQUIRE(lock);
    const auto step = (*ingestion)->step(wall_now());  // waits for the lock in vain
    REQUIRE_FALSE(step);
    CHECK(step.error().kind == Error::Kind::io);
  }
  CHECK(ingest(state).records == 1);
}

TEST_CASE("a final record replaces its begin record, and a late begin record does not undo it", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  SECTION("in one batch") { write(*alive, {begin(1), exchange(1)}); }
  SECTION("in two batches") {
    write(*alive, {begin(1)});
    ingest(state);
    CHECK(count(state, "SELECT count(*) FROM exchanges WHERE state = 'open'") == 1);
    write(*alive, {exchange(1)});
  }
  SECTION("the wrong way round") { write(*alive, {exchange(1), begin(1)}); }
  SECTION("the wrong way round, in two batches") {
    write(*alive, {exchange(1)});
    ingest(state);
    write(*alive, {begin(1)});
  }
  ingest(state);
  CHECK(count(state, "SELECT count(*) FROM exchanges") == 1);
  CHECK(count(state, "SELECT status FROM exchanges WHERE state = 'complete'") == 200);
}

TEST_CASE("exactly the open exchanges of dead gateways become interrupted", "[store]") {
  const StateDir state;
  auto dead = writer(state, "RUN1");
  auto alive = writer(state, "RUN2");
  write(*dead, {begin(1), begin(2), exchange(2), exchange(3)});
  write(*alive, {begin(4), begin(5), exchange(5)});
  ingest(state);
  dead.reset();
  CHECK(ingest(state).interrupted == 1);
  CHECK(count(state, "SELECT id = '" + id_of(1) + "' FROM exchanges WHERE state = 'interrupted'") == 1);
  CHECK(count(state,
              "SELECT error = 'the gateway stopped before the exchange had ended' FROM exchanges "
              "WHERE state = 'interrupted'") == 1);
  CHECK(count(state, "SELECT id = '" + id_of(4) + "' FROM exchanges WHERE state = 'open'") == 1);
  CHECK(count(state, "SELECT count(*) FROM exchanges WHERE state = 'complete'") == 3);
  CHECK(ingest(state).interrupted == 0);
}

TEST_CASE("an exchange that outlives its segment is not interrupted", "[store]") {
  const StateDir state;
  auto alive = writer(state, "RUN1", 1 * kibibyte);
  write(*alive, {begin(1)});
  for (int i = 10; i < 40; ++i) write(*alive, {exchange(i)});
  CHECK(ingest(state).interrupted == 0);
  CHECK(count(state, "SELECT count(*) FROM journal_positions WHERE ended = 1") >= 2);
  write(*alive, {exchange(1)});
  alive.reset();
  CHECK(ingest(state).interrupted == 0);
  CHECK(count(state, "SELECT count(*) FROM exchanges WHERE state = 'complete'") == 31);
}

TEST_CASE("another worker of the same run that has ended interrupts nothing", "[store]") {
  const StateDir state;
  auto first = writer(state, "RUN1", 16 * mebibyte, 0);
  auto second = writer(state, "RUN1", 16 * mebibyte, 1);
  write(*first, {begin(1)});
  write(*second, {exchange(2)});
  first.reset();
  CHECK(ingest(state).interrupted == 0);
  second.reset();
  CHECK(ingest(state).interrupted == 1);
}

TEST_CASE("a connection that a dead gateway left open is closed when it was last heard of", "[store]") {
  const StateDir state;
  auto dead = writer(state);
  write(*dead, {part(0, 100, {1}, false)});
  dead.reset();
  const auto segment = only_segment(state);
  const auto written = last_written(segment);
  REQUIRE(written);
  ingest(state, *written + Seconds(3600));
  const auto records = all_of(open_log(state));
  REQUIRE(records.size() == 1);
  // The record's own time is in the future of the file's: then it was closed when it was opened.
  CHECK(records[0].connection().closed() == std::max(to_micros(*written), records[0].connection().opened()));
  CHECK(records[0].connection().error() == "the gateway stopped while the connection was open");
}

TEST_CASE("the parts of a connection are one row", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  write(*alive, {part(0, 100, {1, 2}, false)});
  SECTION("each in its batch") { ingest(state); }
  SECTION("in one batch") {}
  write(*alive, {part(1, 250, {600'000}, false), part(2, 300, {1'200'000}, true)});
  ingest(state);
  const auto records = all_of(open_log(state));
  REQUIRE(records.size() == 1);
  const auto& joined = records[0].connection();
  CHECK(joined.bytes_up() == 300);
  CHECK(joined.part() == 2);
  CHECK(joined.has_closed());
  REQUIRE(joined.activity_size() == 4);
  CHECK(joined.activity(0).ms() == 1);
  CHECK(joined.activity(3).ms() == 1'200'000);
}

TEST_CASE("joining a part again changes nothing, and the newest bursts are kept", "[store]") {
  const auto first = part(0, 100, std::vector<std::uint64_t>(4000, 1), false).connection();
  const auto second = part(1, 200, std::vector<std::uint64_t>(1000, 2), false).connection();
  const auto joined = join(first, second);
  REQUIRE(joined.activity_size() == max_bursts);
  CHECK(joined.activity(0).ms() == 1);
  CHECK(joined.activity(max_bursts - 1000).ms() == 2);
  CHECK(join(joined, second).SerializeAsString() == joined.SerializeAsString());
  CHECK(join(joined, first).SerializeAsString() == joined.SerializeAsString());
}

TEST_CASE("a damaged entry is skipped, counted once, and what follows it is there", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  write(*alive, {exchange(1)});
  const auto segment = only_segment(state);
  const auto damage_at = std::filesystem::file_size(segment) + 20;
  write(*alive, {exchange(2), exchange(3)});
  alive.reset();
  {
    std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(damage_at));
    file << "XXXX";
  }
  DamageLog damage;
  auto ingestion = Ingestion::open(state.path(), damage);
  REQUIRE(ingestion);
  const auto batch = (*ingestion)->step(wall_now());
  REQUIRE(batch);
  CHECK(batch->records == 2);
  CHECK(batch->damaged == 1);
  CHECK(ids(all_of(open_log(state))) == ids_of({1, 3}));
  CHECK((*ingestion)->step(wall_now())->damaged == 0);
}

TEST_CASE("a torn tail loses the torn entry only, and ends the segment", "[store]") {
  const StateDir state;
  write(*writer(state), {exchange(1), begin(2), exchange(3)});
  const auto segment = only_segment(state);
  std::filesystem::resize_file(segment, std::filesystem::file_size(segment) - 5);
  const auto batch = ingest(state);
  CHECK(batch.records == 2);
  CHECK(batch.damaged == 1);
  CHECK(batch.interrupted == 1);
  CHECK(count(state, "SELECT ended FROM journal_positions") == 1);
}

TEST_CASE("a segment of a later program stays where it is, and the others are read", "[store]") {
  const StateDir state;
  write(*writer(state, "RUN1"), {exchange(1)});
  const auto segment = only_segment(state);
  write(*writer(state, "RUN2"), {exchange(2)});
  {
    // Version 2, with a right checksum (docs/journal.md).
    auto header = journal::encode_header({.name = {.run = "RUN1", .worker = 0, .sequence = 1}, .created = {}});
    header[9] = 2;
    auto checksum = crc32(0, header.data(), 60);
    for (std::size_t i = header.size(); i-- > 60; checksum >>= 8U) header[i] = static_cast<std::uint8_t>(checksum);
    std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
    file << as_text(header);
  }
  const auto batch = ingest(state);
  CHECK(batch.records == 1);
  CHECK(std::filesystem::exists(segment));
}

TEST_CASE("an idle look at the journal writes nothing", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  write(*alive, {exchange(1)});
  DamageLog damage;
  auto ingestion = Ingestion::open(state.path(), damage);
  REQUIRE(ingestion);
  REQUIRE((*ingestion)->step(wall_now()));
  const auto before = (*ingestion)->database().integer("PRAGMA data_version");
  const auto wal = std::filesystem::file_size(database_path(state.path()).string() + "-wal");
  for (int i = 0; i < 20; ++i) REQUIRE((*ingestion)->step(wall_now()));
  CHECK(std::filesystem::file_size(database_path(state.path()).string() + "-wal") == wal);
  CHECK((*ingestion)->database().integer("PRAGMA data_version").value() == before.value());
}

}  // namespace tollgate::store
