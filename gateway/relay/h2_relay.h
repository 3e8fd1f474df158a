// HTTP/2 from a client to an origin: every stream of the one is a stream of the other (RFC 9113). No translation, so
// what a stream does (trailers, resets with their code, 1xx, half-closes, GOAWAY) reaches the other side as it is.
// Flow control: what one side sends is acknowledged when the other side has drained it, stream by stream.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "gateway/http/h2_session.h"
#include "gateway/http/websocket_frames.h"
#include "gateway/relay/relay.h"

namespace tollgate::relay {

class H2Relay final : public Relay, private net::TurnWork {
 public:
  // `scheme` and `authority` as in H1Relay. Both sides have agreed on h2.
  H2Relay(RelayContext context, Endpoint& client, Endpoint& origin, std::string scheme, Authority authority);
  ~H2Relay() override;

  std::size_t on_plaintext(Endpoint& from, ByteView bytes) override;
  void on_ended(Endpoint& from, EndKind how) override;
  void on_drained(Endpoint& to) override;
  void drain() override;
  void abort(std::string_view why) override;

 private:
  // One exchange: a stream on each side.
  struct Pair {
    http::StreamId client = 0;
    http::StreamId origin = 0;  // 0: refused before it was opened there
    bool client_open = true;
    bool origin_open = true;
    bool request_ended = false;
    bool response_ended = false;
    bool websocket = false;
    OpenExchangeHandle exchange;
    http::WebSocketFrames frames_up;
    http::WebSocketFrames frames_down;
  };

  // One side's events, told to the relay with the pair they belong to.
  class Side;

  void on_request(http::StreamId stream, const http::RequestHead& head, http::EndStream end);
  void on_response(Pair& pair, const http::ResponseHead& head, http::EndStream end);
  void on_data(Pair& pair, bool up, ByteView data);
  void on_end(Pair& pair, bool up, bool ended_by_trailers);
  void on_stream_closed(Pair& pair, bool client_side, std::uint32_t code, bool by_peer);
  void on_goaway(bool from_client, std::uint32_t code);
  void on_origin_settings();
  void drop_if_closed(Pair& pair);
  void record(Pair& pair, Outcome outcome, std::string_view error);

  void pump();  // marks the relay for the end of the turn
  void on_turn_end() override;
  void write_side(http::H2Session& session, Endpoint& endpoint);
  void session_failed(bool client_side, const Error& error);
  void record_all(Outcome outcome, std::string_view error);
  void over(EndKind towards_client, EndKind towards_origin);

  RelayContext context_;
  Endpoint& client_;
  Endpoint& origin_;
  std::string scheme_;
  Authority authority_;

  std::unordered_map<http::StreamId, std::unique_ptr<Pair>> by_client_;
  std::unordered_map<http::StreamId, Pair*> by_origin_;
  std::unique_ptr<Side> client_side_;
  std::unique_ptr<Side> origin_side_;
  http::H2Session to_client_;
  http::H2Session to_origin_;

  bool over_ = false;
  bool draining_ = false;
};

}  // namespace tollgate::relay
