// One client of the load generator: connects, speaks TLS, asks, checks the answer, and again.
#pragma once

#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/http/h1_reader.h"
#include "gateway/http/h2_session.h"
#include "gateway/net/connector.h"
#include "gateway/relay/endpoint.h"
#include "tests/bench/load_options.h"

namespace tollgate::bench {

// What all clients together have seen.
struct LoadResult {
  std::uint64_t responses = 0;  // right ones: status 200, as many bytes as expected
  std::uint64_t errors = 0;
  std::uint64_t handshakes = 0;
  std::uint64_t resumed = 0;
  std::uint64_t started = 0;  // connections; each takes the next name
  ByteCount content = 0;
  std::string first_error;
  std::vector<std::uint32_t> latencies_us;  // of responses; in mode connections from the start of the connection
};

using SslContext = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using SslSession = std::unique_ptr<SSL_SESSION, FreeWith<SSL_SESSION_free>>;

class LoadClient final : public relay::EndpointHandler, public http::H2Visitor, public net::TurnWork {
 public:
  LoadClient(net::Loop& loop, const LoadOptions& options, SSL_CTX* context, LoadResult& result);
  ~LoadClient() override;

  void start();
  void stop() { stopping_ = true; }

 private:
  void connected(Result<net::Connected> socket);
  void start_tls(ByteView received);
  void begin_requests();
  void send_request();
  std::string authority() const;  // with the port where the CONNECT's target has the same name
  void response_done();
  void reconnect();
  void failed(std::string_view what);

  std::size_t on_plaintext(relay::Endpoint& from, ByteView bytes) override;
  void on_ended(relay::Endpoint& from, relay::EndKind how) override;
  void on_drained(relay::Endpoint&) override {}
  void on_handshake(relay::Endpoint& with, Result<tls::Progress> progress) override;

  void on_request(http::StreamId, http::RequestHead, http::EndStream) override {}
  void on_response(http::StreamId stream, http::ResponseHead head, http::EndStream end) override;
  void on_data(http::StreamId stream, ByteView data) override;
  void on_trailers(http::StreamId, http::Fields) override {}
  void on_end(http::StreamId stream) override;
  void on_close(http::StreamId, std::uint32_t, bool) override {}
  void on_drained(http::StreamId, std::size_t) override {}
  void on_goaway(http::StreamId, std::uint32_t, std::string_view) override {}
  void on_settings() override {}
  void on_turn_end() override;

  net::Loop& loop_;
  const LoadOptions& options_;
  SSL_CTX* context_;
  LoadResult& result_;
  std::string host_;
  SslSession session_;

  std::unique_ptr<net::Connector> connector_;
  std::unique_ptr<relay::Endpoint> endpoint_;
  std::unique_ptr<http::H2Session> h2_;
  http::H1ResponseReader reader_;
  bool awaiting_connect_ = false;
  bool stopping_ = false;
  ByteCount received_ = 0;  // content of the response under way (h1)
  std::uint16_t status_ = 0;
  MonoTime began_;
  std::unordered_map<http::StreamId, std::pair<MonoTime, ByteCount>> streams_;
};

}  // namespace tollgate::bench
