// A relay between two real sockets in clear, with a host that closes as a client connection does, and a sink that keeps
// the records.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/relay/h1_relay.h"
#include "gateway/relay/relay.h"
#include "tests/net/running_loop.h"

namespace tollgate::relay::test {

using net::test::End;
using net::test::Peer;
using net::test::tcp_pair;
using net::test::TcpPair;

struct VectorSink final : record::RecordSink {
  void append(const proto::Record& record) override { records.push_back(record); }
  void commit() override {}
  std::vector<proto::Record> records;
};

struct Ends {
  EndKind towards_client;
  EndKind towards_origin;
};

// Members are touched on the loop's thread only; a test asks through exchanges(), count() and on_loop().
class World : public RelayHost, public OriginProvider, public EndpointHandler {
 public:
  explicit World(int buffers = 0) : World(tcp_pair(buffers), buffers) {}
  ~World() override { running_.stop(); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Peer client;
  std::deque<Peer> origins;  // far ends, in the order in which they are dialled

  // Makes the relay between the client and the first origin: make(context, client, origin).
  template <class Make>
  void relay(Make make) {
    running_.run([&] {
      origin_ = std::make_unique<Endpoint>(running_.loop(), next_origin(), *this);
      begin(make(context(), *client_, *origin_));
    });
  }
  void relay_http1() {
    relay([](RelayContext context, Endpoint& near_client, Endpoint& near_origin) {
      return std::make_unique<H1Relay>(context, near_client, near_origin, "http",
                                       Authority::parse("a.test", 80).value());
    });
  }
  // A forward proxy, which dials for itself.
  void relay_forward() {
    running_.run([&] {
      auto relay = std::make_unique<H1Relay>(context(), *client_, static_cast<OriginProvider&>(*this));
      forward_ = relay.get();
      begin(std::move(relay));
    });
  }
  std::optional<Error> dial_error;  // set before a request: what dialling comes to

  void settle() { running_.settle(); }
  template <class Task>
  auto on_loop(Task task) {
    return running_.run(std::move(task));
  }
  Relay& relay_on_loop() { return *relay_; }

  std::vector<proto::Exchange> exchanges() {
    return running_.run([this] {
      std::vector<proto::Exchange> found;
      for (const proto::Record& record : sink_.records) {
        if (record.has_exchange()) found.push_back(record.exchange());
      }
      return found;
    });
  }
  std::uint64_t count(Counter counter) const { return counters_.get(counter); }
  std::optional<Ends> over() {
    return running_.run([this] { return over_; });
  }
  std::vector<std::string> dialled() {
    return running_.run([this] { return dialled_; });
  }
  std::string connection_error() {
    return running_.run([this] { return connection_.facts().error(); });
  }

 private:
  World(TcpPair pair, int buffers) : client(std::move(pair.far)), exchange_log_(sink_, ids_, counters_) {
    client_ = running_.run([&] { return std::make_unique<Endpoint>(running_.loop(), std::move(pair.near), *this); });
    for (int i = 0; i < 3; ++i) {
      TcpPair origin = tcp_pair(buffers);
      near_origins_.push_back(std::move(origin.near));
      origins.emplace_back(std::move(origin.far));
    }
  }
  RelayContext context() { return {running_.loop(), exchange_log_, connection_, counters_, *this}; }
  void begin(std::unique_ptr<Relay> relay) {
    relay_ = std::move(relay);
    client_->hand_over(*relay_);
    client_->start();
    if (origin_) {
      origin_->hand_over(*relay_);
      origin_->start();
    }
  }
  Descriptor next_origin() {
    Descriptor socket = std::move(near_origins_.front());
    near_origins_.pop_front();
    return socket;
  }

  void dial_origin(const Authority& authority) override {
    dialled_.push_back(authority.text());
    if (origin_) {
      origin_->finish(EndKind::clean);
      running_.loop().retire(std::move(origin_));
    }
    running_.loop().post([this] {
      if (!relay_) return;
      if (dial_error) {
        forward_->origin_failed(*dial_error);
        return;
      }
      origin_ = std::make_unique<Endpoint>(running_.loop(), next_origin(), *relay_);
      origin_->start();
      forward_->origin_connected(*origin_);
    });
  }
  void on_relay_over(EndKind towards_client, EndKind towards_origin) override {
    over_ = Ends{towards_client, towards_origin};
    client_->hand_over(*this);
    client_->resume();
    running_.loop().retire(std::move(relay_));
    forward_ = nullptr;
    if (origin_) {
      origin_->hand_over(*this);
      origin_->finish(towards_origin);
    }
    client_->finish(towards_client);
  }
  // Before there is a relay nothing is taken; after it everything is dropped.
  std::size_t on_plaintext(Endpoint&, ByteView bytes) override { return over_ ? bytes.size() : 0; }
  void on_ended(Endpoint&, EndKind) override {}
  void on_drained(Endpoint&) override {}
  void on_handshake(Endpoint&, Result<tls::Progress>) override {}

  VectorSink sink_;
  IdSource ids_;
  Counters counters_;
  ExchangeLog exchange_log_;
  ConnectionLog connection_{sink_, ids_, counters_, "phone", "proxy"};
  std::vector<std::string> dialled_;
  std::optional<Ends> over_;
  net::test::RunningLoop running_;
  std::deque<Descriptor> near_origins_;
  std::unique_ptr<Endpoint> client_;
  std::unique_ptr<Endpoint> origin_;
  std::unique_ptr<Relay> relay_;
  H1Relay* forward_ = nullptr;
};

}  // namespace tollgate::relay::test
