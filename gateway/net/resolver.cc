#include "gateway/net/resolver.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netdb.h>

#include <cstring>
#include <utility>

#include "gateway/net/socket.h"

namespace tollgate::net {
namespace {

// c-ares wants its global state set up once a process; a function-local static does it thread-safely.
int library_status() {
  static const int status = ares_library_init(ARES_LIB_INIT_ALL);
  return status;
}

}  // namespace

// Lives from resolve() to c-ares' callback. `task` and `lookup` are there as long as somebody waits.
struct Lookup::Pending {
  Loop* loop;
  std::string name;
  Lookup::Done done;
  Lookup* lookup = nullptr;
};

struct Resolver::Watches : Retirable {
  Watches(Loop& loop, ares_socket_t socket, Resolver& owner)
      : reading(loop, socket, Watch::For::reading, [socket, &owner] { owner.process(socket, ARES_SOCKET_BAD); }),
        writing(loop, socket, Watch::For::writing, [socket, &owner] { owner.process(ARES_SOCKET_BAD, socket); }) {}
  Watch reading;
  Watch writing;
};

Lookup::~Lookup() {
  if (pending_ == nullptr) return;
  pending_->lookup = nullptr;
  pending_->done = nullptr;
}

Resolver::Resolver(Loop& loop) : loop_(loop), timer_(loop, [this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }) {}

Resolver::~Resolver() = default;

Result<std::unique_ptr<Resolver>> Resolver::create(Loop& loop, const std::vector<SocketAddress>& servers) {
  if (library_status() != ARES_SUCCESS) return fail(Error::Kind::io, "c-ares cannot be started");
  std::unique_ptr<Resolver> resolver(new Resolver(loop));
  ares_options options{};
  options.sock_state_cb = [](void* self, ares_socket_t socket, int reading, int writing) noexcept {
    static_cast<Resolver*>(self)->watch(socket, reading != 0, writing != 0);
  };
  options.sock_state_cb_data = resolver.get();
  options.timeout = 2000;  // milliseconds for the first try; c-ares doubles it
  options.tries = 3;
  ares_channel channel = nullptr;
  const int mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
  if (const int status = ares_init_options(&channel, &options, mask); status != ARES_SUCCESS) {
    return fail(Error::Kind::io, fmt::format("no resolver: {}", ares_strerror(status)));
  }
  resolver->channel_.reset(channel);
  if (servers.empty()) return resolver;

  std::string list;
  for (const SocketAddress& server : servers) list += (list.empty() ? "" : ",") + server.text();
  if (const int status = ares_set_servers_ports_csv(channel, list.c_str()); status != ARES_SUCCESS) {
    return fail(Error::Kind::malformed, fmt::format("upstream.dns: {}: {}", list, ares_strerror(status)));
  }
  return resolver;
}

std::unique_ptr<Lookup> Resolver::resolve(const HostName& name, Lookup::Done done) {
  auto pending = std::make_unique<Lookup::Pending>();
  pending->loop = &loop_;
  pending->name = name.text();
  pending->done = std::move(done);
  std::unique_ptr<Lookup> lookup(new Lookup(*pending));
  pending->lookup = lookup.get();

  const auto answered = [](void* argument, int status, int, ares_addrinfo* answer) noexcept {
    const std::unique_ptr<ares_addrinfo, FreeWith<ares_freeaddrinfo>> list(answer);
    const std::shared_ptr<Lookup::Pending> waiting(static_cast<Lookup::Pending*>(argument));
    std::vector<IpAddress> found;
    for (const auto* node = list ? list->nodes : nullptr; node != nullptr; node = node->ai_next) {
      KernelAddress address;
      std::memcpy(&address.storage, node->ai_addr, node->ai_addrlen);
      found.push_back(from_kernel(address).ip);
    }
    // c-ares may call back from inside ares_getaddrinfo, or while it walks its own lists: answer in a turn of our own.
    waiting->loop->post([waiting, status, found = std::move(found)]() mutable {
      if (waiting->lookup == nullptr) return;
      std::exchange(waiting->lookup, nullptr)->pending_ = nullptr;
      const auto done_now = std::exchange(waiting->done, nullptr);
      if (!found.empty()) {
        done_now(std::move(found));
      } else if (status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_SUCCESS) {
        done_now(fail(Error::Kind::not_found, fmt::format("{}: the name has no address", waiting->name)));
      } else {
        done_now(fail(Error::Kind::unreachable, fmt::format("{}: {}", waiting->name, ares_strerror(status))));
      }
    });
  };
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  ares_getaddrinfo(channel_.get(), name.text().c_str(), nullptr, &hints, answered, pending.release());
  arm_timer();
  return lookup;
}

void Resolver::watch(ares_socket_t socket, bool reading, bool writing) {
  auto& watches = watches_[socket];
  if (!reading && !writing) {
    if (watches) {
      watches->reading.disable();
      watches->writing.disable();
      loop_.retire(std::move(watches));
    }
    watches_.erase(socket);
    return;
  }
  if (!watches) watches = std::make_unique<Watches>(loop_, socket, *this);
  if (reading) {
    watches->reading.enable();
  } else {
    watches->reading.disable();
  }
  if (writing) {
    watches->writing.enable();
  } else {
    watches->writing.disable();
  }
}

void Resolver::process(ares_socket_t readable, ares_socket_t writable) {
  ares_process_fd(channel_.get(), readable, writable);
  arm_timer();
}

void Resolver::arm_timer() {
  timeval wait{};
  if (ares_timeout(channel_.get(), nullptr, &wait) == nullptr) {
    timer_.cancel();
    return;
  }
  timer_.start(Millis(wait.tv_sec * 1000 + wait.tv_usec / 1000 + 1));
}

}  // namespace tollgate::net
