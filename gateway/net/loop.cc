#include "gateway/net/loop.h"

#include <sys/eventfd.h>

#include <cassert>
#include <cerrno>
#include <system_error>

namespace tollgate::net {
namespace {

// One read takes at most this much of one connection: large enough that a bulk transfer is few calls, small enough that
// the others do not wait and that the memory stays in cache.
constexpr std::size_t scratch_size = 64 * kibibyte;
// The stages repeat until nothing is marked; a set of sessions that keeps marking itself goes on in the next turn.
constexpr int rounds_per_turn = 8;

timeval to_timeval(Millis delay) { return {delay.count() / 1000, (delay.count() % 1000) * 1000}; }

template <class T, void (T::*Run)()>
void call(evutil_socket_t, short, void* self) noexcept {
  (static_cast<T*>(self)->*Run)();
}

void call_function(evutil_socket_t, short, void* function) noexcept {
  (*static_cast<std::function<void()>*>(function))();
}

}  // namespace

Result<std::unique_ptr<Loop>> Loop::create() {
  const std::unique_ptr<event_config, FreeWith<event_config_free>> config(event_config_new());
  // No EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST: it tells epoll of a removal only at the next wait, when the descriptor has
  // been closed and its number may be another thread's (seen by TSan).
  event_config_set_flag(config.get(), EVENT_BASE_FLAG_NOLOCK);
  EventBaseHandle base(event_base_new_with_config(config.get()));
  Descriptor wake(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!base || !wake) {
    return fail(Error::Kind::io, std::string("cannot make an event loop: ") + std::generic_category().message(errno));
  }
  return std::unique_ptr<Loop>(new Loop(std::move(base), std::move(wake)));
}

Loop::Loop(EventBaseHandle base, Descriptor wake)
    : base_(std::move(base)),
      wake_(std::move(wake)),
      scratch_(scratch_size),
      plain_scratch_(scratch_size),
      wake_event_(event_new(base_.get(), wake_.get(), EV_READ | EV_PERSIST, call<Loop, &Loop::run_posted>, this)) {
  event_add(wake_event_.get(), nullptr);
}

Loop::~Loop() = default;

void Loop::run() {
  while (!stopping_.load(std::memory_order_acquire)) {
    const bool unfinished = !pump_.empty() || !flush_.empty();
    event_base_loop(base_.get(), unfinished ? EVLOOP_NONBLOCK : EVLOOP_ONCE);
    end_turn();
  }
}

void Loop::stop() {
  stopping_.store(true, std::memory_order_release);
  post([] {});
}

void Loop::post(std::function<void()> task) {
  {
    const std::lock_guard guard(posted_lock_);
    posted_.push_back(std::move(task));
  }
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the loop is being woken already.
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void Loop::run_posted() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto taken = ::read(wake_.get(), &count, sizeof count);
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard guard(posted_lock_);
    tasks.swap(posted_);
  }
  for (const auto& task : tasks) task();
}

void Loop::retire(std::unique_ptr<Retirable> object) { retired_.push_back(std::move(object)); }

void Loop::mark(TurnWork& work, TurnStage stage) {
  if (work.is_linked()) return;
  (stage == TurnStage::pump ? pump_ : flush_).push_back(work);
}

void Loop::run_list(WorkList& list) {
  WorkList due;
  due.swap(list);
  while (!due.empty()) {
    TurnWork& work = due.front();
    due.pop_front();
    work.on_turn_end();
  }
}

void Loop::end_turn() {
  for (int round = 0; round < rounds_per_turn; ++round) {
    // Work that is pumped may mark more: a session writes into a TLS endpoint, which then encrypts.
    for (int i = 0; i < rounds_per_turn && !pump_.empty(); ++i) run_list(pump_);
    if (commit_) commit_();
    run_list(flush_);
    if (pump_.empty() && flush_.empty()) break;
  }
  // Destructors may retire more; those live until the next turn is over.
  std::vector<std::unique_ptr<Retirable>> gone;
  gone.swap(retired_);
  gone.clear();
}

Timer::Timer(Loop& loop, std::function<void()> fired)
    : fired_(std::move(fired)), event_(evtimer_new(loop.base(), call_function, &fired_)) {}

void Timer::start(Millis delay) {
  const timeval when = to_timeval(delay);
  event_add(event_.get(), &when);
}

void Timer::cancel() { event_del(event_.get()); }

bool Timer::pending() const { return event_pending(event_.get(), EV_TIMEOUT, nullptr) != 0; }

Watch::Watch(Loop& loop, int descriptor, For what, std::function<void()> ready)
    : ready_(std::move(ready)),
      event_(event_new(loop.base(), descriptor,
                       static_cast<short>((what == For::reading ? EV_READ : EV_WRITE) | EV_PERSIST), call_function,
                       &ready_)) {}

void Watch::enable() {
  if (std::exchange(enabled_, true)) return;
  event_add(event_.get(), nullptr);
}

void Watch::disable() {
  if (!std::exchange(enabled_, false)) return;
  event_del(event_.get());
}

SignalWatch::SignalWatch(Loop& loop, int signal, std::function<void()> arrived)
    : arrived_(std::move(arrived)), event_(evsignal_new(loop.base(), signal, call_function, &arrived_)) {
  event_add(event_.get(), nullptr);
}

}  // namespace tollgate::net
