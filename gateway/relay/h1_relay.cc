#include "gateway/relay/h1_relay.h"

#include <fmt/format.h>

#include <utility>

#include "gateway/http/h1_writer.h"
#include "gateway/relay/answers.h"

namespace tollgate::relay {
namespace {

std::string_view version_text(std::uint8_t minor) { return minor == 0 ? "1.0" : "1.1"; }

bool has_content(const http::Framing& framing) { return !std::holds_alternative<http::NoContent>(framing); }

// RFC 9110 §9.2.2
bool is_idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "TRACE" || method == "PUT" ||
         method == "DELETE";
}

}  // namespace

H1Relay::H1Relay(RelayContext context, Endpoint& client, Endpoint& origin, std::string scheme, Authority authority)
    : context_(context),
      client_(client),
      origin_(&origin),
      scheme_(std::move(scheme)),
      authority_(std::move(authority)) {}

H1Relay::H1Relay(RelayContext context, Endpoint& client, OriginProvider& origins)
    : context_(context), client_(client), origins_(&origins), scheme_("http") {}

std::size_t H1Relay::on_plaintext(Endpoint& from, ByteView bytes) {
  if (over_) return bytes.size();
  const bool up = &from == &client_;
  // A forward proxy's former origin may still speak in the turn in which it was let go of.
  if (!up && &from != origin_) return bytes.size();
  if (response_ == ResponseState::upgraded) {
    upgraded_bytes(up, bytes);
    context_.connection.moved(up ? bytes.size() : 0, up ? 0 : bytes.size(), mono_now());
    return bytes.size();
  }
  const std::size_t taken = up ? read_requests(bytes) : read_responses(bytes);
  if (taken > 0) context_.connection.moved(up ? taken : 0, up ? 0 : taken, mono_now());
  return taken;
}

// --- the request side

bool H1Relay::may_read_request() const {
  return !over_ && (request_ == RequestState::awaiting_head || request_ == RequestState::content);
}

std::size_t H1Relay::read_requests(ByteView bytes) {
  std::size_t taken = 0;
  while (may_read_request() && taken < bytes.size()) {
    auto step = request_reader_.read(bytes.subspan(taken));
    if (!step) {
      context_.counters.add(Counter::requests_malformed);
      refuse(step.error().kind == Error::Kind::too_large ? 431 : 400, step.error().what);
      return bytes.size();
    }
    taken += step->consumed;
    if (std::holds_alternative<http::H1NeedMore>(step->event)) {
      if (request_ == RequestState::awaiting_head && !head_begun_) head_begun_ = mono_now();
      break;
    }
    std::visit([this](auto& event) { on_event(event); }, step->event);
  }
  // With bytes left the reader has been asked about them already, and they belong to a line that is not whole.
  if (taken == bytes.size()) end_request_if_whole();
  if (client_.ended() && !over_) after_client_end();
  return taken;
}

// The end of a message needs no bytes of its own where its framing has said all.
void H1Relay::end_request_if_whole() {
  if (over_ || request_ != RequestState::content) return;
  auto step = request_reader_.read({});
  if (step && std::holds_alternative<http::H1End>(step->event)) on_event(std::get<http::H1End>(step->event));
}

void H1Relay::on_event(http::H1RequestHead& request) {
  head_begun_.reset();
  head_ = std::move(request.head);
  request_framing_ = request.framing;
  keep_client_ = http::keeps_alive(head_) && !draining_;
  keep_origin_ = true;
  response_chunked_ = response_until_close_ = false;
  upgrade_protocol_ = ascii_lower(http::upgrade_protocol(head_).value_or(""));
  // A cleartext upgrade to HTTP/2 would take the exchange out of sight; the origin has to answer in HTTP/1.1 then.
  if (upgrade_protocol_ == "h2c") upgrade_protocol_.clear();

  const auto target = route();
  if (!target) return;
  const Authority to = target->authority ? *target->authority : requested_authority(head_, scheme_, *authority_);
  const std::string_view scheme = upgrade_protocol_ != "websocket" ? std::string_view(scheme_)
                                  : scheme_ == "https"             ? "wss"
                                                                   : "ws";
  exchange_ = context_.exchanges.begin(whose(), version_text(head_.minor), head_, scheme, recorded_host(to, scheme_),
                                       head_.target);
  // Absolute-form is for proxies: the origin gets what it would have got from a client that knows no proxy.
  if (target->form == http::TargetForm::absolute) head_.target = http::target_for_origin(head_.method, *target);
  if (origins_ == nullptr) {
    forward_head();
    return;
  }
  retryable_ = !has_content(request_framing_) && is_idempotent(head_.method);
  const bool reuse = origin_ != nullptr && authority_ == to && !origin_->ended() && !origin_->finished();
  if (reuse) {
    forward_head();
    return;
  }
  retryable_ = false;
  origin_ = nullptr;
  authority_ = to;
  request_ = RequestState::dialling;
  origins_->dial_origin(to);
}

