// A worker: one thread, one event loop, and the client connections that its listener took. Workers share nothing that
// is written; they meet in the kernel, which spreads connections over their listeners (SO_REUSEPORT).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

#include "gateway/net/listener.h"
#include "gateway/relay/client_connection.h"
#include "gateway/relay/environment.h"

namespace tollgate::relay {

struct WorkerOptions {
  Shared shared;
  Descriptor listener;                                    // of the proxy port; none: the worker only has a loop
  record::RecordSink& sink;                               // this worker's alone; outlives it
  std::size_t connection_cap;                             // of all workers together
  std::shared_ptr<std::atomic<std::size_t>> connections;  // and how many there are
  std::vector<std::uint16_t> own_ports;
};

class Worker final : public ConnectionOwner {
 public:
  // Errors: io.
  static Result<std::unique_ptr<Worker>> create(WorkerOptions options);
  ~Worker() override;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void run();  // on the worker's thread, until drained

  // The rest: any thread.
  void reload(Shared shared);  // connections that begin from now on use it
  // Takes no more connections, lets those there are finish for `limit`, then ends them, and run() returns.
  void drain(Millis limit);
  const Counters& counters() const { return counters_; }

 private:
  Worker(WorkerOptions options, std::unique_ptr<net::Loop> loop, std::unique_ptr<net::Resolver> resolver);
  void accept(Descriptor socket, const SocketAddress& peer);
  bool make_room();
  void permit_named_addresses();
  void sweep();
  void begin_drain(Millis limit);
  void stop_if_empty();
  void for_each(const std::function<void(ClientConnection&)>& visit);
  void on_connection_gone(ClientConnection& connection) override;

  const std::size_t connection_cap_;
  const std::shared_ptr<std::atomic<std::size_t>> all_connections_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<net::Resolver> resolver_;
  IdSource ids_;
  Counters counters_;
  AddressGuard guard_;
  ExchangeLog exchanges_;
  Environment environment_;
  std::uint64_t next_serial_ = 1;
  std::unordered_map<std::uint64_t, std::unique_ptr<ClientConnection>> connections_;
  std::optional<MonoTime> drain_until_;
  std::optional<net::Listener> listener_;
  net::Timer sweep_timer_;
};

}  // namespace tollgate::relay
