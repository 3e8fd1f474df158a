// Names to addresses, by c-ares on the loop: hosts file, then DNS (A and AAAA), sorted by RFC 6724.
#pragma once

#include <ares.h>

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "gateway/base/address.h"
#include "gateway/base/free_with.h"
#include "gateway/base/names.h"
#include "gateway/base/result.h"
#include "gateway/net/loop.h"

namespace tollgate::net {

// One question under way. Destroying it means that its callback is never called.
class Lookup {
 public:
  using Done = std::function<void(Result<std::vector<IpAddress>>)>;
  ~Lookup();
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

 private:
  friend class Resolver;
  struct Pending;
  explicit Lookup(Pending& pending) : pending_(&pending) {}
  Pending* pending_;  // owned by c-ares until it calls back; null after
};

class Resolver {
 public:
  // `servers`: empty for the machine's own. Errors: io.
  static Result<std::unique_ptr<Resolver>> create(Loop& loop, const std::vector<SocketAddress>& servers);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Calls `done` once, never from inside resolve(). Errors: not_found  the name has no address; unreachable  no
  // resolver answered.
  std::unique_ptr<Lookup> resolve(const HostName& name, Lookup::Done done);

 private:
  explicit Resolver(Loop& loop);
  void watch(ares_socket_t socket, bool reading, bool writing);
  void process(ares_socket_t readable, ares_socket_t writable);
  void arm_timer();

  struct Watches;
  Loop& loop_;
  std::map<ares_socket_t, std::unique_ptr<Watches>> watches_;
  Timer timer_;
  std::unique_ptr<std::remove_pointer_t<ares_channel>, FreeWith<ares_destroy>> channel_;
};

}  // namespace tollgate::net
