#include "gateway/store/ingester.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

#include "gateway/base/descriptor.h"
#include "gateway/base/unreachable.h"
#include "gateway/store/ingestion.h"
#include "gateway/store/retention.h"
#include "gateway/store/store.h"

namespace tollgate::store {
namespace {

constexpr int nice_value = 10;
// Between attempts at a store that cannot be written.
constexpr Millis retry_after{500};
// Between looks at what has become too old or too much, and at sizes.
constexpr Millis look_around{1000};

Result<Descriptor> lock(const std::filesystem::path& state_dir) {
  const auto path = state_dir / "ingest.lock";
  Descriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return fail(Error::Kind::io, fmt::format("{}: {}", path.string(), std::generic_category().message(errno)));
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(Error::Kind::refused,
                fmt::format("{}: another process moves this journal into its store already", path.string()));
  }
  return file;
}

// The event loops come first. Neither call can fail for a thread that lowers itself.
void lower_priority() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), nice_value);
  const sched_param none{};
  pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
}

// Moves the database away, its log with it. What had been read stays readable for those who have it open.
Status move_aside(const std::filesystem::path& state_dir, WallTime now) {
  std::string stamp = rfc3339(now);
  std::erase_if(stamp, [](char character) { return character == ':' || character == '-'; });
  const std::string from = database_path(state_dir).string();
  const std::string to = fmt::format("{}.corrupt-{}", from, stamp);
  // The -wal file first: left behind, it would be taken for the new database's.
  for (const std::string_view suffix : {"-wal", "-shm", ""}) {
    std::error_code error;
    std::filesystem::rename(fmt::format("{}{}", from, suffix), fmt::format("{}{}", to, suffix), error);
    if (error && error != std::errc::no_such_file_or_directory) {
      return fail(Error::Kind::io, fmt::format("{}{}: {}", from, suffix, error.message()));
    }
  }
  spdlog::error(
      "{} was damaged. It is kept as {}, and rebuilt from the journal; what the journal does not reach back to "
      "is in the old file only",
      from, to);
  return {};
}

}  // namespace

std::string_view name(IngesterHealth::State state) {
  using enum IngesterHealth::State;
  switch (state) {
    case working: return "working";
    case waiting: return "waiting";
    case stopped: return "stopped";
  }
  unreachable_state();
}

// The thread and what it shares with others.
class Ingester::Worker {
 public:
  Worker(IngesterOptions options, Descriptor lock_file)
      : options_(std::move(options)), lock_(std::move(lock_file)), folder_(journal_dir(options_.state_dir)) {
    shared_.limits = {options_.retention_age, options_.retention_size};
    shared_.health.state = IngesterHealth::State::working;
  }

  Status start();
  void stop(Millis patience);
  void set_retention(RetentionLimits limits) {
    const std::lock_guard guard(shared_.lock);
    shared_.limits = limits;
  }
  IngesterHealth health() {
    const std::lock_guard guard(shared_.lock);
    return shared_.health;
  }

 private:
  enum class Purpose : std::uint8_t { serve, drain };  // drain: without retention
  void run();
  bool work(Purpose purpose);
  Status open_store();
  void failed(const Error& error);
  void working_again();
  void look_at_sizes();
  // Waits for `time`, or until it is told to stop. Says whether it has been.
  bool wait(Millis time);

  struct Shared {
    std::mutex lock;
    std::condition_variable wake;
    bool stopping = false;
    MonoTime give_up;  // when stopping
    RetentionLimits limits;
    IngesterHealth health;
  };

  const IngesterOptions options_;
  Descriptor lock_;
  Shared shared_;

  // The thread's own.
  DamageLog damage_;
  std::unique_ptr<Ingestion> ingestion_;
  JournalFolder folder_;   // for sizes while there is no store
  PositionMap committed_;  // the last ones known, for the lag while there is no store
  bool retaining_ = false;
  MonoTime looked_around_{};
  MonoTime measured_{};

  std::mutex joining_;
  std::thread thread_;  // last: it uses all of the above
};

Status Ingester::Worker::start() {
  // The one failure that waiting does not mend is told to whoever starts the gateway.
  if (auto opened = open_store(); !opened) {
    if (opened.error().kind == Error::Kind::refused) return opened;
    failed(opened.error());
  }
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    return fail(Error::Kind::io, fmt::format("no thread for the ingester: {}", error.what()));
  }
  return {};
}