// The target, or nothing when the request was refused.
std::optional<http::TargetParts> H1Relay::route() {
  auto target = http::parse_target(head_.method, head_.target);
  if (!target) {
    context_.counters.add(Counter::requests_malformed);
    refuse(400, target.error().what);
    return std::nullopt;
  }
  if (head_.method == "CONNECT") {
    refuse(501, "CONNECT on a connection that already carries requests: open a new one");
    return std::nullopt;
  }
  if (origins_ == nullptr) return *target;
  if (target->form != http::TargetForm::absolute) {
    refuse(400, "this is a proxy: the request target has to be absolute, http://host/path");
    return std::nullopt;
  }
  if (target->scheme != "http") {
    refuse(501, "the proxy relays http:// itself; https goes through CONNECT");
    return std::nullopt;
  }
  return *target;
}

void H1Relay::origin_connected(Endpoint& origin) {
  origin_ = &origin;
  forward_head();
  end_request_if_whole();
  client_.offer_again();
}

void H1Relay::origin_failed(const Error& error) {
  context_.connection.error(error.what);
  refuse(error.kind == Error::Kind::refused ? 403 : 502, error.what);
}

void H1Relay::forward_head() {
  http::strip_hop_by_hop(head_.fields,
                         upgrade_protocol_.empty() ? http::UpgradeFields::strip : http::UpgradeFields::relay);
  ByteQueue wire;
  http::write_head(wire, head_);
  origin_->write(wire.view());
  response_reader_.begin(head_.method);
  response_ = ResponseState::awaiting_head;
  request_ = RequestState::content;
}

void H1Relay::on_event(const http::H1Data& data) {
  exchange_->facts().set_request_bytes(exchange_->facts().request_bytes() + data.bytes.size());
  if (origin_ == nullptr || origin_->finished())
    return;  // an early response has ended it: the rest is read and dropped
  if (std::holds_alternative<http::Chunked>(request_framing_)) {
    ByteQueue wire;
    http::write_chunk(wire, data.bytes);
    origin_->write(wire.view());
  } else {
    origin_->write(data.bytes);
  }
  if (origin_->above_high_mark()) client_.pause();
}

void H1Relay::on_event(const http::H1End& end) {
  if (std::holds_alternative<http::Chunked>(request_framing_) && origin_ != nullptr) {
    ByteQueue wire;
    http::write_last_chunk(wire, end.trailers);
    origin_->write(wire.view());
  }
  request_ended();
}

void H1Relay::request_ended() {
  request_ = RequestState::sent;
  if (response_ == ResponseState::sent) exchange_over();
}

// --- the response side

std::size_t H1Relay::read_responses(ByteView bytes) {
  std::size_t taken = 0;
  while (!over_ && taken < bytes.size()) {
    if (response_ == ResponseState::upgraded) {
      upgraded_bytes(false, bytes.subspan(taken));
      return bytes.size();
    }
    if (response_ == ResponseState::none || response_ == ResponseState::sent) {
      // Nobody asked. An honest origin says only 408 or goodbye here; both mean that the connection is over.
      origin_lost(EndKind::clean, Outcome::truncated, "the origin spoke without being asked");
      return bytes.size();
    }
    auto step = response_reader_.read(bytes.subspan(taken));
    if (!step) {
      bad_response(step.error());
      return bytes.size();
    }
    taken += step->consumed;
    if (std::holds_alternative<http::H1NeedMore>(step->event)) break;
    std::visit([this](auto& event) { on_response(event); }, step->event);
  }
  if (taken == bytes.size()) end_response_if_whole();
  return taken;
}

