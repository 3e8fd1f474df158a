// HTTP/1.1 from a client to an origin: one exchange after the other, streamed (RFC 9112).
//
//   request   awaiting_head ──head──▶ dialling ──▶ content ──end──▶ sent ─┐
//                  ▲   (forward proxy only) ┘                             │ response ended too, both keep the
//                  connection └──────────────────────────────────────────────────────┘
//   response  none ──request head forwarded──▶ awaiting_head ──final head──▶ content ──end──▶ sent
//                                                   └──101 to an Upgrade──▶ upgraded (bytes both ways until the end)
//
// Pipelined requests wait unread until the exchange before them is over. What is ambiguous is answered 400 and closed,
// never forwarded; a malformed response is a 502 and its connection is thrown away. An origin that ends early is passed
// on as it ended: the client's framing then says what is missing.
#pragma once

#include <optional>
#include <string>

#include "gateway/http/h1_reader.h"
#include "gateway/http/h1_semantics.h"
#include "gateway/http/h1_target.h"
#include "gateway/http/websocket_frames.h"
#include "gateway/relay/relay.h"

namespace tollgate::relay {

// A forward proxy's origin changes from request to request; whoever owns the relay dials it.
class OriginProvider {
 public:
  virtual ~OriginProvider() = default;
  // Answers with origin_connected() or origin_failed(), later. An origin the relay had before is closed.
  virtual void dial_origin(const Authority& authority) = 0;
};

class H1Relay final : public Relay {
 public:
  // Behind a CONNECT or redirected: all requests go to `origin`. `scheme` is https or http, `authority` what was asked
  // for, which stands in records where a request has no Host.
  H1Relay(RelayContext context, Endpoint& client, Endpoint& origin, std::string scheme, Authority authority);
  // A forward proxy for absolute-form targets.
  H1Relay(RelayContext context, Endpoint& client, OriginProvider& origins);

  void origin_connected(Endpoint& origin);
  void origin_failed(const Error& error);

  std::size_t on_plaintext(Endpoint& from, ByteView bytes) override;
  void on_ended(Endpoint& from, EndKind how) override;
  void on_drained(Endpoint& to) override;
  void drain() override;
  void abort(std::string_view why) override;
  std::optional<std::string_view> overdue(MonoTime now, Millis head) const override;

 private:
  enum class RequestState : std::uint8_t { awaiting_head, dialling, content, sent };
  enum class ResponseState : std::uint8_t { none, awaiting_head, content, sent, upgraded };

  std::size_t read_requests(ByteView bytes);
  bool may_read_request() const;
  void on_event(http::H1RequestHead& request);
  void on_event(const http::H1Data& data);
  void on_event(const http::H1End& end);
  void on_event(const http::H1NeedMore&) {}
  std::optional<http::TargetParts> route();
  void forward_head();
  void end_request_if_whole();
  void request_ended();

  std::size_t read_responses(ByteView bytes);
  void on_response(http::H1ResponseHead& response);
  void on_response(const http::H1Data& data);
  void on_response(const http::H1End& end);
  void on_response(const http::H1NeedMore&) {}
  void announce_persistence(http::ResponseHead& head) const;
  void on_informational(http::H1ResponseHead& response);
  void upgrade(const http::H1ResponseHead& response);
  void end_response_if_whole();
  void response_ended(EndKind how);
  void bad_response(const Error& error);

  void upgraded_bytes(bool up, ByteView bytes);
  void client_ended(EndKind how);
  void after_client_end();
  void origin_ended(EndKind how);
  void origin_lost(EndKind how, Outcome outcome, std::string_view what);
  bool retry();

  // Answers in the origin's place, records it as refused, and closes.
  void refuse(std::uint16_t status, std::string_view what);
  void record(Outcome outcome, std::string_view error);
  void exchange_over();
  void over(EndKind towards_client, EndKind towards_origin);
  ExchangeOrigin whose() const { return {context_.connection.id(), context_.connection.device()}; }

  RelayContext context_;
  Endpoint& client_;
  Endpoint* origin_ = nullptr;
  OriginProvider* origins_ = nullptr;  // forward proxy only
  std::string scheme_;
  std::optional<Authority> authority_;  // where origin_ leads

  http::H1RequestReader request_reader_;
  http::H1ResponseReader response_reader_;
  RequestState request_ = RequestState::awaiting_head;
  ResponseState response_ = ResponseState::none;

  // The exchange under way.
  OpenExchangeHandle exchange_;
  http::RequestHead head_;
  http::Framing request_framing_;
  bool response_chunked_ = false;  // towards the client
  bool response_until_close_ = false;
  bool keep_client_ = true;  // after this exchange
  bool keep_origin_ = true;
  bool retryable_ = false;        // nothing was sent that may not be sent again
  std::string upgrade_protocol_;  // asked for, lower-case
  http::WebSocketFrames frames_up_;
  http::WebSocketFrames frames_down_;

  bool draining_ = false;
  bool over_ = false;
  std::optional<MonoTime> head_begun_;  // the first byte of a request head that is not whole yet
};

}  // namespace tollgate::relay
