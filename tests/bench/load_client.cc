#include "tests/bench/load_client.h"

#include <fmt/format.h>

#include <utility>

namespace tollgate::bench {
namespace {
constexpr Millis connect_patience{10'000};
}

LoadClient::LoadClient(net::Loop& loop, const LoadOptions& options, SSL_CTX* context, LoadResult& result)
    : loop_(loop), options_(options), context_(context), result_(result) {}

LoadClient::~LoadClient() = default;

void LoadClient::start() {
  began_ = mono_now();
  host_ = options_.names > 1 ? fmt::format("n{}.{}", result_.started % options_.names, options_.name) : options_.name;
  ++result_.started;
  connector_ =
      std::make_unique<net::Connector>(loop_, std::vector{options_.to}, connect_patience,
                                       [this](Result<net::Connected> socket) { connected(std::move(socket)); });
}

std::string LoadClient::authority() const {
  return !options_.via_connect.empty() && options_.via_connect.front() == ':' ? host_ + options_.via_connect : host_;
}

void LoadClient::connected(Result<net::Connected> socket) {
  if (!socket) {
    failed(socket.error().what);
    return;
  }
  endpoint_ = std::make_unique<relay::Endpoint>(loop_, std::move(socket->socket), *this);
  endpoint_->start();
  reader_ = http::H1ResponseReader();
  if (options_.via_connect.empty()) {
    start_tls({});
    return;
  }
  awaiting_connect_ = true;
  reader_.begin("CONNECT");
  const std::string target = options_.via_connect.front() == ':' ? authority() : options_.via_connect;
  endpoint_->write(fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n\r\n", target));
}

void LoadClient::start_tls(ByteView received) {
  tls::SslHandle ssl(SSL_new(context_));
  SSL_set_connect_state(ssl.get());
  SSL_set_tlsext_host_name(ssl.get(), host_.c_str());
  SSL_set1_host(ssl.get(), host_.c_str());
  if (options_.resume && session_) SSL_set_session(ssl.get(), session_.get());
  endpoint_->start_tls(std::make_unique<tls::Session>(std::move(ssl)), received);
}

void LoadClient::on_handshake(relay::Endpoint& with, Result<tls::Progress> progress) {
  if (!progress) {
    failed(with.tls()->failure() != nullptr ? with.tls()->failure()->what : progress.error().what);
    return;
  }
  if (*progress != tls::Progress::done) return;
  ++result_.handshakes;
  if (with.tls()->resumed()) ++result_.resumed;
  begin_requests();
}

void LoadClient::begin_requests() {
  if (options_.mode != Mode::connections) began_ = mono_now();
  if (!options_.http2) {
    send_request();
    return;
  }
  if (endpoint_->tls()->alpn() != "h2") {
    failed("h2 was not agreed on");
    return;
  }
  h2_ = std::make_unique<http::H2Session>(http::H2Session::Role::client, *this, http::H2Limits{});
  for (std::uint32_t i = 0; i < options_.streams; ++i) send_request();
}

void LoadClient::send_request() {
  if (!options_.http2) {
    received_ = 0;
    reader_.begin("GET");
    endpoint_->write(fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: tollgate-bench\r\nAccept: */*\r\n\r\n",
                                 options_.path, authority()));
    return;
  }
  http::RequestHead head;
  head.method = "GET";
  head.target = options_.path;
  head.scheme = "https";
  head.authority = authority();
  head.fields.add("user-agent", "tollgate-bench");
  head.fields.add("accept", "*/*");
  if (const auto stream = h2_->submit_request(head, http::EndStream::yes)) {
    streams_[*stream] = {mono_now(), 0};
  } else {
    failed(stream.error().what);
  }
  loop_.mark(*this, net::TurnStage::pump);
}

std::size_t LoadClient::on_plaintext(relay::Endpoint&, ByteView bytes) {
  if (h2_) {
    if (const auto status = h2_->receive(bytes); !status) failed(status.error().what);
    loop_.mark(*this, net::TurnStage::pump);
    return bytes.size();
  }
  std::size_t taken = 0;
  while (true) {
    auto step = reader_.read(bytes.subspan(taken));
    if (!step) {
      failed(step.error().what);
      return bytes.size();
    }
    taken += step->consumed;
    if (const auto* data = std::get_if<http::H1Data>(&step->event)) received_ += data->bytes.size();
    if (const auto* head = std::get_if<http::H1ResponseHead>(&step->event)) status_ = head->head.status;
    if (std::holds_alternative<http::H1NeedMore>(step->event)) return taken;
    if (!std::holds_alternative<http::H1End>(step->event)) continue;
    if (std::exchange(awaiting_connect_, false)) {
      if (status_ != 200) {
        failed(fmt::format("CONNECT was answered {}", status_));
      } else {
        start_tls(bytes.subspan(taken));
      }
      return bytes.size();
    }
    if (status_ != 200 || received_ != options_.expected) {
      failed(fmt::format("status {}, {} bytes of {}", status_, received_, options_.expected));
      return bytes.size();
    }
    result_.content += received_;
    response_done();
    return taken;
  }
}

void LoadClient::on_response(http::StreamId, http::ResponseHead head, http::EndStream) {
  if (head.status != 200) failed(fmt::format("status {}", head.status));
}

void LoadClient::on_data(http::StreamId stream, ByteView data) {
  streams_[stream].second += data.size();
  h2_->consume(stream, data.size());
}

void LoadClient::on_end(http::StreamId stream) {
  const auto [began, received] = streams_[stream];
  streams_.erase(stream);
  if (received != options_.expected) {
    failed(fmt::format("{} bytes of {}", received, options_.expected));
    return;
  }
  began_ = options_.mode == Mode::connections ? began_ : began;
  result_.content += received;
  response_done();
}

void LoadClient::on_turn_end() {
  if (!h2_ || !endpoint_) return;
  ByteQueue frames;
  h2_->write_to(frames, 256 * kibibyte);
  if (!frames.empty()) endpoint_->write(frames.view());
}

void LoadClient::response_done() {
  const MonoTime now = mono_now();
  ++result_.responses;
  result_.latencies_us.push_back(static_cast<std::uint32_t>(std::chrono::duration_cast<Micros>(now - began_).count()));
  if (options_.count != 0 && result_.responses >= options_.count) loop_.stop();
  if (stopping_ || options_.mode == Mode::idle) return;
  if (options_.mode == Mode::connections) {
    reconnect();
    return;
  }
  began_ = now;
  send_request();
}

void LoadClient::reconnect() {
  if (endpoint_) {
    if (endpoint_->tls() != nullptr && options_.resume) {
      SSL* ssl = endpoint_->tls()->ssl();
      session_.reset(SSL_get1_session(ssl));
      // SSL_free() takes a connection that was not shut down for a broken one, and its session for not resumable.
      SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    // A reset: a benchmark of thousands of connections a second would run out of ports in TIME_WAIT.
    endpoint_->finish(relay::EndKind::reset);
    loop_.retire(std::move(endpoint_));
  }
  if (connector_) loop_.retire(std::move(connector_));
  h2_.reset();
  streams_.clear();
  if (!stopping_ && (options_.count == 0 || result_.started < options_.count)) start();
}

void LoadClient::on_ended(relay::Endpoint&, relay::EndKind) {
  if (!stopping_) failed("the connection was ended");
}

void LoadClient::failed(std::string_view what) {
  ++result_.errors;
  if (result_.first_error.empty()) result_.first_error = fmt::format("{}: {}", host_, what);
  stopping_ = true;
}

}  // namespace tollgate::bench