void H1Relay::end_response_if_whole() {
  if (over_ || response_ != ResponseState::content) return;
  auto step = response_reader_.read({});
  if (step && std::holds_alternative<http::H1End>(step->event)) on_response(std::get<http::H1End>(step->event));
}

void H1Relay::on_response(http::H1ResponseHead& response) {
  if (http::is_informational(response.head.status)) {
    on_informational(response);
    return;
  }
  retryable_ = false;
  ExchangeLog::respond(*exchange_, response.head);
  keep_origin_ = http::keeps_alive(response.head);
  response_until_close_ = std::holds_alternative<http::UntilClose>(response.framing);
  response_chunked_ = std::holds_alternative<http::Chunked>(response.framing);
  if (response_chunked_ && head_.minor == 0) {
    // A 1.0 client cannot read chunks: the end of the connection ends the content (RFC 9112 §6.1).
    response.head.fields.remove("transfer-encoding");
    response_chunked_ = false;
    response_until_close_ = true;
  }
  http::strip_hop_by_hop(response.head.fields, http::UpgradeFields::strip);
  // A forward proxy's connection to the client outlives the one to this origin, unless only its end ends the content.
  const bool origin_decides = origins_ == nullptr && !keep_origin_;
  if (origin_decides || response_until_close_ || draining_) keep_client_ = false;
  announce_persistence(response.head);
  ByteQueue wire;
  http::write_head(wire, response.head);
  client_.write(wire.view());
  response_ = ResponseState::content;
}

// Connection speaks of the client's connection, which need not end when the origin's does.
void H1Relay::announce_persistence(http::ResponseHead& head) const {
  const bool announced = http::keeps_alive(head);
  if (announced == keep_client_) return;
  head.fields.remove("connection");
  if (keep_client_) {
    head.minor = 1;
    if (head_.minor == 0) head.fields.add("Connection", "keep-alive");
  } else {
    head.fields.add("Connection", "close");
  }
}

void H1Relay::on_informational(http::H1ResponseHead& response) {
  if (response.head.status == 101) {
    upgrade(response);
    return;
  }
  if (head_.minor == 0) return;  // RFC 9110 §15.2: never to a 1.0 client
  ByteQueue wire;
  http::write_head(wire, response.head);
  client_.write(wire.view());
}

void H1Relay::upgrade(const http::H1ResponseHead& response) {
  if (upgrade_protocol_.empty() || request_ != RequestState::sent) {
    bad_response(Error{Error::Kind::malformed, "the origin answered 101 without being asked to switch protocols"});
    return;
  }
  ExchangeLog::respond(*exchange_, response.head);
  ByteQueue wire;
  http::write_head(wire, response.head);
  client_.write(wire.view());
  response_ = ResponseState::upgraded;
  client_.offer_again();
}

void H1Relay::on_response(const http::H1Data& data) {
  exchange_->facts().set_response_bytes(exchange_->facts().response_bytes() + data.bytes.size());
  if (response_chunked_) {
    ByteQueue wire;
    http::write_chunk(wire, data.bytes);
    client_.write(wire.view());
  } else {
    client_.write(data.bytes);
  }
  if (client_.above_high_mark()) origin_->pause();
}

void H1Relay::on_response(const http::H1End& end) {
  if (response_chunked_) {
    ByteQueue wire;
    http::write_last_chunk(wire, end.trailers);
    client_.write(wire.view());
  }
  response_ended(EndKind::clean);
}

void H1Relay::response_ended(EndKind how) {
  const bool whole = how == EndKind::clean;
  record(whole ? Outcome::complete : Outcome::truncated, whole ? "" : "the origin ended without close_notify");
  response_ = ResponseState::sent;
  if (!keep_client_) {
    // What the client still uploads has no reader any more.
    over(how, EndKind::clean);
    return;
  }
  if (request_ == RequestState::sent) exchange_over();
}

