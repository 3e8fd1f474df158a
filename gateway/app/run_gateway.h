// The parts of a running gateway and the order in which they start and stop:
//
//   state.dir lock ─▶ CA ─▶ trust, TLS contexts ─▶ listeners ─▶ journal ─▶ ingester ─▶ workers ─▶ admin ─▶ ready
//   SIGTERM: listeners close ─▶ workers drain ─▶ journal synced ─▶ ingester takes the rest ─▶ lock released
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "certs/authority.h"
#include "gateway/admin/admin_server.h"
#include "gateway/app/journal_sink.h"
#include "gateway/app/state_dir.h"
#include "gateway/config/config.h"
#include "gateway/relay/worker.h"
#include "gateway/store/ingester.h"

namespace tollgate::app {

class Gateway {
 public:
  using Reload = std::function<Result<config::Config>()>;

  // Everything up to the listeners. Errors: refused and io are the machine's, malformed the configuration's.
  static Result<std::unique_ptr<Gateway>> start(const config::Config& config, Reload reload);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  std::string ready_line() const;
  void run();  // until a signal ends it

 private:
  struct Listeners {
    std::vector<Descriptor> proxy;  // one a worker
    std::optional<SocketAddress> proxy_address;
    Descriptor admin;
    std::optional<SocketAddress> admin_address;
  };

  Gateway(config::Config config, Reload reload, StateDir state);

  static Result<Listeners> listen(const config::Config& config);
  Result<relay::Shared> make_shared_parts(const config::Config& config) const;
  Status start_workers(Listeners listeners);
  Status start_admin(Descriptor listener);
  void start_syncing();
  void stop();
  void reload();
  std::string metrics() const;
  admin::Answer health() const;

  config::Config config_;
  Reload reload_;
  StateDir state_;
  std::unique_ptr<net::Loop> loop_;  // signals and the admin side
  std::optional<SocketAddress> proxy_address_;
  std::shared_ptr<std::atomic<std::size_t>> connections_ = std::make_shared<std::atomic<std::size_t>>(0);
  std::vector<std::unique_ptr<JournalSink>> sinks_;  // one a worker
  std::unique_ptr<store::Ingester> ingester_;
  std::vector<std::unique_ptr<relay::Worker>> workers_;
  std::vector<std::thread> threads_;
  std::optional<admin::AdminServer> admin_;
  std::vector<std::unique_ptr<net::SignalWatch>> signals_;
  bool stopping_ = false;

  std::mutex sync_lock_;
  std::condition_variable sync_wake_;
  bool sync_stopping_ = false;  // guarded by sync_lock_
  std::thread sync_thread_;
};

}  // namespace tollgate::app
