// The admin listener: a small HTTP/1.1 server on a loop of its own, for whoever runs the gateway.
//
//   /healthz   no token: "ok", or 503 and what is wrong
//   /metrics   Prometheus text, with the token
//
// The token is asked for as a bearer (RFC 6750) and compared in constant time. A Host that is neither an address nor
// `localhost` is refused, so that a web page cannot reach it by rebinding a name. No CORS, nothing cached.
// Threads: the loop's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/base/descriptor.h"
#include "gateway/net/listener.h"
#include "gateway/net/loop.h"

namespace tollgate::admin {

struct Answer {
  std::uint16_t status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

struct Route {
  std::string path;
  bool needs_token = true;
  std::function<Answer()> answer;
};

class AdminServer {
 public:
  AdminServer(net::Loop& loop, Descriptor listener, std::string token, std::vector<Route> routes);
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  SocketAddress address() const { return listener_.address(); }

 private:
  class Connection;
  Answer answer(std::string_view method, std::string_view target, std::string_view host,
                std::string_view authorization) const;
  void accept(Descriptor socket);
  void gone(std::uint64_t serial);
  void sweep();

  net::Loop& loop_;
  const std::string token_;
  const std::vector<Route> routes_;
  std::uint64_t next_serial_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  net::Listener listener_;
  net::Timer sweep_timer_;
};

// The token in `file`; made (256 random bits, mode 0600) when there is none. Errors: io; refused when others may read
// it.
Result<std::string> open_token(const std::string& file);

// One metric family with one sample, in Prometheus' text format.
enum class MetricType : std::uint8_t { counter, gauge };
void append_metric(std::string& out, std::string_view name, std::string_view help, MetricType type, double value);

}  // namespace tollgate::admin
