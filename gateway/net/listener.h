// Accepts connections on one address for one loop. Out of descriptors, it accepts with a spare one and closes at once,
// so that clients are told instead of left waiting.
#pragma once

#include <functional>
#include <memory>

#include "gateway/base/address.h"
#include "gateway/base/result.h"
#include "gateway/net/loop.h"
#include "gateway/net/socket.h"

namespace tollgate::net {

class Listener {
 public:
  struct Callbacks {
    std::function<void(Descriptor socket, SocketAddress peer)> accepted;
    std::function<void()> turned_away;  // one connection was closed for want of descriptors
  };
  // `socket` from listen_on().
  Listener(Loop& loop, Descriptor socket, Callbacks callbacks);
  SocketAddress address() const { return local_address(socket_.get()); }
  void close();  // no more connections; those in the backlog are reset by the kernel

 private:
  void on_readable();
  void turn_one_away();

  Descriptor socket_;
  Descriptor spare_;
  Callbacks callbacks_;
  Watch readable_;
};

}  // namespace tollgate::net
