#include "gateway/relay/h2_relay.h"

#include <fmt/format.h>

#include <utility>

#include "gateway/relay/answers.h"

namespace tollgate::relay {
namespace {

// RFC 9113 §7
constexpr std::uint32_t no_error = 0x0;
constexpr std::uint32_t refused_stream = 0x7;
constexpr std::uint32_t cancel = 0x8;

// What one call of write_to() puts together: a few records' worth, so that the frames of small streams share them.
constexpr std::size_t write_batch = 64 * kibibyte;

}  // namespace

class H2Relay::Side final : public http::H2Visitor {
 public:
  Side(H2Relay& relay, bool client) : relay_(relay), client_(client) {}

  void on_request(http::StreamId stream, http::RequestHead head, http::EndStream end) override {
    relay_.on_request(stream, head, end);
  }
  void on_response(http::StreamId stream, http::ResponseHead head, http::EndStream end) override {
    if (Pair* pair = find(stream)) relay_.on_response(*pair, head, end);
  }
  void on_data(http::StreamId stream, ByteView data) override {
    if (Pair* pair = find(stream)) relay_.on_data(*pair, client_, data);
  }
  void on_trailers(http::StreamId stream, http::Fields trailers) override {
    Pair* pair = find(stream);
    if (pair == nullptr) return;
    if (client_) {
      relay_.to_origin_.send_trailers(pair->origin, trailers);
    } else {
      relay_.to_client_.send_trailers(pair->client, trailers);
    }
    trailers_ = stream;
  }
  void on_end(http::StreamId stream) override {
    // Trailers have ended the other side already.
    const bool ended = std::exchange(trailers_, 0) == stream;
    if (Pair* pair = find(stream)) relay_.on_end(*pair, client_, ended);
  }
  void on_close(http::StreamId stream, std::uint32_t code, bool by_peer) override {
    if (Pair* pair = find(stream)) relay_.on_stream_closed(*pair, client_, code, by_peer);
  }
  void on_drained(http::StreamId stream, std::size_t count) override {
    Pair* pair = find(stream);
    if (pair == nullptr) return;
    if (client_) {
      if (pair->origin_open) relay_.to_origin_.consume(pair->origin, count);
    } else if (pair->client_open) {
      relay_.to_client_.consume(pair->client, count);
    }
    relay_.pump();
  }
  void on_goaway(http::StreamId, std::uint32_t code, std::string_view) override { relay_.on_goaway(client_, code); }
  void on_settings() override {
    if (!client_) relay_.on_origin_settings();
  }

 private:
  Pair* find(http::StreamId stream) {
    if (client_) {
      const auto found = relay_.by_client_.find(stream);
      return found == relay_.by_client_.end() ? nullptr : found->second.get();
    }
    const auto found = relay_.by_origin_.find(stream);
    return found == relay_.by_origin_.end() ? nullptr : found->second;
  }

