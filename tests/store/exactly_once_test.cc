// What must hold whenever a process is killed: every record is in the store once.
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <random>
#include <set>
#include <thread>

#include "gateway/store/ingester.h"
#include "tests/store/records.h"

namespace tollgate::store {
namespace {

// Ingests in a process of its own, until it is killed.
pid_t start_ingesting_child(const StateDir& state) {
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that fails leaves nobody behind
  DamageLog damage;
  auto ingestion = Ingestion::open(state.path(), damage);
  while (ingestion) {
    if (!(*ingestion)->step(wall_now())) break;
  }
  _exit(1);
}

void kill_child(pid_t child) {
  REQUIRE(kill(child, SIGKILL) == 0);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));  // it had not ended by itself
}

std::vector<proto::Record> mixed(std::int64_t number) {
  if (number % 7 == 0) return {begin(number), exchange(number)};
  if (number % 5 == 0) return {connection(number)};
  return {exchange(number)};
}

}  // namespace

TEST_CASE("an ingester that is killed thirty times at random leaves every record in the store once", "[store]") {
  const StateDir state;
  auto first = writer(state, "RUN1", 64 * kibibyte, 0);
  auto second = writer(state, "RUN1", 64 * kibibyte, 1);
  std::mt19937 random(4711);
  std::int64_t number = 0;
  for (int round = 0; round < 30; ++round) {
    const pid_t child = start_ingesting_child(state);
    const MonoTime until = mono_now() + Millis(1 + random() % 60);
    for (int burst = 0; mono_now() < until; ++burst) {
      if (burst >= 50) std::this_thread::sleep_until(until);  // enough for a round, however fast the machine
      for (int i = 0; i < 20; ++i) write(i % 2 == 0 ? *first : *second, mixed(++number));
    }
    kill_child(child);
    REQUIRE(count(state, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'") == 0);
  }
  first.reset();
  second.reset();
  ingest(state);
  std::set<std::string> wanted;
  for (std::int64_t i = 1; i <= number; ++i) wanted.insert(id_of(i));
  const auto found = ids(all_of(open_log(state)));
  CHECK(found.size() == wanted.size());
  CHECK(std::set(found.begin(), found.end()) == wanted);
  CHECK(count(state, "SELECT count(*) FROM exchanges WHERE state <> 'complete'") == 0);
  // `seq` goes up with every record that is put into a table, also with one that replaces a row; only a transaction
  // that was not committed leaves no trace in it. So it says that each record was put there once.
  std::int64_t exchange_records = 0;
  for (std::int64_t i = 1; i <= number; ++i) {
    for (const auto& record : mixed(i)) exchange_records += record.has_exchange() ? 1 : 0;
  }
  CHECK(count(state, "SELECT seq FROM sqlite_sequence WHERE name = 'exchanges'") == exchange_records);
  CHECK(count(state, "SELECT seq FROM sqlite_sequence WHERE name = 'connections'") ==
        count(state, "SELECT count(*) FROM connections"));
}

TEST_CASE("a reader beside a writer and an ingester sees all that was committed before it opened, each once",
          "[store]") {
  const StateDir state;
  constexpr std::int64_t ahead = 200;  // how far the writer may get while a reader reads
  std::atomic<std::int64_t> committed{0};
  std::atomic<std::int64_t> seen{0};
  std::atomic<bool> stop{false};
  auto alive = writer(state, "RUN1", 32 * kibibyte);
  auto ingester = Ingester::start({.state_dir = state.path(), .poll = Millis(2)});
  REQUIRE(ingester);
  std::thread writing([&] {
    for (std::int64_t number = 1; !stop;) {
      // Waits without spinning: the ingester, whose priority is low, gets a core.
      const std::int64_t last_seen = seen;
      if (number > last_seen + ahead) {
        seen.wait(last_seen);
        continue;
      }
      for (const auto& record : mixed(number)) alive->append(record);
      alive->commit();
      committed = number++;
    }
  });
  std::string wrong;
  const auto ingested = [&] { return (*ingester)->health().records; };
  // Until the ingester has been at work meanwhile: its priority is low.
  for (int round = 0; wrong.empty() && (round < 25 || (ingested() == 0 && round < 1000)); ++round) {
    const std::int64_t before = committed;
    const auto reader = LogReader::open(state.path());
    if (!reader) wrong = reader.error().what;
    const auto found = reader ? ids(all_of(*reader)) : std::vector<std::string>();
    const std::int64_t after = committed + 1;
    // All ids up to some number, without gaps and without repeats.
    const auto number = static_cast<std::int64_t>(found.size());
    std::vector<std::string> wanted;
    for (std::int64_t i = 1; i <= number; ++i) wanted.push_back(id_of(i));
    if (found != wanted || number < before || number > after) {
      wrong = fmt::format("round {}: {} records, between {} and {}", round, number, before, after);
    }
    seen = number;
    seen.notify_one();
  }
  stop = true;
  seen = -1;
  seen.notify_one();
  writing.join();
  CHECK(wrong == "");
  CHECK(ingested() > 0);
  CHECK((*ingester)->health().failures == 0);
}

TEST_CASE("there is one ingester at a time", "[store]") {
  const StateDir state;
  auto first = Ingester::start({.state_dir = state.path()});
  REQUIRE(first);
  const auto second = Ingester::start({.state_dir = state.path()});
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == Error::Kind::refused);
  (*first)->stop();
  CHECK(Ingester::start({.state_dir = state.path()}));
}

TEST_CASE("stopping takes in what was committed last", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  auto ingester = Ingester::start({.state_dir = state.path(), .poll = Seconds(60)});
  REQUIRE(ingester);
  std::vector<proto::Record> records;
  for (std::int64_t i = 1; i <= 12'000; ++i) records.push_back(exchange(i));
  write(*alive, records);
  (*ingester)->stop(Seconds(120));  // as long as sanitizers on a busy machine may take
  CHECK((*ingester)->health().state == IngesterHealth::State::stopped);
  CHECK((*ingester)->health().lag == 0);
  CHECK(count(state, "SELECT count(*) FROM exchanges") == 12'000);
}

}  // namespace tollgate::store
