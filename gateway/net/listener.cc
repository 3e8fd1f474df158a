#include "gateway/net/listener.h"

#include <fcntl.h>

#include <cerrno>

namespace tollgate::net {
namespace {

// Connections taken in one turn: a crowd that arrives at once does not starve those who are being served.
constexpr int accepts_per_turn = 64;

Descriptor open_spare() { return Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

Listener::Listener(Loop& loop, Descriptor socket, Callbacks callbacks)
    : socket_(std::move(socket)),
      spare_(open_spare()),
      callbacks_(std::move(callbacks)),
      readable_(loop, socket_.get(), Watch::For::reading, [this] { on_readable(); }) {
  readable_.enable();
}

void Listener::close() {
  readable_.disable();
  socket_.close();
}

void Listener::on_readable() {
  for (int i = 0; i < accepts_per_turn && socket_; ++i) {
    KernelAddress peer;
    Descriptor socket(::accept4(socket_.get(), peer.get(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      tune_stream(socket.get());
      callbacks_.accepted(std::move(socket), from_kernel(peer));
    } else if (errno == EMFILE || errno == ENFILE) {
      turn_one_away();
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

void Listener::turn_one_away() {
  spare_.close();
  Descriptor refused(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  const bool one = static_cast<bool>(refused);
  reset_and_close(std::move(refused));  // before the spare is opened again: there is room for one only
  spare_ = open_spare();
  if (one) callbacks_.turned_away();
}

}  // namespace tollgate::net