void Ingester::Worker::stop(Millis patience) {
  const std::lock_guard joining(joining_);
  {
    const std::lock_guard guard(shared_.lock);
    shared_.stopping = true;
    shared_.give_up = mono_now() + patience;
  }
  shared_.wake.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Ingester::Worker::wait(Millis time) {
  std::unique_lock guard(shared_.lock);
  return shared_.wake.wait_for(guard, time, [this] { return shared_.stopping; });
}

void Ingester::Worker::run() {
  pthread_setname_np(pthread_self(), "ingester");
  lower_priority();
  for (bool stopping = false; !stopping;) {
    const bool more = work(Purpose::serve);
    stopping = wait(more ? Millis(0) : ingestion_ != nullptr ? options_.poll : retry_after);
  }
  // What was committed last is still to come in; a store that cannot be written has had its chance.
  MonoTime give_up;
  {
    const std::lock_guard guard(shared_.lock);
    give_up = shared_.give_up;
  }
  while (work(Purpose::drain) && mono_now() < give_up) {
  }
  look_at_sizes();
  ingestion_.reset();
  lock_.close();
  const std::lock_guard guard(shared_.lock);
  shared_.health.state = IngesterHealth::State::stopped;
}

// One batch, and retention when it is due. Says whether there is more to do at once.
bool Ingester::Worker::work(Purpose purpose) {
  if (ingestion_ == nullptr) {
    if (auto opened = open_store(); !opened) {
      failed(opened.error());
      return false;
    }
  }
  const WallTime now = options_.now();
  const auto batch = ingestion_->step(now);
  if (!batch) {
    failed(batch.error());
    return false;
  }
  RetentionStep retained;
  if (purpose == Purpose::serve &&
      (retaining_ || mono_now() - looked_around_ >= std::min(look_around, 10 * options_.poll))) {
    looked_around_ = mono_now();
    RetentionLimits limits;
    {
      const std::lock_guard guard(shared_.lock);
      limits = shared_.limits;
    }
    const auto step = retain(*ingestion_, limits, now);
    if (!step) {
      failed(step.error());
      return false;
    }
    retained = *step;
    retaining_ = step->more;
  }
  working_again();
  {
    const std::lock_guard guard(shared_.lock);
    shared_.health.records += batch->records;
    shared_.health.damaged += batch->damaged;
    shared_.health.interrupted += batch->interrupted;
    shared_.health.expired += retained.expired;
  }
  if (mono_now() - measured_ >= std::min(look_around, 10 * options_.poll)) look_at_sizes();
  return batch->more || retained.more;
}

Status Ingester::Worker::open_store() {
  auto opened = Ingestion::open(options_.state_dir, damage_);
  if (!opened && opened.error().kind == Error::Kind::malformed) {
    if (auto moved = move_aside(options_.state_dir, options_.now()); !moved) return moved;
    {
      const std::lock_guard guard(shared_.lock);
      ++shared_.health.rebuilt;
    }
    opened = Ingestion::open(options_.state_dir, damage_);
  }
  if (!opened) return fail(opened);
  ingestion_ = std::move(*opened);
  return {};
}

void Ingester::Worker::failed(const Error& error) {
  const bool damaged = error.kind == Error::Kind::malformed && ingestion_ != nullptr;
  // A transaction was lost, and what is in memory may be ahead of what is in the store. What is read next is what the
  // store says.
  if (ingestion_ != nullptr) {
    if (const auto positions = Positions::load(ingestion_->database())) committed_ = positions->all();
  }
  ingestion_.reset();
  // Damage that opening does not meet again would be met for ever.
  if (damaged) {
    if (auto moved = move_aside(options_.state_dir, options_.now()); !moved) spdlog::error("{}", moved.error().what);
    committed_.clear();
  }
  bool said = false;
  {
    const std::lock_guard guard(shared_.lock);
    ++shared_.health.failures;
    if (damaged) ++shared_.health.rebuilt;
    said = shared_.health.state == IngesterHealth::State::waiting;
    shared_.health.state = IngesterHealth::State::waiting;
    shared_.health.problem = error.what;
  }
  if (!said) {
    spdlog::error("the store cannot be written; records stay in the journal until it can: {}", error.what);
  }
  look_at_sizes();
}

void Ingester::Worker::working_again() {
  {
    const std::lock_guard guard(shared_.lock);
    if (shared_.health.state != IngesterHealth::State::waiting) return;
    shared_.health.state = IngesterHealth::State::working;
    shared_.health.problem.clear();
  }
  spdlog::warn("the store can be written again, and catches up");
}

void Ingester::Worker::look_at_sizes() {
  measured_ = mono_now();
  JournalFolder& folder = ingestion_ != nullptr ? ingestion_->folder() : folder_;
  const auto segments = folder.segments(measured_);
  if (!segments) return;  // the next step meets the same, and says so
  const JournalSize journal = measure(**segments, ingestion_ != nullptr ? ingestion_->positions().all() : committed_);
  const ByteCount database = database_size(options_.state_dir);
  const std::lock_guard guard(shared_.lock);
  shared_.health.lag = journal.unread;
  shared_.health.journal_bytes = journal.all;
  shared_.health.database_bytes = database;
}

Ingester::Ingester(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}
Ingester::~Ingester() { stop(); }

Result<std::unique_ptr<Ingester>> Ingester::start(IngesterOptions options) {
  auto locked = lock(options.state_dir);
  if (!locked) return fail(locked);
  auto worker = std::make_unique<Worker>(std::move(options), std::move(*locked));
  if (auto started = worker->start(); !started) return fail(started);
  return std::unique_ptr<Ingester>(new Ingester(std::move(worker)));
}

void Ingester::stop(Millis patience) { worker_->stop(patience); }
void Ingester::set_retention(Millis age, ByteCount size) { worker_->set_retention({age, size}); }
IngesterHealth Ingester::health() const { return worker_->health(); }

}  // namespace tollgate::store
