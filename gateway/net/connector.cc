#include "gateway/net/connector.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "gateway/net/socket.h"

namespace tollgate::net {
namespace {
constexpr Millis connection_attempt_delay{250};  // RFC 8305 §8
}

struct Connector::Attempt {
  Attempt(Loop& loop, Connector& owner, Descriptor connecting, SocketAddress to)
      : address(to),
        socket(std::move(connecting)),
        writable(loop, socket.get(), Watch::For::writing, [this, &owner] { owner.on_writable(*this); }) {
    writable.enable();
  }
  SocketAddress address;
  Descriptor socket;
  bool failed = false;
  Watch writable;
};

Connector::Connector(Loop& loop, std::vector<SocketAddress> addresses, Millis timeout, Done done)
    : loop_(loop),
      addresses_(std::move(addresses)),
      done_(std::move(done)),
      stagger_(loop, [this] { try_next(); }),
      deadline_(loop, [this] { give_up(fmt::format("{}no answer in time", failures_)); }) {
  deadline_.start(timeout);
  // Through the timer, so that a failure that is known at once is not reported before the constructor is through.
  stagger_.start(Millis(0));
}

Connector::~Connector() = default;

void Connector::stop() {
  deadline_.cancel();
  stagger_.cancel();
  for (const auto& attempt : attempts_) attempt->writable.disable();
}

void Connector::cancel() {
  stop();
  done_ = nullptr;
}

void Connector::try_next() {
  while (next_ < addresses_.size()) {
    const SocketAddress address = addresses_[next_++];
    auto socket = start_connecting(address);
    if (!socket) {
      failures_ += socket.error().what + "; ";
      continue;
    }
    attempts_.push_back(std::make_unique<Attempt>(loop_, *this, std::move(*socket), address));
    if (next_ < addresses_.size()) stagger_.start(connection_attempt_delay);
    return;
  }
  const bool waiting = std::any_of(attempts_.begin(), attempts_.end(), [](const auto& a) { return !a->failed; });
  if (!waiting) give_up(failures_.substr(0, failures_.size() - 2));
}

void Connector::on_writable(Attempt& attempt) {
  attempt.writable.disable();
  if (const int error = connect_error(attempt.socket.get()); error != 0) {
    attempt.failed = true;
    failures_ += fmt::format("{}: {}; ", attempt.address.text(), std::generic_category().message(error));
    stagger_.cancel();
    try_next();
    return;
  }
  stop();
  Connected connected{std::move(attempt.socket), attempt.address};
  std::exchange(done_, nullptr)(std::move(connected));
}

void Connector::give_up(std::string why) {
  stop();
  std::exchange(done_, nullptr)(fail(Error::Kind::unreachable, std::move(why)));
}

}  // namespace tollgate::net
