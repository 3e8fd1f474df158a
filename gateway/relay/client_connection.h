// The life of one client connection to the proxy port, from its first byte to its record.
//
//   proxy_head ──CONNECT──▶ resolving ──200──▶ opening ──TLS──▶ dialling ─▶ origin_handshake ─▶ client_handshake ─┐
//       │                                         │                │              │ bad certificate, wants the     │
//       │ absolute-form                           │ HTTP, other    │              ▼ client's, or no TLS of ours    │
//       │                                         ▼                │           replaying (dial again, untouched)   │
//       └────────────────────────────────▶   relaying  ◀───────────┴──────────────┴───────────────────────────────┘
//                                                │
//                                             closing ──flushed, and the client is gone or has had its time──▶ gone
//
// A client that is silent in `opening` may wait for a server that speaks first: the origin is dialled, and whoever
// speaks first decides. A server: what follows is tunnelled. The client: it is read as if it had not hesitated.
//
// The order is: decide, then the origin, then the client. So what is blocked is never dialled, the client is offered
// the protocol that the origin speaks, and a certificate of ours is shown only for an origin whose own has been
// verified.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "gateway/relay/endpoint.h"
#include "gateway/relay/environment.h"
#include "gateway/relay/h1_relay.h"
#include "gateway/relay/opening.h"
#include "gateway/relay/origin_dialer.h"
#include "gateway/relay/relay.h"

namespace tollgate::relay {

class ClientConnection;

// Whoever owns client connections.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  // The connection has written its record: let go of it (retire it, it may be in a callback).
  virtual void on_connection_gone(ClientConnection& connection) = 0;
};

class ClientConnection final : public net::Retirable, public EndpointHandler, public RelayHost, public OriginProvider {
 public:
  enum class Phase : std::uint8_t {
    proxy_head,
    resolving,
    opening,
    dialling,
    origin_handshake,
    replaying,
    client_handshake,
    inner_opening,  // TLS without ALPN is open: what is inside?
    relaying,
    closing,
    gone,
  };

  ClientConnection(Environment& environment, ConnectionOwner& owner, std::uint64_t serial, Descriptor socket,
                   const SocketAddress& peer);
  ~ClientConnection() override;

  std::uint64_t serial() const { return serial_; }
  Phase phase() const { return phase_; }
  // Nothing has been relayed on it yet: may be evicted when room is needed.
  bool half_open() const { return phase_ <= Phase::inner_opening; }

  void sweep(MonoTime now);          // deadlines; called a few times a second
  void drain();                      // finish what is under way, then close
  void abort(std::string_view why);  // now; the record says why
  void evict();

 private:
  // EndpointHandler, until there is a relay and again when it is over
  std::size_t on_plaintext(Endpoint& from, ByteView bytes) override;
  void on_ended(Endpoint& from, EndKind how) override;
  void on_drained(Endpoint&) override {}
  void on_finished(Endpoint& endpoint) override;
  void on_handshake(Endpoint& with, Result<tls::Progress> progress) override;
  // RelayHost, OriginProvider
  void on_relay_over(EndKind towards_client, EndKind towards_origin) override;
  void dial_origin(const Authority& authority) override;

  void enter(Phase phase, Millis deadline);
  RelayContext context();

  // proxy_head
  std::size_t read_proxy_head(ByteView bytes);
  void on_connect(http::H1RequestHead& request);
  void on_connect_resolved(Result<std::vector<SocketAddress>> addresses);
  void refuse_connect(std::uint16_t status, std::string_view why, std::string_view what);
  // opening
  void read_opening(ByteView bytes);
  void open_tls(tls::ClientHello hello);
  void open_plain(bool http2, bool opaque);
  void on_silent_client();
  // interception (client_connection_tls.cc)
  void dial(Phase then);
  void on_dialled(Phase then, Result<net::Connected> connected);
  void go_on_with_origin(Phase then);
  void start_origin_handshake();
  void on_origin_handshake(Result<tls::Progress> progress);
  void origin_tls_failed();
  void replay(std::string_view why);
  void start_client_handshake();
  void on_client_handshake(Result<tls::Progress> progress);
  void read_inner_opening(ByteView bytes);
  bool offers_http() const;
  Host tls_host() const;

  void start_relay(std::unique_ptr<Relay> relay);
  void relay_http(std::string_view scheme, bool http2);
  void on_forward_failed(const Error& error);
  void fail_connection(std::string_view why, std::string_view what, EndKind towards_client);
  void close(EndKind towards_client, EndKind towards_origin);
  void finish_if_closed(bool out_of_patience);
  void drop_origin(EndKind how);

  Environment& environment_;
  ConnectionOwner& owner_;
  const std::uint64_t serial_;
  Phase phase_ = Phase::proxy_head;
  std::optional<MonoTime> deadline_;
  ConnectionLog log_;
  std::optional<Authority> target_;       // of the CONNECT
  std::vector<SocketAddress> addresses_;  // of target_, those that may be reached
  std::optional<tls::ClientHello> hello_;
  bool opaque_ = false;          // what is dialled is only tunnelled
  bool http2_ = false;           // cleartext HTTP/2 with prior knowledge
  std::string_view step_aside_;  // why it is passed through, once the origin is reached
  bool draining_ = false;
  ByteCount taken_at_last_look_ = 0;  // closing: what a slow client had taken
  ByteCount up_before_ = 0;           // of origin connections that are closed already
  ByteCount down_before_ = 0;

  Endpoint client_;
  std::unique_ptr<Endpoint> origin_;
  std::unique_ptr<Relay> relay_;
  H1Relay* forward_ = nullptr;  // relay_, when it is a forward proxy's
  OriginDialer dialer_;
  net::Timer silence_;
};

std::string_view name(ClientConnection::Phase phase);

}  // namespace tollgate::relay
