// The part of a client connection's life in which TLS is opened: origin first, then the client.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/relay/client_connection.h"
#include "gateway/relay/tunnel.h"
#include "gateway/tls/alert.h"

namespace tollgate::relay {
namespace {

bool is_http(std::string_view alpn) { return alpn == "h2" || alpn == "http/1.1" || alpn == "http/1.0"; }

// The client did not take the certificate that we made for it.
bool distrusts_us(const tls::Failure& failure) {
  constexpr std::uint8_t bad_certificate = 42;
  constexpr std::uint8_t certificate_unknown = 46;
  constexpr std::uint8_t unknown_ca = 48;
  return failure.cause == tls::Failure::Cause::peer_alert &&
         (failure.alert == bad_certificate || failure.alert == certificate_unknown || failure.alert == unknown_ca);
}

}  // namespace

// Whose name is verified and whose leaf is shown: the server name, which is what the client will check; without one the
// host it asked for.
Host ClientConnection::tls_host() const { return hello_->server_name ? Host(*hello_->server_name) : target_->host; }

bool ClientConnection::offers_http() const { return std::any_of(hello_->alpn.begin(), hello_->alpn.end(), is_http); }

void ClientConnection::open_tls(tls::ClientHello hello) {
  log_.hello(hello);
  hello_ = std::move(hello);
  if (!hello_->alpn.empty() && !offers_http()) {
    // A protocol of its own (push couriers, VPNs): its bytes mean nothing to us.
    replay(reason::not_http);
    return;
  }
  dial(Phase::origin_handshake);
}

void ClientConnection::dial(Phase then) {
  enter(Phase::dialling, environment_.shared.config->limits_upstream_connect);
  silence_.cancel();
  if (origin_ && !origin_->ended()) {  // it was dialled to see whether it speaks first
    go_on_with_origin(then);
    return;
  }
  dialer_.connect(addresses_,
                  [this, then](Result<net::Connected> connected) { on_dialled(then, std::move(connected)); });
}

void ClientConnection::on_dialled(Phase then, Result<net::Connected> connected) {
  if (!connected) {
    environment_.counters.add(Counter::upstream_unreachable);
    fail_connection(reason::upstream_unreachable, connected.error().what, EndKind::reset);
    return;
  }
  log_.facts().set_destination(connected->address.text());
  addresses_ = {connected->address};  // whoever is dialled again is the same
  origin_ = std::make_unique<Endpoint>(environment_.loop, std::move(connected->socket), *this);
  origin_->start();
  go_on_with_origin(then);
}

void ClientConnection::go_on_with_origin(Phase then) {
  if (then == Phase::opening) {
    enter(Phase::opening, environment_.shared.config->limits_idle);
  } else if (then == Phase::origin_handshake) {
    start_origin_handshake();
  } else if (then == Phase::replaying || opaque_) {
    log_.decide(Treatment::passthrough, step_aside_);
    start_relay(std::make_unique<Tunnel>(context(), client_, *origin_));
  } else {
    log_.decide(Treatment::intercepted, reason::none);
    relay_http("http", http2_);
  }
}

void ClientConnection::start_origin_handshake() {
  enter(Phase::origin_handshake, environment_.shared.config->limits_upstream_connect);
  auto session = environment_.shared.origins->new_session(tls_host(), target_->port, hello_->alpn);
  if (!session) {
    fail_connection(reason::upstream_tls, session.error().what, EndKind::reset);
    return;
  }
  origin_->start_tls(std::make_unique<tls::Session>(std::move(*session)), {});
}

void ClientConnection::on_handshake(Endpoint& with, Result<tls::Progress> progress) {
  if (phase_ == Phase::origin_handshake && &with == origin_.get()) {
    on_origin_handshake(std::move(progress));
  } else if (phase_ == Phase::client_handshake && &with == &client_) {
    on_client_handshake(std::move(progress));
  }
}

void ClientConnection::on_origin_handshake(Result<tls::Progress> progress) {
  if (!progress) {
    origin_tls_failed();
    return;
  }
  switch (*progress) {
    case tls::Progress::want_bytes: return;
    case tls::Progress::wants_client_certificate:
      log_.error("the origin asks for a certificate that only the app can give");
      replay(reason::client_certificate);
      return;
    case tls::Progress::done: break;
  }
  const tls::Session& origin = *origin_->tls();
  log_.facts().set_tls_upstream(origin.version());
  if (origin.resumed()) environment_.counters.add(Counter::upstream_sessions_resumed);
  start_client_handshake();
}

void ClientConnection::origin_tls_failed() {
  environment_.counters.add(Counter::upstream_handshakes_failed);
  const tls::Failure* failure = origin_->tls()->failure();
  const bool certificate = failure != nullptr && failure->cause == tls::Failure::Cause::certificate;
  log_.error(failure != nullptr ? failure->what : "the origin did not finish its TLS handshake");
  if (certificate) environment_.counters.add(Counter::upstream_certificates_bad);
  if (certificate && environment_.shared.config->upstream_bad_certificate == config::BadCertificate::refuse) {
    client_.write(tls::fatal_alert(tls::Alert::handshake_failure));
    fail_connection(reason::upstream_certificate, "", EndKind::clean);
    return;
  }
  replay(certificate ? reason::upstream_certificate : reason::upstream_tls);
}

// Steps aside: a new connection to the same address gets the ClientHello as the client made it.
void ClientConnection::replay(std::string_view why) {
  step_aside_ = why;
  drop_origin(EndKind::clean);
  dial(Phase::replaying);
}

void ClientConnection::start_client_handshake() {
  enter(Phase::client_handshake, environment_.shared.config->limits_client_hello);
  const std::string alpn = origin_->tls()->alpn();
  const Host host = tls_host();
  const auto leaf = environment_.shared.mint->leaf_for(host, wall_now());
  if (!leaf) {
    fail_connection(reason::client_tls, leaf.error().what, EndKind::reset);
    return;
  }
  auto session = environment_.shared.clients->new_session(**leaf, alpn, log_.device(), host.text());
  if (!session) {
    fail_connection(reason::client_tls, session.error().what, EndKind::reset);
    return;
  }
  const Bytes hello = client_.take_inbox();
  client_.start_tls(std::make_unique<tls::Session>(std::move(*session)), hello);
}

void ClientConnection::on_client_handshake(Result<tls::Progress> progress) {
  if (!progress) {
    environment_.counters.add(Counter::client_handshakes_failed);
    const tls::Failure* failure = client_.tls()->failure();
    const bool distrusted = failure != nullptr && distrusts_us(*failure);
    fail_connection(distrusted ? reason::untrusted_ca : reason::client_tls,
                    failure != nullptr ? failure->what : progress.error().what, EndKind::clean);
    return;
  }
  if (*progress != tls::Progress::done) return;
  const tls::Session& client = *client_.tls();
  log_.facts().set_tls_client(client.version());
  if (client.resumed()) environment_.counters.add(Counter::client_sessions_resumed);
  log_.decide(Treatment::intercepted, reason::none);
  const std::string alpn = origin_->tls()->alpn();
  if (alpn.empty()) {
    enter(Phase::inner_opening, environment_.shared.config->limits_idle);
    silence_.start(environment_.shared.config->limits_server_first);
    return;
  }
  if (is_http(alpn)) {
    relay_http("https", alpn == "h2");
  } else {
    start_relay(std::make_unique<Tunnel>(context(), client_, *origin_));
  }
}

// TLS without ALPN: HTTP/1.1 mostly, but also mail, chat and queues, some of whose servers speak first.
void ClientConnection::read_inner_opening(ByteView bytes) {
  const auto opening = recognise(bytes);
  if (std::holds_alternative<OpeningUnclear>(opening)) return;
  if (std::holds_alternative<OpeningHttp1>(opening)) {
    relay_http("https", false);
  } else if (std::holds_alternative<OpeningHttp2>(opening)) {
    relay_http("https", true);
  } else {
    start_relay(std::make_unique<Tunnel>(context(), client_, *origin_));
  }
}

}  // namespace tollgate::relay