void H1Relay::bad_response(const Error& error) {
  context_.counters.add(Counter::responses_malformed);
  context_.connection.error(error.what);
  if (origin_ != nullptr) origin_->finish(EndKind::reset);
  if (response_ == ResponseState::awaiting_head) {
    exchange_->facts().set_status(502);
    client_.write(answer(502, fmt::format("the origin's response is malformed: {}", error.what), head_.method));
    record(Outcome::truncated, error.what);
    over(EndKind::clean, EndKind::reset);
    return;
  }
  // What was right of it has been sent; the framing, and under TLS the missing close_notify, say that more was to come.
  record(Outcome::truncated, error.what);
  over(EndKind::truncated, EndKind::reset);
}

// --- upgraded connections

void H1Relay::upgraded_bytes(bool up, ByteView bytes) {
  proto::Exchange& facts = exchange_->facts();
  Endpoint& to = up ? *origin_ : client_;
  Endpoint& from = up ? client_ : *origin_;
  if (up) {
    frames_up_.feed(bytes);
    facts.set_request_bytes(facts.request_bytes() + bytes.size());
    facts.set_frames_up(frames_up_.counts().frames());
  } else {
    frames_down_.feed(bytes);
    facts.set_response_bytes(facts.response_bytes() + bytes.size());
    facts.set_frames_down(frames_down_.counts().frames());
  }
  to.write(bytes);
  if (to.above_high_mark()) from.pause();
}

// --- ends

void H1Relay::on_ended(Endpoint& from, EndKind how) {
  if (over_) return;
  if (&from == &client_) {
    client_ended(how);
  } else if (&from == origin_) {
    origin_ended(how);
  }
}

void H1Relay::client_ended(EndKind how) {
  if (how == EndKind::reset) {
    record(Outcome::interrupted, "the client reset the connection");
    over(EndKind::reset, EndKind::reset);
    return;
  }
  after_client_end();
}

// The client has ended its side cleanly. What it had sent by then is still read and answered, request by request.
void H1Relay::after_client_end() {
  const EndKind how = client_.end_kind();
  if (response_ == ResponseState::upgraded && origin_->ended()) {
    record(Outcome::complete, "");
    over(how, how);
    return;
  }
  switch (request_) {
    case RequestState::dialling: return;
    case RequestState::awaiting_head:
      if (head_begun_) context_.connection.error("the client left in the middle of a request head");
      over(how, how);
      return;
    case RequestState::content:
      // What is missing of the request stays missing: its framing says so.
      keep_client_ = false;
      origin_->finish(how);
      return;
    case RequestState::sent:
      // The origin decides, as it would without us, whether a client that half-closed is still answered.
      if (!client_.inbox().empty()) return;
      keep_client_ = false;
      origin_->finish(how);
      return;
  }
}

void H1Relay::origin_ended(EndKind how) {
  switch (response_) {
    case ResponseState::none:
    case ResponseState::sent: origin_lost(how, Outcome::truncated, "the origin ended the connection"); return;
    case ResponseState::awaiting_head:
      if (retry()) return;
      origin_lost(how, how == EndKind::reset ? Outcome::reset : Outcome::truncated,
                  how == EndKind::reset ? "the origin reset the connection instead of answering"
                                        : "the origin ended the connection instead of answering");
      return;
    case ResponseState::content: {
      const auto end =
          how == EndKind::reset
              ? Result<http::H1ResponseReader::Event>(fail(Error::Kind::malformed, "the origin reset the connection"))
              : response_reader_.close();
      if (end && std::holds_alternative<http::H1End>(*end)) {
        response_ended(how);
        return;
      }
      origin_lost(how, how == EndKind::reset ? Outcome::reset : Outcome::truncated,
                  end ? "the response is not whole" : end.error().what);
      return;
    }
    case ResponseState::upgraded:
      if (how == EndKind::reset) {
        record(Outcome::reset, "the origin reset the connection");
        over(how, how);
        return;
      }
      client_.finish(how);
      if (!client_.ended()) return;
      record(Outcome::complete, "");
      over(how, how);
      return;
  }
}

