#include "gateway/app/run_gateway.h"

#include <fmt/format.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <utility>

#include "certs/trust.h"
#include "gateway/app/ca_command.h"
#include "gateway/app/run.h"
#include "gateway/base/id.h"
#include "gateway/net/socket.h"
#include "gateway/store/log_reader.h"

namespace tollgate::app {
namespace {

constexpr std::size_t leaves_remembered = 10'000;
constexpr Millis sync_interval{1000};
// What the process needs besides client connections: listeners, journal, store, epoll, standard streams.
constexpr std::size_t descriptors_for_us = 128;
// Two sockets a connection, and a third for the moment in which an origin is dialled again.
constexpr std::size_t descriptors_a_connection = 3;
constexpr std::size_t fewest_connections = 16;

// Nothing of what phones say may end in a core file, and no file of ours is for others.
void harden_process() {
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  umask(077);
  std::signal(SIGPIPE, SIG_IGN);  // NOLINT(cert-err33-c): cannot fail for SIGPIPE
  std::signal(SIGXFSZ, SIG_IGN);  // a file size limit is an error of write(2), like a full disk
}

std::size_t connection_cap(const config::Config& config) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  getrlimit(RLIMIT_NOFILE, &files);
  const std::size_t room = files.rlim_cur > descriptors_for_us
                               ? (files.rlim_cur - descriptors_for_us) / descriptors_a_connection
                               : fewest_connections;
  if (config.limits_connections == 0) return std::max(room, fewest_connections);
  if (config.limits_connections > room) {
    spdlog::warn("limits.connections = {}, but the descriptor limit has room for {}: raise `ulimit -n`",
                 config.limits_connections, room);
  }
  return std::min<std::size_t>(config.limits_connections, room);
}

std::string text_or_off(const std::optional<SocketAddress>& address) { return address ? address->text() : "off"; }

// Signals are for the main loop: a worker's epoll need not be interrupted.
std::thread start_worker_thread(relay::Worker& worker) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  std::thread thread([&worker] { worker.run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

Gateway::Gateway(config::Config config, Reload reload, StateDir state)
    : config_(std::move(config)), reload_(std::move(reload)), state_(std::move(state)) {}

Gateway::~Gateway() { stop(); }

Result<std::unique_ptr<Gateway>> Gateway::start(const config::Config& config, Reload reload) {
  auto state = StateDir::open(config.state_dir);
  if (!state) return fail(state);
  std::unique_ptr<Gateway> gateway(new Gateway(config, std::move(reload), std::move(*state)));
  auto loop = net::Loop::create();
  if (!loop) return fail(loop);
  gateway->loop_ = std::move(*loop);
  auto listeners = listen(config);
  if (!listeners) return fail(listeners);
  gateway->proxy_address_ = listeners->proxy_address;
  Descriptor admin_listener = std::move(listeners->admin);
  if (auto workers = gateway->start_workers(std::move(*listeners)); !workers) return fail(workers);
  if (admin_listener) {
    if (auto admin = gateway->start_admin(std::move(admin_listener)); !admin) return fail(admin);
  }
  gateway->start_syncing();
  return gateway;
}

Result<Gateway::Listeners> Gateway::listen(const config::Config& config) {
  Listeners listeners;
  if (config.listen_proxy) {
    SocketAddress address = *config.listen_proxy;
    if (const auto free = net::check_free(address); !free) return fail(free);
    for (std::uint32_t i = 0; i < config::worker_count(config); ++i) {
      auto socket = net::listen_on(address, net::Share::yes);
      if (!socket) return fail(socket);
      address = net::local_address(socket->get());  // port 0 is chosen once
      listeners.proxy.push_back(std::move(*socket));
    }
    listeners.proxy_address = address;
  }
  if (config.listen_admin) {
    auto socket = net::listen_on(*config.listen_admin, net::Share::no);
    if (!socket) return fail(socket);
    listeners.admin_address = net::local_address(socket->get());
    listeners.admin = std::move(*socket);
  }
  return listeners;
}

Result<relay::Shared> Gateway::make_shared_parts(const config::Config& config) const {
  const auto passphrase = read_passphrase(config);
  if (!passphrase) return fail(passphrase);
  auto authority = certs::Authority::open_or_create(authority_dir(config), *passphrase);
  if (!authority) return fail(authority);
  auto mint = certs::LeafMint::create(*authority, leaves_remembered);
  if (!mint) return fail(mint);
  auto trust =
      config.upstream_ca_file.empty() ? certs::Trust::system() : certs::Trust::from_file(config.upstream_ca_file);
  if (!trust) return fail(trust);
  auto origins = tls::ClientContext::create(*trust);
  if (!origins) return fail(origins);
  auto clients = tls::ServerContext::create();
  if (!clients) return fail(clients);
  return relay::Shared{std::make_shared<const config::Config>(config), std::move(*mint), std::move(*origins),
                       std::move(*clients)};
}

Status Gateway::start_workers(Listeners listeners) {
  auto shared = make_shared_parts(config_);
  if (!shared) return fail(shared);
  std::vector<std::uint16_t> own_ports;
  if (listeners.proxy_address) own_ports.push_back(listeners.proxy_address->port);
  if (listeners.admin_address) own_ports.push_back(listeners.admin_address->port);

  const std::string run = IdSource().next(wall_now());
  const std::size_t count = config::worker_count(config_);
  const std::size_t cap = connection_cap(config_);
  for (std::size_t i = 0; i < count; ++i) {
    auto writer = journal::Writer::open(
        {.dir = config_.state_dir / "journal", .run = run, .worker = static_cast<std::uint16_t>(i)});
    if (!writer) return fail(writer);
    sinks_.push_back(std::make_unique<JournalSink>(std::move(*writer)));
    auto worker =
        relay::Worker::create({*shared, i < listeners.proxy.size() ? std::move(listeners.proxy[i]) : Descriptor(),
                               *sinks_.back(), cap, connections_, own_ports});
    if (!worker) return fail(worker);
    workers_.push_back(std::move(*worker));
  }
  auto ingester = store::Ingester::start({.state_dir = config_.state_dir,
                                          .retention_age = config_.log_retention_age,
                                          .retention_size = config_.log_retention_size});
  if (!ingester) return fail(ingester);
  ingester_ = std::move(*ingester);
  for (const auto& worker : workers_) threads_.push_back(start_worker_thread(*worker));
  return {};
}

Status Gateway::start_admin(Descriptor listener) {
  auto token = admin::open_token((config_.state_dir / "admin.token").string());
  if (!token) return fail(token);
  const auto metrics_answer = [this] {
    return admin::Answer{.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics()};
  };
  admin_.emplace(
      *loop_, std::move(listener), std::move(*token),
      std::vector<admin::Route>{{"/healthz", false, [this] { return health(); }}, {"/metrics", true, metrics_answer}});
  return {};
}

// fdatasync takes as long as the disk does, so it has a thread. What a power cut may take is what was written since.
void Gateway::start_syncing() {
  sync_thread_ = std::thread([this] {
    std::unique_lock lock(sync_lock_);
    while (!sync_stopping_) {
      sync_wake_.wait_for(lock, sync_interval, [this] { return sync_stopping_; });
      for (const auto& sink : sinks_) sink->sync();
    }
  });
}

std::string Gateway::ready_line() const {
  return fmt::format("ready proxy={} transparent=off dns=off admin={}", text_or_off(proxy_address_),
                     admin_ ? admin_->address().text() : "off");
}

void Gateway::run() {
  const auto on = [this](int signal, auto action) {
    signals_.push_back(std::make_unique<net::SignalWatch>(*loop_, signal, std::move(action)));
  };
  const auto end = [this] {
    // The first lets connections finish; another is impatient.
    const Millis patience = std::exchange(stopping_, true) ? Millis(0) : Millis(config_.drain);
    for (const auto& worker : workers_) worker->drain(patience);
    loop_->stop();
  };
  on(SIGTERM, end);
  on(SIGINT, end);
  on(SIGHUP, [this] { reload(); });
  loop_->run();
  signals_.clear();
  // While the workers drain, the admin side is silent; a second signal ends the process the usual way.
  std::signal(SIGTERM, SIG_DFL);  // NOLINT(cert-err33-c)
  std::signal(SIGINT, SIG_DFL);   // NOLINT(cert-err33-c)
  stop();
}

void Gateway::stop() {
  const bool draining = std::exchange(stopping_, true);
  for (const auto& worker : workers_) {
    if (!draining) worker->drain(Millis(0));
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  if (sync_thread_.joinable()) {
    {
      const std::lock_guard guard(sync_lock_);
      sync_stopping_ = true;
    }
    sync_wake_.notify_one();
    sync_thread_.join();
  }
  admin_.reset();
  workers_.clear();
  sinks_.clear();
  if (ingester_) ingester_->stop();
  ingester_.reset();
}

void Gateway::reload() {
  auto config = reload_();
  if (!config) {
    spdlog::error("the configuration was not reloaded, the former one stays: {}", config.error().what);
    return;
  }
  auto shared = make_shared_parts(*config);
  if (!shared) {
    spdlog::error("the configuration was not reloaded, the former one stays: {}", shared.error().what);
    return;
  }
  if (config->listen_proxy != config_.listen_proxy || config->listen_admin != config_.listen_admin ||
      config->state_dir != config_.state_dir || config::worker_count(*config) != config::worker_count(config_)) {
    spdlog::warn("listen.*, state.dir and workers change with a restart only");
  }
  ingester_->set_retention(config->log_retention_age, config->log_retention_size);
  for (const auto& worker : workers_) worker->reload(*shared);
  config_ = std::move(*config);
  spdlog::info("configuration reloaded");
}

std::string Gateway::metrics() const {
  using admin::append_metric;
  using admin::MetricType;
  std::string out;
  for (const CounterEntry& entry : counter_table) {
    std::uint64_t sum = 0;
    for (const auto& worker : workers_) sum += worker->counters().get(entry.counter);
    append_metric(out, fmt::format("tollgate_{}_total", entry.name), entry.help, MetricType::counter,
                  static_cast<double>(sum));
  }
  journal::Health journal;
  std::size_t failing = 0;
  for (const auto& sink : sinks_) {
    const journal::Health one = sink->health();
    journal.pending_bytes += one.pending_bytes;
    journal.lost_records += one.lost_records;
    journal.written_records += one.written_records;
    failing += one.failing_since ? 1 : 0;
  }
  const store::IngesterHealth store = ingester_->health();
  const auto gauge = [&out](std::string_view name, std::string_view help, auto value) {
    append_metric(out, name, help, MetricType::gauge, static_cast<double>(value));
  };
  const auto counter = [&out](std::string_view name, std::string_view help, auto value) {
    append_metric(out, name, help, MetricType::counter, static_cast<double>(value));
  };
  gauge("tollgate_connections_open", "client connections now", connections_->load());
  counter("tollgate_journal_records_total", "records written to the journal", journal.written_records);
  counter("tollgate_journal_lost_records_total", "records that could not be kept", journal.lost_records);
  gauge("tollgate_journal_pending_bytes", "records that wait in memory for the disk", journal.pending_bytes);
  gauge("tollgate_journal_failing", "workers whose journal cannot be written", failing);
  counter("tollgate_store_records_total", "records taken into the store", store.records);
  counter("tollgate_store_damaged_total", "journal entries skipped as damaged", store.damaged);
  counter("tollgate_store_failures_total", "store transactions that failed", store.failures);
  counter("tollgate_store_expired_total", "records removed by retention", store.expired);
  gauge("tollgate_store_lag_bytes", "journal not yet in the store", store.lag);
  gauge("tollgate_store_bytes", "the database", store.database_bytes);
  gauge("tollgate_journal_bytes", "journal segments", store.journal_bytes);
  return out;
}

admin::Answer Gateway::health() const {
  std::string wrong;
  for (const auto& sink : sinks_) {
    if (const journal::Health one = sink->health(); one.failing_since) wrong = "journal: " + one.last_error;
  }
  const store::IngesterHealth store = ingester_->health();
  if (store.state == store::IngesterHealth::State::waiting) wrong += (wrong.empty() ? "" : "; ") + store.problem;
  if (wrong.empty()) return {.body = "ok\n"};
  return {.status = 503, .body = wrong + "\n"};
}

int run_gateway(const config::Config& config, std::function<Result<config::Config>()> reload) {
  harden_process();
  auto gateway = Gateway::start(config, std::move(reload));
  if (!gateway) {
    const Error& error = gateway.error();
    std::cerr << "tollgate: " << error.what << '\n';
    const bool settings = error.kind == Error::Kind::malformed || error.kind == Error::Kind::not_found;
    return settings ? 2 : 3;
  }
  std::cout << (*gateway)->ready_line() << std::endl;
  (*gateway)->run();
  return 0;
}

}  // namespace tollgate::app
