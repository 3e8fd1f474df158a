// One event loop, on one thread: readiness of descriptors, timers, tasks from other threads, and the end of a turn.
//
// A turn is: wait for events, run their callbacks, then the three stages of its end, in this order:
//   pump    protocol sessions put what they have to say into output queues
//   commit  records of the turn are handed to the kernel
//   flush   output queues are written to their sockets
// So nothing leaves for a client before the records of the same turn are safe, and small writes of one turn become one.
//
// Threads: everything but post() and stop() is for the loop's own thread. This room alone knows libevent.
#pragma once

#include <event2/event.h>

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/descriptor.h"
#include "gateway/base/free_with.h"
#include "gateway/base/result.h"
#include "gateway/base/units.h"

namespace tollgate::net {

using EventHandle = std::unique_ptr<event, FreeWith<event_free>>;
using EventBaseHandle = std::unique_ptr<event_base, FreeWith<event_base_free>>;

// Something whose owner has let go of it, and which lives until the turn is over.
class Retirable {
 public:
  virtual ~Retirable() = default;
};

enum class TurnStage : std::uint8_t { pump, flush };

// Work for the end of the turn. mark() on a Loop puts it in a stage's list once; on_turn_end() is called there, and may
// mark again: the stages repeat until nothing is marked. Destruction unlinks it.
class TurnWork : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual ~TurnWork() = default;
  virtual void on_turn_end() = 0;
};

class Loop {
 public:
  // Errors: io  the kernel has no descriptor or epoll instance left.
  static Result<std::unique_ptr<Loop>> create();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();   // until stop()
  void stop();  // any thread: run() returns after the turn in which it arrives

  // The one call that other threads may make besides stop(). Tasks run in the order they came.
  void post(std::function<void()> task);

  // Destroyed when the turn is over.
  void retire(std::unique_ptr<Retirable> object);

  void mark(TurnWork& work, TurnStage stage);
  // Called between pump and flush, whenever there is something to flush and at least once a turn.
  void on_commit(std::function<void()> commit) { commit_ = std::move(commit); }

  // Scratch memory for whoever is reading: valid until the next callback that reads.
  std::span<std::uint8_t> scratch() { return scratch_; }
  // A second one, for what is decrypted out of the first.
  std::span<std::uint8_t> plain_scratch() { return plain_scratch_; }

  event_base* base() { return base_.get(); }

 private:
  using WorkList = boost::intrusive::list<TurnWork, boost::intrusive::constant_time_size<false>>;

  Loop(EventBaseHandle base, Descriptor wake);
  void run_posted();
  void end_turn();
  static void run_list(WorkList& list);

  EventBaseHandle base_;
  Descriptor wake_;  // eventfd
  std::mutex posted_lock_;
  std::vector<std::function<void()>> posted_;  // guarded by posted_lock_
  std::atomic<bool> stopping_{false};
  WorkList pump_;
  WorkList flush_;
  std::function<void()> commit_;
  std::vector<std::unique_ptr<Retirable>> retired_;
  std::vector<std::uint8_t> scratch_;
  std::vector<std::uint8_t> plain_scratch_;
  EventHandle wake_event_;
};

// Calls back once, after a delay. Owned by whoever waits; destruction or cancel() means it never fires.
class Timer {
 public:
  Timer(Loop& loop, std::function<void()> fired);
  void start(Millis delay);  // again: from now
  void cancel();
  bool pending() const;

 private:
  std::function<void()> fired_;
  EventHandle event_;  // last: cancelled first
};

// Calls back whenever a descriptor is readable (or writable), while enabled. Does not own the descriptor.
class Watch {
 public:
  enum class For : std::uint8_t { reading, writing };
  Watch(Loop& loop, int descriptor, For what, std::function<void()> ready);
  void enable();
  void disable();
  bool enabled() const { return enabled_; }

 private:
  std::function<void()> ready_;
  bool enabled_ = false;
  EventHandle event_;  // last: cancelled first
};

// Calls back on a signal of the process. One loop only.
class SignalWatch {
 public:
  SignalWatch(Loop& loop, int signal, std::function<void()> arrived);

 private:
  std::function<void()> arrived_;
  EventHandle event_;
};

}  // namespace tollgate::net
