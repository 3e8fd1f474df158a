// The store cannot be written, or is damaged: records wait in the journal, someone is told, and all is caught up.
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "gateway/store/ingester.h"
#include "tests/store/records.h"

namespace tollgate::store {
namespace {

template <class Condition>
bool wait_for(const Ingester& ingester, Condition condition) {
  for (int i = 0; i < 3000 && !condition(ingester.health()); ++i) std::this_thread::sleep_for(Millis(5));
  return condition(ingester.health());
}
bool waits(const IngesterHealth& health) { return health.state == IngesterHealth::State::waiting; }
bool works(const IngesterHealth& health) { return health.state == IngesterHealth::State::working; }

std::unique_ptr<Ingester> start(const StateDir& state) {
  auto started = Ingester::start({.state_dir = state.path(), .poll = Millis(2)});
  REQUIRE(started);
  return std::move(*started);
}

// What the program's log says while it lives.
class CapturedLog {
 public:
  CapturedLog() : before_(spdlog::default_logger()) {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text_);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("captured", sink));
  }
  ~CapturedLog() { spdlog::set_default_logger(before_); }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;

  // Call it when nobody logs any more.
  int times(const std::string& words) const {
    const std::string text = text_.str();
    int found = 0;
    for (auto at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) ++found;
    return found;
  }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

// No file may grow beyond `bytes`, as on a full disk.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(signal(SIGXFSZ, SIG_IGN)) {
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before_) == 0);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    static_cast<void>(signal(SIGXFSZ, handler_));
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

void overwrite(const std::filesystem::path& path, std::streamoff at, std::size_t size) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at);
  file << std::string(size, '\x5a');
}

// Everything but the first pages: the header and the schema are read when it is opened.
void overwrite_rows(const std::filesystem::path& path) {
  constexpr std::size_t spared = 131'072;
  overwrite(path, spared, std::filesystem::file_size(path) - spared);
}

std::vector<std::filesystem::path> moved_aside(const StateDir& state) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(state.path())) {
    if (entry.path().filename().string().starts_with("tollgate.db.corrupt-")) found.push_back(entry.path());
  }
  return found;
}

std::vector<std::int64_t> numbers(std::int64_t last) {
  std::vector<std::int64_t> all;
  for (std::int64_t i = 1; i <= last; ++i) all.push_back(i);
  return all;
}

}  // namespace

TEST_CASE("on a full disk records wait in the journal, and are caught up when there is room", "[store]") {
  const StateDir state;
  const CapturedLog log;
  auto alive = writer(state);
  for (std::int64_t i = 1; i <= 2000; ++i) write(*alive, {exchange(i)});
  std::unique_ptr<Ingester> ingester;
  {
    const FullDisk full(128 * kibibyte);
    ingester = start(state);
    REQUIRE(wait_for(*ingester, waits));
    REQUIRE(wait_for(*ingester, [](const IngesterHealth& health) { return health.failures >= 3; }));
    CHECK(ingester->health().lag > 0);
    CHECK_FALSE(ingester->health().problem.empty());
    CHECK(all_of(open_log(state)).size() == 2000);  // a reader has all of it meanwhile
  }
  REQUIRE(wait_for(*ingester, works));
  REQUIRE(wait_for(*ingester, [](const IngesterHealth& health) { return health.records == 2000 && health.lag == 0; }));
  CHECK(ingester->health().problem.empty());
  ingester.reset();
  CHECK(ids(all_of(open_log(state))) == ids_of(numbers(2000)));
  // Once for each change, not for each attempt; a small batch may have found room in between.
  const int refused = log.times("the store cannot be written");
  CHECK(refused >= 1);
  CHECK(refused <= 2);
  CHECK(log.times("the store can be written again") == refused);
}

TEST_CASE("while somebody else holds the database records wait, and are caught up", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  ingest(state);
  auto database = Database::open(database_path(state.path()));
  REQUIRE(database);
  std::unique_ptr<Ingester> ingester;
  {
    auto held = Transaction::begin(*database, Transaction::Purpose::write);
    REQUIRE(held);
    ingester = start(state);
    write(*alive, {exchange(1)});
    REQUIRE(wait_for(*ingester, waits));
    CHECK(ingester->health().problem.find("locked") != std::string::npos);
  }
  CHECK(wait_for(*ingester, [](const IngesterHealth& health) { return works(health) && health.records == 1; }));
}

TEST_CASE("a file that is no database is moved aside, and the store rebuilt from the journal", "[store]") {
  const StateDir state;
  const CapturedLog log;
  auto alive = writer(state);
  write(*alive, {exchange(1), exchange(2)});
  std::ofstream(database_path(state.path())) << std::string(8192, 'x');
  auto ingester = start(state);
  REQUIRE(wait_for(*ingester, [](const IngesterHealth& health) { return health.records == 2; }));
  CHECK(ingester->health().rebuilt == 1);
  ingester.reset();
  CHECK(ids(all_of(open_log(state))) == ids_of({1, 2}));
  REQUIRE(moved_aside(state).size() == 1);
  CHECK(std::filesystem::file_size(moved_aside(state)[0]) == 8192);
  CHECK(log.times("was damaged. It is kept as") == 1);
}

TEST_CASE("damage that is met later moves the database aside, and the store is rebuilt from the journal", "[store]") {
  const StateDir state;
  const CapturedLog log;
  auto alive = writer(state);
  for (std::int64_t i = 1; i <= 3000; ++i) write(*alive, {exchange(i)});
  ingest(state);
  const auto path = database_path(state.path());
  overwrite_rows(path);
  auto ingester = start(state);
  for (std::int64_t i = 3001; i <= 3100; ++i) write(*alive, {exchange(i)});
  REQUIRE(wait_for(*ingester, [](const IngesterHealth& health) { return health.rebuilt == 1; }));
  REQUIRE(wait_for(*ingester, [](const IngesterHealth& health) { return works(health) && health.records >= 3100; }));
  ingester.reset();
  CHECK(ids(all_of(open_log(state))) == ids_of(numbers(3100)));
  CHECK(!moved_aside(state).empty());
}

TEST_CASE("a damaged database is named by check and by the reader", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  for (std::int64_t i = 1; i <= 3000; ++i) write(*alive, {exchange(i)});
  ingest(state);
  CHECK(check_store(state.path()));
  const auto path = database_path(state.path());
  overwrite_rows(path);
  const auto checked = check_store(state.path());
  REQUIRE_FALSE(checked);
  CHECK(checked.error().kind == Error::Kind::malformed);
  overwrite(path, 0, 4096);
  const auto reader = LogReader::open(state.path());
  REQUIRE_FALSE(reader);
  CHECK(reader.error().kind == Error::Kind::malformed);
}

}  // namespace tollgate::store
