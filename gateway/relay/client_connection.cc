#include "gateway/relay/client_connection.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cstring>
#include <utility>

#include "gateway/base/unreachable.h"
#include "gateway/record/redact.h"
#include "gateway/relay/answers.h"
#include "gateway/relay/h2_relay.h"
#include "gateway/relay/tunnel.h"
#include "gateway/tls/alert.h"

namespace tollgate::relay {
namespace {

// A client that has been told the end gets this long to take what was sent and to close, so that a reset does not
// overtake the last response (RFC 9112 §9.6).
constexpr Millis linger{3000};

bool may_be_connect(ByteView bytes) {
  constexpr std::string_view method = "CONNECT ";
  return method.substr(0, bytes.size()) == as_text(bytes).substr(0, method.size());
}

}  // namespace

std::string_view name(ClientConnection::Phase phase) {
  using Phase = ClientConnection::Phase;
  switch (phase) {
    case Phase::proxy_head: return "proxy_head";
    case Phase::resolving: return "resolving";
    case Phase::opening: return "opening";
    case Phase::dialling: return "dialling";
    case Phase::origin_handshake: return "origin_handshake";
    case Phase::replaying: return "replaying";
    case Phase::client_handshake: return "client_handshake";
    case Phase::inner_opening: return "inner_opening";
    case Phase::relaying: return "relaying";
    case Phase::closing: return "closing";
    case Phase::gone: return "gone";
  }
  unreachable_state();
}

ClientConnection::ClientConnection(Environment& environment, ConnectionOwner& owner, std::uint64_t serial,
                                   Descriptor socket, const SocketAddress& peer)
    : environment_(environment),
      owner_(owner),
      serial_(serial),
      log_(environment.sink, environment.ids, environment.counters, peer.ip.text(), "proxy"),
      client_(environment.loop, std::move(socket), *this),
      dialer_(environment),
      silence_(environment.loop, [this] { on_silent_client(); }) {
  environment_.counters.add(Counter::connections_accepted);
  enter(Phase::proxy_head, environment_.shared.config->limits_head);
  client_.start();
}

ClientConnection::~ClientConnection() = default;

void ClientConnection::enter(Phase phase, Millis deadline) {
  phase_ = phase;
  deadline_ = deadline.count() > 0 ? std::optional(mono_now() + deadline) : std::nullopt;
}

RelayContext ClientConnection::context() {
  return {environment_.loop, environment_.exchanges, log_, environment_.counters, *this};
}

std::size_t ClientConnection::on_plaintext(Endpoint& from, ByteView bytes) {
  if (phase_ == Phase::closing || phase_ == Phase::gone) return bytes.size();
  if (&from == origin_.get()) {
    if (phase_ == Phase::opening) open_plain(false, true);  // a server that speaks first
    return 0;                                               // kept for the relay
  }
  if (phase_ == Phase::proxy_head) return read_proxy_head(bytes);
  if (phase_ == Phase::opening) read_opening(bytes);
  if (phase_ == Phase::inner_opening) read_inner_opening(bytes);
  return 0;  // kept: a relay, or our own TLS, gets it from the first byte on
}

// --- proxy_head

std::size_t ClientConnection::read_proxy_head(ByteView bytes) {
  if (!may_be_connect(bytes)) {
    auto relay = std::make_unique<H1Relay>(context(), client_, static_cast<OriginProvider&>(*this));
    forward_ = relay.get();
    start_relay(std::move(relay));
    return 0;
  }
  http::H1RequestReader reader;
  auto step = reader.read(bytes);
  if (!step) {
    environment_.counters.add(Counter::requests_malformed);
    refuse_connect(step.error().kind == Error::Kind::too_large ? 431 : 400, reason::malformed, step.error().what);
    return bytes.size();
  }
  auto* request = std::get_if<http::H1RequestHead>(&step->event);
  if (request == nullptr) return 0;
  const std::size_t taken = step->consumed;
  on_connect(*request);
  return taken;
}

void ClientConnection::on_connect(http::H1RequestHead& request) {
  if (const auto agent = request.head.fields.find("user-agent")) {
    log_.facts().set_user_agent(record::recorded_user_agent(*agent));
  }
  auto authority = Authority::parse(request.head.target, 0);
  if (!authority || authority->port == 0) {
    environment_.counters.add(Counter::requests_malformed);
    refuse_connect(400, reason::malformed, authority ? "CONNECT to port 0" : authority.error().what);
    return;
  }
  target_ = std::move(*authority);
  log_.facts().set_host(target_->text());
  enter(Phase::resolving, environment_.shared.config->limits_upstream_connect);
  dialer_.resolve(*target_, [this](auto addresses) { on_connect_resolved(std::move(addresses)); });
}

void ClientConnection::on_connect_resolved(Result<std::vector<SocketAddress>> addresses) {
  if (!addresses) {
    const Error& error = addresses.error();
    if (error.kind == Error::Kind::refused) {
      refuse_connect(403, reason::destination_refused, error.what);
    } else {
      environment_.counters.add(Counter::upstream_unreachable);
      refuse_connect(error.kind == Error::Kind::not_found ? 502 : 504, reason::upstream_unreachable, error.what);
    }
    return;
  }
  addresses_ = std::move(*addresses);
  client_.write("HTTP/1.1 200 Connection established\r\n\r\n");
  enter(Phase::opening, environment_.shared.config->limits_client_hello);
  silence_.start(environment_.shared.config->limits_server_first);
  client_.offer_again();
}

void ClientConnection::refuse_connect(std::uint16_t status, std::string_view why, std::string_view what) {
  log_.decide(Treatment::failed, why);
  log_.error(what);
  client_.write(answer(status, what, "CONNECT"));
  close(EndKind::clean, EndKind::reset);
}

// --- opening

void ClientConnection::read_opening(ByteView bytes) {
  auto opening = recognise(bytes);
  // A hello under way has the whole of its deadline.
  if (tls::looks_like_tls(bytes)) silence_.cancel();
  if (auto* tls = std::get_if<OpeningTls>(&opening)) {
    open_tls(std::move(tls->hello));
  } else if (const auto* broken = std::get_if<OpeningBroken>(&opening)) {
    client_.write(tls::fatal_alert(tls::Alert::decode_error));
    fail_connection(reason::client_tls, broken->what, EndKind::clean);
  } else if (std::holds_alternative<OpeningHttp1>(opening)) {
    open_plain(false, false);
  } else if (std::holds_alternative<OpeningHttp2>(opening)) {
    open_plain(true, false);
  } else if (std::holds_alternative<OpeningOpaque>(opening)) {
    open_plain(false, true);
  }
}

// The client waits for the server to speak, or it has said too little to tell.
void ClientConnection::on_silent_client() {
  if (phase_ == Phase::opening && client_.inbox().empty()) {
    dial(Phase::opening);
  } else if (phase_ == Phase::opening) {
    open_plain(false, true);
  }
  if (phase_ == Phase::inner_opening) start_relay(std::make_unique<Tunnel>(context(), client_, *origin_));
}

void ClientConnection::open_plain(bool http2, bool opaque) {
  http2_ = http2;
  opaque_ = opaque;
  if (opaque) step_aside_ = reason::not_tls;
  dial(Phase::relaying);
}

// --- relaying

void ClientConnection::start_relay(std::unique_ptr<Relay> relay) {
  enter(Phase::relaying, Millis(0));
  silence_.cancel();
  relay_ = std::move(relay);
  client_.hand_over(*relay_);
  if (origin_) origin_->hand_over(*relay_);
  if (draining_) relay_->drain();
}

void ClientConnection::relay_http(std::string_view scheme, bool http2) {
  if (http2) {
    start_relay(std::make_unique<H2Relay>(context(), client_, *origin_, std::string(scheme), *target_));
  } else {
    start_relay(std::make_unique<H1Relay>(context(), client_, *origin_, std::string(scheme), *target_));
  }
}

void ClientConnection::dial_origin(const Authority& authority) {
  drop_origin(EndKind::clean);
  log_.facts().set_host(authority.text());
  dialer_.cancel();
  dialer_.resolve(authority, [this](Result<std::vector<SocketAddress>> addresses) {
    if (!addresses) {
      on_forward_failed(addresses.error());
      return;
    }
    dialer_.connect(std::move(*addresses), [this](Result<net::Connected> connected) {
      if (!connected) {
        on_forward_failed(connected.error());
        return;
      }
      log_.decide(Treatment::intercepted, reason::none);
      log_.facts().set_destination(connected->address.text());
      origin_ = std::make_unique<Endpoint>(environment_.loop, std::move(connected->socket), *relay_);
      origin_->start();
      forward_->origin_connected(*origin_);
    });
  });
}

void ClientConnection::on_forward_failed(const Error& error) {
  const bool refused = error.kind == Error::Kind::refused;
  if (!refused) environment_.counters.add(Counter::upstream_unreachable);
  log_.decide(Treatment::failed, refused ? reason::destination_refused : reason::upstream_unreachable);
  forward_->origin_failed(error);
}

void ClientConnection::drop_origin(EndKind how) {
  if (!origin_) return;
  up_before_ += origin_->wire_out();
  down_before_ += origin_->wire_in();
  origin_->finish(how);
  environment_.loop.retire(std::move(origin_));
}

void ClientConnection::on_relay_over(EndKind towards_client, EndKind towards_origin) {
  close(towards_client, towards_origin);
}

// --- ends

void ClientConnection::on_ended(Endpoint& from, EndKind how) {
  if (phase_ == Phase::gone) return;
  if (phase_ == Phase::closing) {
    finish_if_closed(false);
    return;
  }
  if (&from == &client_) {
    // Half-closed after a request in clear: the relay that comes next is told. Nothing of TLS begins like that.
    const bool may_wait = how == EndKind::clean && !client_.inbox().empty() && !hello_;
    if (may_wait && (phase_ == Phase::resolving || phase_ == Phase::opening || phase_ == Phase::dialling)) return;
    if (phase_ == Phase::client_handshake) environment_.counters.add(Counter::client_handshakes_failed);
    log_.decide(Treatment::failed, phase_ == Phase::client_handshake ? reason::client_tls : reason::client_closed);
    if (client_.wire_in() > 0) log_.error(fmt::format("the client left ({})", name(phase_)));
    close(how, EndKind::reset);
    return;
  }
  if (phase_ == Phase::origin_handshake) {
    origin_tls_failed();
    return;
  }
  // The origin left while the client was still being served its handshake.
  log_.error("the origin ended the connection before the client had finished its handshake");
  log_.decide(Treatment::failed, reason::upstream_tls);
  close(how, EndKind::clean);
}

void ClientConnection::fail_connection(std::string_view why, std::string_view what, EndKind towards_client) {
  log_.error(what);
  log_.decide(Treatment::failed, why);
  close(towards_client, EndKind::reset);
}

void ClientConnection::close(EndKind towards_client, EndKind towards_origin) {
  if (phase_ == Phase::closing || phase_ == Phase::gone) return;
  enter(Phase::closing, linger);
  silence_.cancel();
  dialer_.cancel();
  client_.hand_over(*this);
  client_.resume();
  if (relay_) environment_.loop.retire(std::move(relay_));
  forward_ = nullptr;
  if (origin_) {
    origin_->hand_over(*this);
    origin_->finish(towards_origin);
  }
  client_.finish(towards_client);
  finish_if_closed(false);
}

void ClientConnection::on_finished(Endpoint&) {
  if (phase_ == Phase::closing) finish_if_closed(false);
}

void ClientConnection::finish_if_closed(bool out_of_patience) {
  const bool client_done = client_.dead() || (client_.ended() && client_.flushed());
  const bool origin_done = !origin_ || origin_->dead() || origin_->flushed();
  if (!(client_done && origin_done) && !out_of_patience) return;
  phase_ = Phase::gone;
  deadline_.reset();
  const ByteCount up = up_before_ + (origin_ ? origin_->wire_out() : 0);
  const ByteCount down = down_before_ + (origin_ ? origin_->wire_in() : 0);
  log_.decide(Treatment::failed, reason::client_closed);
  log_.close(up, down);
  owner_.on_connection_gone(*this);
}

void ClientConnection::sweep(MonoTime now) {
  if (phase_ == Phase::gone) return;
  if (relay_) {
    const config::Config& config = *environment_.shared.config;
    if (const auto why = relay_->overdue(now, config.limits_head)) {
      environment_.counters.add(Counter::deadlines_missed);
      log_.error(*why);
      relay_->abort(*why);
      close(EndKind::clean, EndKind::clean);
      return;
    }
    if (now - log_.last_moved() > config.limits_idle) {
      relay_->abort("nothing moved for as long as limits.idle allows");
      close(EndKind::clean, EndKind::clean);
      return;
    }
    log_.part_if_due(up_before_ + (origin_ ? origin_->wire_out() : 0),
                     down_before_ + (origin_ ? origin_->wire_in() : 0), now);
  }
  if (!deadline_ || now < *deadline_) return;
  if (phase_ == Phase::closing) {
    // A slow reader keeps its time as long as it takes something.
    if (!client_.flushed() && client_.wire_out() != taken_at_last_look_) {
      taken_at_last_look_ = client_.wire_out();
      deadline_ = now + linger;
      return;
    }
    finish_if_closed(true);
    return;
  }
  environment_.counters.add(Counter::deadlines_missed);
  if (phase_ == Phase::proxy_head) {
    if (client_.wire_in() > 0) client_.write(answer(408, "the request head took too long", ""));
    fail_connection(reason::timeout, "the client did not finish its request in time", EndKind::clean);
  } else if (phase_ == Phase::resolving) {
    refuse_connect(504, reason::upstream_unreachable, "the name could not be resolved in time");
  } else if (phase_ == Phase::dialling || phase_ == Phase::origin_handshake || phase_ == Phase::replaying) {
    fail_connection(reason::upstream_unreachable, "the origin did not answer in time", EndKind::reset);
  } else {
    fail_connection(reason::timeout, fmt::format("the client took too long ({})", name(phase_)), EndKind::clean);
  }
}

void ClientConnection::drain() {
  draining_ = true;
  if (relay_) {
    relay_->drain();
  } else if (phase_ == Phase::proxy_head && client_.wire_in() == 0) {
    close(EndKind::clean, EndKind::clean);
  }
}

void ClientConnection::abort(std::string_view why) {
  if (phase_ == Phase::gone) return;
  if (relay_) relay_->abort(why);
  if (phase_ != Phase::closing) log_.error(why);
  close(EndKind::clean, EndKind::clean);
  finish_if_closed(true);
}

void ClientConnection::evict() {
  environment_.counters.add(Counter::connections_evicted);
  fail_connection(reason::evicted, "closed half-open to make room for others", EndKind::reset);
}

}  // namespace tollgate::relay
