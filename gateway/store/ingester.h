// Ingester: the one thread that moves the journal into the store and keeps both within their bounds.
//
//   journal segments ──▶ batches of records ──▶ one transaction: rows + positions ──▶ tollgate.db
//
// The position a segment was read to is noted in the same transaction as its rows, so a record is in the store exactly
// once, whenever the process is killed. What cannot be written now (full disk, read-only, locked) stays in the journal
// and is caught up later. A damaged database is moved aside (`tollgate.db.corrupt-<time>`) and rebuilt from the
// journal.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/base/units.h"

namespace tollgate::store {

struct IngesterOptions {
  std::filesystem::path state_dir;            // exists; holds journal/, tollgate.db, ingest.lock
  Millis retention_age{Seconds(30 * 86400)};  // since a record arrived; 0: for ever
  ByteCount retention_size = 2 * gibibyte;    // database and journal together; 0: no bound
  Millis poll{100};                           // between two looks at the journal
  std::function<WallTime()> now = wall_now;   // called on the ingester's thread
};

// How the ingester is doing. A copy: nothing in it changes.
struct IngesterHealth {
  enum class State : std::uint8_t {
    working,  // every batch so far went in
    waiting,  // the store cannot be written; retried until it can
    stopped,  // stop() was called, or the object was never started
  };
  State state = State::stopped;
  std::string problem;            // why it waits: one sentence, "" when working
  std::uint64_t records = 0;      // records ingested since start
  std::uint64_t damaged = 0;      // journal entries skipped as damaged since start
  std::uint64_t interrupted = 0;  // exchanges that a dead gateway left open, closed since start
  std::uint64_t expired = 0;      // records that retention deleted since start
  std::uint64_t failures = 0;     // transactions that failed since start
  std::uint64_t rebuilt = 0;      // damaged databases moved aside since start
  ByteCount lag = 0;              // journal bytes not in the store at the last look
  ByteCount database_bytes = 0;   // tollgate.db with its write-ahead log
  ByteCount journal_bytes = 0;    // all segments
};
std::string_view name(IngesterHealth::State state);

// Takes state.dir's ingest lock, so there is one at a time however many processes there are.
class Ingester {
 public:
  // Starts the thread, at low priority so that it leaves the cores to the event loops.
  // A store that cannot be opened now is not an error (health() says so, and it is tried again), but two are:
  // Errors: refused  another process ingests here, or the database is of a newer tollgate
  //         io       the lock file cannot be made, no thread
  static Result<std::unique_ptr<Ingester>> start(IngesterOptions options);
  // stop(), and waits.
  ~Ingester();
  Ingester(const Ingester&) = delete;
  Ingester& operator=(const Ingester&) = delete;

  // Ingests what the journal holds now as far as it can within `patience`, then ends the thread. Call it after the last
  // commit of the last journal writer. Any thread; later calls do nothing.
  void stop(Millis patience = Millis(5000));

  // What retention means from now on (a reload). Any thread.
  void set_retention(Millis age, ByteCount size);
  // Any thread.
  IngesterHealth health() const;

 private:
  class Worker;
  explicit Ingester(std::unique_ptr<Worker> worker);
  std::unique_ptr<Worker> worker_;
};

}  // namespace tollgate::store
