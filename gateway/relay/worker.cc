#include "gateway/relay/worker.h"

#include <algorithm>
#include <utility>

#include "gateway/net/socket.h"

namespace tollgate::relay {
namespace {

// How late a deadline may be noticed.
constexpr Millis sweep_interval{250};

}  // namespace

Result<std::unique_ptr<Worker>> Worker::create(WorkerOptions options) {
  auto loop = net::Loop::create();
  if (!loop) return fail(loop);
  auto resolver = net::Resolver::create(**loop, options.shared.config->upstream_dns);
  if (!resolver) return fail(resolver);
  return std::unique_ptr<Worker>(new Worker(std::move(options), std::move(*loop), std::move(*resolver)));
}

Worker::Worker(WorkerOptions options, std::unique_ptr<net::Loop> loop, std::unique_ptr<net::Resolver> resolver)
    : connection_cap_(options.connection_cap),
      all_connections_(std::move(options.connections)),
      loop_(std::move(loop)),
      resolver_(std::move(resolver)),
      guard_(&net::interface_addresses),
      exchanges_(options.sink, ids_, counters_),
      environment_{*loop_, std::move(options.shared), *resolver_, options.sink, ids_, counters_, guard_, exchanges_},
      sweep_timer_(*loop_, [this] { sweep(); }) {
  for (const std::uint16_t port : options.own_ports) guard_.add_own_port(port);
  permit_named_addresses();
  loop_->on_commit([&sink = options.sink] { sink.commit(); });
  if (options.listener) {
    listener_.emplace(
        *loop_, std::move(options.listener),
        net::Listener::Callbacks{[this](Descriptor socket, SocketAddress peer) { accept(std::move(socket), peer); },
                                 [this] { counters_.add(Counter::connections_turned_away); }});
  }
  sweep_timer_.start(sweep_interval);
}

Worker::~Worker() = default;

void Worker::run() { loop_->run(); }

void Worker::accept(Descriptor socket, const SocketAddress& peer) {
  if (all_connections_->fetch_add(1, std::memory_order_relaxed) >= connection_cap_ && !make_room()) {
    all_connections_->fetch_sub(1, std::memory_order_relaxed);
    counters_.add(Counter::connections_turned_away);
    net::reset_and_close(std::move(socket));
    return;
  }
  const std::uint64_t serial = next_serial_++;
  connections_.emplace(serial,
                       std::make_unique<ClientConnection>(environment_, *this, serial, std::move(socket), peer));
}

// A crowd of half-open connections does not keep others out: the oldest of this worker's gives way.
bool Worker::make_room() {
  ClientConnection* oldest = nullptr;
  for (const auto& [serial, connection] : connections_) {
    if (connection->half_open() && (oldest == nullptr || serial < oldest->serial())) oldest = connection.get();
  }
  if (oldest == nullptr) return false;
  oldest->evict();
  return true;
}

void Worker::on_connection_gone(ClientConnection& connection) {
  const auto found = connections_.find(connection.serial());
  if (found == connections_.end()) return;
  loop_->retire(std::move(found->second));
  connections_.erase(found);
  all_connections_->fetch_sub(1, std::memory_order_relaxed);
  stop_if_empty();
}

// Connections may leave while they are visited.
void Worker::for_each(const std::function<void(ClientConnection&)>& visit) {
  std::vector<std::uint64_t> serials;
  serials.reserve(connections_.size());
  for (const auto& [serial, connection] : connections_) serials.push_back(serial);
  for (const std::uint64_t serial : serials) {
    if (const auto found = connections_.find(serial); found != connections_.end()) visit(*found->second);
  }
}

void Worker::sweep() {
  const MonoTime now = mono_now();
  exchanges_.announce_long_ones(now);
  for_each([now](ClientConnection& connection) { connection.sweep(now); });
  if (drain_until_ && now >= *drain_until_) {
    for_each([](ClientConnection& connection) { connection.abort("the gateway stopped"); });
  }
  sweep_timer_.start(sweep_interval);
}

void Worker::reload(Shared shared) {
  loop_->post([this, shared = std::move(shared)] {
    environment_.shared = shared;
    permit_named_addresses();
  });
}

void Worker::permit_named_addresses() {
  std::vector<IpAddress> named;
  for (const config::FixedAnswer& answer : environment_.shared.config->upstream_resolve)
    named.push_back(answer.address);
  guard_.permit(std::move(named));
}

void Worker::drain(Millis limit) {
  loop_->post([this, limit] { begin_drain(limit); });
}

void Worker::begin_drain(Millis limit) {
  if (listener_) listener_->close();
  drain_until_ = mono_now() + limit;
  for_each([](ClientConnection& connection) { connection.drain(); });
  stop_if_empty();
}

void Worker::stop_if_empty() {
  if (drain_until_ && connections_.empty()) loop_->stop();
}

}  // namespace tollgate::relay