// The origin is gone, and with it what it still owed.
void H1Relay::origin_lost(EndKind how, Outcome outcome, std::string_view what) {
  const bool owed = exchange_ && !exchange_->recorded;
  const bool forward = origins_ != nullptr;
  if (owed && forward && response_ == ResponseState::awaiting_head) {
    exchange_->facts().set_status(502);
    client_.write(answer(502, what, head_.method));
    record(outcome, what);
    over(EndKind::clean, EndKind::reset);
    return;
  }
  if (owed) {
    record(outcome, what);
  } else if (forward && request_ == RequestState::awaiting_head) {
    // An idle connection that its origin closed; the client's goes on.
    if (origin_ != nullptr) origin_->finish(EndKind::clean);
    origin_ = nullptr;
    return;
  }
  over(how, EndKind::clean);
}

// A connection that was kept from an earlier request may have been closed by its origin just when this one was sent
// (RFC 9112 §9.3.1): a request that can be repeated is, once, on a new one.
bool H1Relay::retry() {
  if (origins_ == nullptr || !std::exchange(retryable_, false) || client_.ended()) return false;
  origin_->finish(EndKind::reset);
  origin_ = nullptr;
  request_ = RequestState::dialling;
  response_ = ResponseState::none;
  response_reader_ = http::H1ResponseReader();
  origins_->dial_origin(*authority_);
  return true;
}

void H1Relay::refuse(std::uint16_t status, std::string_view what) {
  if (response_ == ResponseState::content) {  // too late for an answer: the client is told by the end
    record(Outcome::refused, what);
    over(EndKind::reset, EndKind::reset);
    return;
  }
  if (!exchange_) {
    // Nothing of it could be read, but it was here: the log says so.
    exchange_ = context_.exchanges.begin(whose(), "1.1", http::RequestHead{}, scheme_,
                                         authority_ ? recorded_host(*authority_, scheme_) : "", "");
  }
  exchange_->facts().set_status(status);
  client_.write(answer(status, what, head_.method));
  record(Outcome::refused, what);
  over(EndKind::clean, EndKind::reset);
}

void H1Relay::record(Outcome outcome, std::string_view error) {
  if (!exchange_ || exchange_->recorded) return;
  context_.exchanges.record(*exchange_, outcome, error);
  context_.connection.exchange_recorded();
}

void H1Relay::exchange_over() {
  context_.exchanges.end(std::move(exchange_), Outcome::complete, "");
  request_ = RequestState::awaiting_head;
  response_ = ResponseState::none;
  if (!keep_client_ || draining_) {
    over(EndKind::clean, EndKind::clean);
    return;
  }
  if (origins_ != nullptr && (!keep_origin_ || origin_->ended())) {
    origin_->finish(EndKind::clean);
    origin_ = nullptr;
  }
  if (!client_.inbox().empty()) {
    client_.offer_again();
  } else if (client_.ended()) {
    over(EndKind::clean, EndKind::clean);
  }
}

void H1Relay::over(EndKind towards_client, EndKind towards_origin) {
  if (std::exchange(over_, true)) return;
  if (exchange_) context_.exchanges.end(std::move(exchange_), Outcome::interrupted, "");
  context_.host.on_relay_over(towards_client, towards_origin);
}

void H1Relay::on_drained(Endpoint& to) {
  if (&to == &client_) {
    if (origin_ != nullptr) origin_->resume();
  } else {
    client_.resume();
  }
}

void H1Relay::drain() {
  draining_ = true;
  if (!exchange_ && client_.inbox().empty()) over(EndKind::clean, EndKind::clean);
}

void H1Relay::abort(std::string_view why) {
  record(Outcome::interrupted, why);
  over_ = true;
}

std::optional<std::string_view> H1Relay::overdue(MonoTime now, Millis head) const {
  if (!head_begun_ || now - *head_begun_ <= head) return std::nullopt;
  return "the client did not finish a request head in time";
}

}  // namespace tollgate::relay
