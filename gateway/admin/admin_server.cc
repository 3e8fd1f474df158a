#include "gateway/admin/admin_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "gateway/base/address.h"
#include "gateway/http/h1_reader.h"
#include "gateway/http/h1_semantics.h"
#include "gateway/net/stream.h"

namespace tollgate::admin {
namespace {

constexpr std::size_t connection_cap = 128;
constexpr Seconds patience{30};  // for a request, and for a client to take its answer
constexpr Millis sweep_interval{1000};
constexpr std::size_t request_limit = 64 * kibibyte;

std::string_view reason_phrase(std::uint16_t status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    default: return "Service Unavailable";
  }
}

std::string serialise(const Answer& answer, bool head_only, bool keep) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\n{}Connection: {}\r\n\r\n{}",
      answer.status, reason_phrase(answer.status), answer.content_type, answer.body.size(),
      answer.status == 401 ? "WWW-Authenticate: Bearer\r\n" : "", keep ? "keep-alive" : "close",
      head_only ? std::string_view() : std::string_view(answer.body));
}

bool is_local_host(std::string_view host) {
  const auto authority = Authority::parse(host, 80);
  if (!authority) return false;
  return authority->host.address() != nullptr || authority->host.name()->text() == "localhost";
}

bool is_token(std::string_view authorization, std::string_view token) {
  constexpr std::string_view scheme = "Bearer ";
  if (!equal_ignoring_case(authorization.substr(0, scheme.size()), scheme)) return false;
  const std::string_view given = authorization.substr(scheme.size());
  return given.size() == token.size() && CRYPTO_memcmp(given.data(), token.data(), token.size()) == 0;
}

}  // namespace

class AdminServer::Connection final : public net::Retirable, public net::StreamHandler {
 public:
  Connection(AdminServer& server, std::uint64_t serial, Descriptor socket)
      : server_(server),
        serial_(serial),
        deadline_(mono_now() + patience),
        stream_(server.loop_, std::move(socket), *this) {
    stream_.read_on();
  }

  bool overdue(MonoTime now) const { return now > deadline_; }

  void on_bytes(ByteView bytes) override {
    received_.append(bytes);
    while (!closing_ && read_one()) {
    }
    if (received_.size() > request_limit) server_.gone(serial_);
  }
  void on_end() override { server_.gone(serial_); }
  void on_failed(int) override { server_.gone(serial_); }
  void on_drained() override {}
  void on_finished() override {}

 private:
  // One event of the reader; false when it needs more.
  bool read_one() {
    auto step = reader_.read(received_.view());
    if (!step) {
      reply({.status = 400, .body = step.error().what + "\n"}, false, false);
      return false;
    }
    received_.consume(step->consumed);
    if (std::holds_alternative<http::H1NeedMore>(step->event)) return false;
    if (auto* request = std::get_if<http::H1RequestHead>(&step->event)) head_ = std::move(request->head);
    if (!std::holds_alternative<http::H1End>(step->event)) return true;
    const auto field = [this](std::string_view name) { return head_.fields.find(name).value_or(""); };
    reply(server_.answer(head_.method, head_.target, field("host"), field("authorization")), head_.method == "HEAD",
          http::keeps_alive(head_));
    return true;
  }

  void reply(const Answer& answer, bool head_only, bool keep) {
    stream_.out().append(serialise(answer, head_only, keep));
    stream_.send();
    deadline_ = mono_now() + patience;
    if (keep) return;
    closing_ = true;
    stream_.finish();
  }

  AdminServer& server_;
  const std::uint64_t serial_;
  MonoTime deadline_;
  ByteQueue received_;
  http::H1RequestReader reader_;
  http::RequestHead head_;
  bool closing_ = false;
  net::Stream stream_;
};

AdminServer::AdminServer(net::Loop& loop, Descriptor listener, std::string token, std::vector<Route> routes)
    : loop_(loop),
      token_(std::move(token)),
      routes_(std::move(routes)),
      listener_(loop, std::move(listener),
                {[this](Descriptor socket, SocketAddress) { accept(std::move(socket)); }, [] {}}),
      sweep_timer_(loop, [this] { sweep(); }) {
  sweep_timer_.start(sweep_interval);
}

AdminServer::~AdminServer() = default;

void AdminServer::accept(Descriptor socket) {
  if (connections_.size() >= connection_cap) return;  // the descriptor's end closes it
  const std::uint64_t serial = next_serial_++;
  connections_.emplace(serial, std::make_unique<Connection>(*this, serial, std::move(socket)));
}

void AdminServer::gone(std::uint64_t serial) {
  const auto found = connections_.find(serial);
  if (found == connections_.end()) return;
  loop_.retire(std::move(found->second));
  connections_.erase(found);
}

void AdminServer::sweep() {
  const MonoTime now = mono_now();
  for (auto at = connections_.begin(); at != connections_.end();) {
    const auto here = at++;
    if (here->second->overdue(now)) gone(here->first);
  }
  sweep_timer_.start(sweep_interval);
}

Answer AdminServer::answer(std::string_view method, std::string_view target, std::string_view host,
                           std::string_view authorization) const {
  if (!is_local_host(host)) {
    return {.status = 403, .body = "Ask by address or as localhost: other names are refused.\n"};
  }
  const std::string_view path = target.substr(0, target.find('?'));
  for (const Route& route : routes_) {
    if (route.path != path) continue;
    if (route.needs_token && !is_token(authorization, token_)) {
      return {.status = 401, .body = "The token is in admin.token of state.dir: Authorization: Bearer TOKEN\n"};
    }
    if (method != "GET" && method != "HEAD") return {.status = 405, .body = "GET or HEAD.\n"};
    return route.answer();
  }
  return {.status = 404, .body = "Nothing here.\n"};
}

Result<std::string> open_token(const std::string& file) {
  const auto io = [&](std::string_view what) {
    return fail(Error::Kind::io, fmt::format("{}: {}: {}", file, what, std::generic_category().message(errno)));
  };
  Descriptor existing(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!existing) {
    if (errno != ENOENT) return io("cannot be read");
    std::array<std::uint8_t, 32> random{};
    if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
      return fail(Error::Kind::io, "no random bytes for the admin token");
    }
    std::string token;
    for (const std::uint8_t byte : random) token += fmt::format("{:02x}", byte);
    Descriptor created(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    const std::string line = token + "\n";
    if (!created || ::write(created.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      return io("cannot be written");
    }
    return token;
  }
  struct stat status {};
  if (fstat(existing.get(), &status) != 0) return io("cannot be read");
  if ((status.st_mode & 077U) != 0) {
    return fail(Error::Kind::refused, fmt::format("{} can be read by others: chmod 600 {}", file, file));
  }
  std::array<char, 256> text{};
  const ssize_t count = ::read(existing.get(), text.data(), text.size());
  if (count < 0) return io("cannot be read");
  std::string token(text.data(), static_cast<std::size_t>(count));
  while (!token.empty() && token.back() == '\n') token.pop_back();
  if (token.size() < 32) {
    return fail(Error::Kind::malformed, fmt::format("{} holds no token: remove it, and a new one is made", file));
  }
  return token;
}

void append_metric(std::string& out, std::string_view name, std::string_view help, MetricType type, double value) {
  out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help,
                     type == MetricType::counter ? "counter" : "gauge", value);
}

}  // namespace tollgate::admin