  H2Relay& relay_;
  const bool client_;
  http::StreamId trailers_ = 0;
};

H2Relay::H2Relay(RelayContext context, Endpoint& client, Endpoint& origin, std::string scheme, Authority authority)
    : context_(context),
      client_(client),
      origin_(origin),
      scheme_(std::move(scheme)),
      authority_(std::move(authority)),
      client_side_(std::make_unique<Side>(*this, true)),
      origin_side_(std::make_unique<Side>(*this, false)),
      to_client_(http::H2Session::Role::server, *client_side_, http::H2Limits{}),
      to_origin_(http::H2Session::Role::client, *origin_side_, http::H2Limits{}) {
  pump();
}

H2Relay::~H2Relay() = default;

std::size_t H2Relay::on_plaintext(Endpoint& from, ByteView bytes) {
  if (over_) return bytes.size();
  const bool up = &from == &client_;
  context_.connection.moved(up ? bytes.size() : 0, up ? 0 : bytes.size(), mono_now());
  const auto status = (up ? to_client_ : to_origin_).receive(bytes);
  pump();
  if (!status) session_failed(up, status.error());
  return bytes.size();
}

// --- streams

void H2Relay::on_request(http::StreamId stream, const http::RequestHead& head, http::EndStream end) {
  auto owned = std::make_unique<Pair>();
  Pair& pair = *owned;
  pair.client = stream;
  by_client_.emplace(stream, std::move(owned));

  pair.websocket = head.protocol == "websocket";
  const std::string_view scheme = pair.websocket ? (scheme_ == "https" ? "wss" : "ws") : std::string_view(scheme_);
  pair.exchange =
      context_.exchanges.begin({context_.connection.id(), context_.connection.device()}, "2", head, scheme,
                               recorded_host(requested_authority(head, scheme_, authority_), scheme_), head.target);
  if (head.method == "CONNECT" && head.protocol.empty()) {
    http::ResponseHead refusal;
    refusal.status = 501;
    pair.exchange->facts().set_status(501);
    record(pair, Outcome::refused, "CONNECT inside an HTTP/2 connection is not relayed");
    pair.origin_open = false;
    to_client_.submit_response(stream, refusal, http::EndStream::yes);
    return;
  }
  const auto opened = to_origin_.submit_request(head, end);
  if (!opened) {
    record(pair, Outcome::refused, opened.error().what);
    pair.origin_open = false;
    to_client_.reset(stream, refused_stream);
    return;
  }
  pair.origin = *opened;
  pair.request_ended = end == http::EndStream::yes;
  by_origin_.emplace(pair.origin, &pair);
}

void H2Relay::on_response(Pair& pair, const http::ResponseHead& head, http::EndStream end) {
  if (!pair.client_open) return;
  if (http::is_informational(head.status)) {
    to_client_.submit_informational(pair.client, head);
    return;
  }
  ExchangeLog::respond(*pair.exchange, head);
  to_client_.submit_response(pair.client, head, end);
  pair.response_ended = end == http::EndStream::yes;
}

void H2Relay::on_data(Pair& pair, bool up, ByteView data) {
  proto::Exchange& facts = pair.exchange->facts();
  if (up) {
    facts.set_request_bytes(facts.request_bytes() + data.size());
    if (pair.websocket) {
      pair.frames_up.feed(data);
      facts.set_frames_up(pair.frames_up.counts().frames());
    }
    if (pair.origin_open) {
      to_origin_.send_data(pair.origin, data, http::EndStream::no);
    } else {
      to_client_.consume(pair.client, data.size());  // nobody will drain it
    }
    return;
  }
  facts.set_response_bytes(facts.response_bytes() + data.size());
  if (pair.websocket) {
    pair.frames_down.feed(data);
    facts.set_frames_down(pair.frames_down.counts().frames());
  }
  if (pair.client_open) {
    to_client_.send_data(pair.client, data, http::EndStream::no);
  } else {
    to_origin_.consume(pair.origin, data.size());
  }
}

void H2Relay::on_end(Pair& pair, bool up, bool ended_by_trailers) {
  if (up) {
    if (!std::exchange(pair.request_ended, true) && !ended_by_trailers && pair.origin_open) {
      to_origin_.send_data(pair.origin, {}, http::EndStream::yes);
    }
    return;
  }
  if (!std::exchange(pair.response_ended, true) && !ended_by_trailers && pair.client_open) {
    to_client_.send_data(pair.client, {}, http::EndStream::yes);
  }
  record(pair, Outcome::complete, "");
}

void H2Relay::on_stream_closed(Pair& pair, bool client_side, std::uint32_t code, bool by_peer) {
  (client_side ? pair.client_open : pair.origin_open) = false;
  if (client_side && pair.origin_open && !(pair.request_ended && pair.response_ended)) {
    record(pair, Outcome::interrupted, fmt::format("the client reset the stream: {}", http::h2_error_name(code)));
    to_origin_.reset(pair.origin, by_peer && code != no_error ? code : cancel);
  }
  if (!client_side && pair.client_open && (by_peer || code != no_error)) {
    // NO_ERROR after the whole response says that the rest of the request is not wanted (RFC 9113 §8.1).
    record(pair, Outcome::reset,
           fmt::format("{}: {}", by_peer ? "the origin reset the stream" : "the origin broke the protocol",
                       http::h2_error_name(code)));
    to_client_.reset(pair.client, code);
  }
  pump();
  drop_if_closed(pair);
}

void H2Relay::drop_if_closed(Pair& pair) {
  if (pair.client_open || pair.origin_open) return;
  record(pair, Outcome::interrupted, "the stream ended early");
  context_.exchanges.end(std::move(pair.exchange), Outcome::complete, "");
  by_origin_.erase(pair.origin);
  by_client_.erase(pair.client);
}

void H2Relay::record(Pair& pair, Outcome outcome, std::string_view error) {
  if (pair.exchange->recorded) return;
  context_.exchanges.record(*pair.exchange, outcome, error);
  context_.connection.exchange_recorded();
}

// --- the connection

void H2Relay::on_goaway(bool from_client, std::uint32_t) {
  // Streams in flight finish either way; what the code says of the others, their own resets will say.
  (from_client ? to_origin_ : to_client_).go_away(no_error);
  pump();
}

void H2Relay::on_origin_settings() {
  if (to_origin_.peer_enables_connect_protocol()) to_client_.enable_connect_protocol();
}

void H2Relay::pump() { context_.loop.mark(*this, net::TurnStage::pump); }

void H2Relay::on_turn_end() {
  if (over_) return;
  write_side(to_origin_, origin_);
  write_side(to_client_, client_);
  const bool client_done = !to_client_.alive();
  const bool origin_done = !to_origin_.alive();
  if (client_done || origin_done || (draining_ && by_client_.empty())) {
    record_all(Outcome::interrupted,
               client_done ? "the client's connection is over" : "the origin's connection is over");
    over(EndKind::clean, EndKind::clean);
  }
}

void H2Relay::write_side(http::H2Session& session, Endpoint& endpoint) {
  while (!endpoint.above_high_mark() && session.wants_write()) {
    ByteQueue frames;
    session.write_to(frames, write_batch);
    if (frames.empty()) return;
    endpoint.write(frames.view());
  }
}

void H2Relay::session_failed(bool client_side, const Error& error) {
  if (error.kind == Error::Kind::refused) context_.counters.add(Counter::http2_floods);
  context_.counters.add(client_side ? Counter::requests_malformed : Counter::responses_malformed);
  const std::string what = fmt::format("{}: {}", client_side ? "the client" : "the origin", error.what);
  context_.connection.error(what);
  // The GOAWAY that says why leaves with what was queued before it.
  write_side(to_client_, client_);
  write_side(to_origin_, origin_);
  record_all(client_side ? Outcome::interrupted : Outcome::truncated, what);
  over(EndKind::clean, EndKind::clean);
}

void H2Relay::record_all(Outcome outcome, std::string_view error) {
  for (auto& [stream, pair] : by_client_) record(*pair, outcome, error);
}

void H2Relay::on_ended(Endpoint& from, EndKind how) {
  if (over_) return;
  const bool client = &from == &client_;
  record_all(client                  ? Outcome::interrupted
             : how == EndKind::reset ? Outcome::reset
                                     : Outcome::truncated,
             client ? "the client ended the connection" : "the origin ended the connection");
  if (!client && how != EndKind::reset) write_side(to_client_, client_);
  over(how, how);
}

void H2Relay::on_drained(Endpoint&) { pump(); }

void H2Relay::over(EndKind towards_client, EndKind towards_origin) {
  if (std::exchange(over_, true)) return;
  for (auto& [stream, pair] : by_client_) context_.exchanges.end(std::move(pair->exchange), Outcome::interrupted, "");
  by_origin_.clear();
  by_client_.clear();
  context_.host.on_relay_over(towards_client, towards_origin);
}

void H2Relay::drain() {
  if (std::exchange(draining_, true)) return;
  to_client_.go_away(no_error);
  pump();
}

void H2Relay::abort(std::string_view why) {
  record_all(Outcome::interrupted, why);
  over_ = true;
}

}  // namespace tollgate::relay
