#include "gateway/admin/admin_server.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/net/running_loop.h"

using namespace tollgate;
using namespace tollgate::admin;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;
using net::test::End;
using net::test::Peer;

namespace {

const std::string token = "0123456789abcdef0123456789abcdef";
constexpr std::string_view health = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

// An admin server with an open route and one that needs the token, on a port of its own.
class Admin {
 public:
  Admin() {
    auto listener = net::listen_on({IpAddress::v4({127, 0, 0, 1}), 0}, net::Share::no);
    std::vector<Route> routes;
    routes.push_back({"/healthz", false, [] { return Answer{.body = "ok\n"}; }});
    routes.push_back({"/metrics", true, [] { return Answer{.body = "secret 1\n"}; }});
    server_ = running_.run(
        [&] { return std::make_unique<AdminServer>(running_.loop(), std::move(*listener), token, std::move(routes)); });
  }
  ~Admin() { running_.stop(); }
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  Peer connect() {
    const net::KernelAddress to = net::to_kernel(server_->address());
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(socket.get(), to.get(), to.size) != 0) throw std::runtime_error("the admin port refuses");
    return Peer(std::move(socket));
  }
  // The answer to one request with these fields, its connection closed after it.
  std::string ask(const std::string& request_line, const std::string& fields = "Host: localhost\r\n") {
    Peer peer = connect();
    peer.send(request_line + " HTTP/1.1\r\n" + fields + "Connection: close\r\n\r\n");
    return peer.read_all();
  }

 private:
  net::test::RunningLoop running_;
  std::unique_ptr<AdminServer> server_;
};

struct ScratchFolder {
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tollgate-admin-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~ScratchFolder() { std::filesystem::remove_all(path); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::string file(const std::string& name) const { return (path / name).string(); }
  std::filesystem::path path;
};

mode_t mode_of(const std::string& file) {
  struct stat status {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  return status.st_mode & 0777U;
}

}  // namespace

TEST_CASE("health needs no token, is not cached and cannot be sniffed", "[admin]") {
  Admin admin;
  const std::string answer = admin.ask("GET /healthz");
  CHECK_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n") && EndsWith("\r\n\r\nok\n"));
  CHECK_THAT(answer, Contains("Content-Length: 3\r\n") && Contains("Cache-Control: no-store\r\n") &&
                         Contains("X-Content-Type-Options: nosniff\r\n") && !Contains("Access-Control"));
}

TEST_CASE("what needs the token is given to its bearer and nobody else", "[admin]") {
  Admin admin;
  const auto metrics = [&](const std::string& field) {
    return admin.ask("GET /metrics", "Host: 127.0.0.1\r\n" + field);
  };
  CHECK_THAT(metrics("Authorization: Bearer " + token + "\r\n"), StartsWith("HTTP/1.1 200 ") && EndsWith("secret 1\n"));
  CHECK_THAT(metrics("authorization: bearer " + token + "\r\n"), StartsWith("HTTP/1.1 200 "));
  const auto wrong = GENERATE_COPY(
      as<std::string>(), "", "Authorization: Bearer \r\n", "Authorization: Bearer 0123456789abcdef0123456789abcdeF\r\n",
      "Authorization: Bearer " + token + "0\r\n", "Authorization: Bearer " + token.substr(1) + "\r\n",
      "Authorization: Basic " + token + "\r\n", "Authorization: " + token + "\r\n", "Cookie: Bearer " + token + "\r\n");
  CAPTURE(wrong);
  const std::string answer = metrics(wrong);
  CHECK_THAT(answer, StartsWith("HTTP/1.1 401 ") && Contains("WWW-Authenticate: Bearer\r\n"));
  CHECK_THAT(answer, !Contains("secret") && !Contains(token));
}

TEST_CASE("a Host that is a name is refused, so that no web page reaches it by rebinding", "[admin]") {
  Admin admin;
  for (const auto* const host : {"localhost", "LOCALHOST:9090", "127.0.0.1:9090", "[::1]", "192.0.2.7"}) {
    CAPTURE(host);
    CHECK_THAT(admin.ask("GET /healthz", std::string("Host: ") + host + "\r\n"), StartsWith("HTTP/1.1 200 "));
  }
  for (const auto* const host : {"evil.test", "localhost.evil.test", "127.0.0.1.evil.test"}) {
    CAPTURE(host);
    const std::string answer =
        admin.ask("GET /metrics", std::string("Host: ") + host + "\r\nAuthorization: Bearer " + token + "\r\n");
    CHECK_THAT(answer, StartsWith("HTTP/1.1 403 ") && !Contains("secret"));
  }
}

TEST_CASE("HEAD is GET without the content", "[admin]") {
  Admin admin;
  CHECK_THAT(admin.ask("HEAD /healthz"),
             StartsWith("HTTP/1.1 200 OK\r\n") && Contains("Content-Length: 3\r\n") && EndsWith("\r\n\r\n"));
}

TEST_CASE("a query is no part of the path", "[admin]") {
  Admin admin;
  CHECK_THAT(admin.ask("GET /healthz?now"), StartsWith("HTTP/1.1 200 "));
}

TEST_CASE("other paths are 404 and other methods 405", "[admin]") {
  Admin admin;
  CHECK_THAT(admin.ask("GET /"), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  CHECK_THAT(admin.ask("GET /healthz/"), StartsWith("HTTP/1.1 404 "));
  CHECK_THAT(admin.ask("POST /healthz", "Host: localhost\r\nContent-Length: 0\r\n"), StartsWith("HTTP/1.1 405 "));
  // Without the token a method tells nothing about what is there.
  CHECK_THAT(admin.ask("DELETE /metrics"), StartsWith("HTTP/1.1 401 "));
}

TEST_CASE("pipelined requests are answered in order on one connection, which stays open", "[admin]") {
  Admin admin;
  Peer peer = admin.connect();
  peer.send(std::string(health) + "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n" + std::string(health));
  CHECK_THAT(peer.read_until("ok\n"), StartsWith("HTTP/1.1 200 ") && Contains("Connection: keep-alive\r\n"));
  CHECK_THAT(peer.read_until("Nothing here.\n"), StartsWith("HTTP/1.1 404 "));
  CHECK_THAT(peer.read_until("ok\n"), StartsWith("HTTP/1.1 200 "));
  peer.send(health);
  CHECK_THAT(peer.read_until("ok\n"), StartsWith("HTTP/1.1 200 "));
}

TEST_CASE("a request that comes octet by octet is answered", "[admin]") {
  Admin admin;
  Peer peer = admin.connect();
  for (const char octet : health) peer.send({&octet, 1});
  CHECK_THAT(peer.read_until("ok\n"), StartsWith("HTTP/1.1 200 "));
}

TEST_CASE("a malformed request is answered 400 and its connection closed", "[admin]") {
  Admin admin;
  Peer peer = admin.connect();
  peer.send("GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n" + std::string(health));
  const std::string answer = peer.read_all();
  CHECK_THAT(answer, StartsWith("HTTP/1.1 400 ") && Contains("Connection: close\r\n") && !Contains("200 OK"));
}

TEST_CASE("a request head without an end closes its connection", "[admin]") {
  Admin admin;
  Peer peer = admin.connect();
  const std::string line = "X-Padding: " + std::string(1000, 'x') + "\r\n";
  std::string endless = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
  while (endless.size() < 60 * kibibyte) endless += line;
  peer.send(endless);
  peer.send(line + line + line + line + line + line);
  // An answer, if any, is no success; and the server has let go.
  CHECK_THAT(peer.read_all(), !Contains("200 OK"));
}

TEST_CASE("a token is made once, for its owner's eyes only", "[admin]") {
  const ScratchFolder folder;
  const std::string file = folder.file("admin.token");
  const auto made = open_token(file);
  REQUIRE(made);
  CHECK(made->size() == 64);
  CHECK(made->find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(mode_of(file) == 0600);
  CHECK(open_token(file) == *made);
  CHECK(open_token(folder.file("other.token")) != *made);
}

TEST_CASE("a token that others can read, that is none, or that cannot be written is refused with the remedy",
          "[admin]") {
  const ScratchFolder folder;
  const std::string file = folder.file("admin.token");
  REQUIRE(open_token(file));
  SECTION("readable by others") {
    const mode_t mode = GENERATE(0644, 0640, 0604, 0660);
    REQUIRE(::chmod(file.c_str(), mode) == 0);
    const auto refused = open_token(file);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Error::Kind::refused);
    CHECK_THAT(refused.error().what, Contains("chmod 600 " + file));
  }
  SECTION("too short to be one") {
    std::ofstream(file, std::ios::trunc) << "hunter2\n";
    const auto refused = open_token(file);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Error::Kind::malformed);
  }
  SECTION("no folder to be in") {
    const auto refused = open_token(folder.file("missing/admin.token"));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Error::Kind::io);
  }
}

TEST_CASE("a metric is written with its help and its type", "[admin]") {
  std::string out;
  append_metric(out, "tollgate_exchanges_total", "HTTP exchanges recorded", MetricType::counter, 42);
  append_metric(out, "tollgate_lag_seconds", "behind the journal", MetricType::gauge, 0.5);
  CHECK(
      out ==
      "# HELP tollgate_exchanges_total HTTP exchanges recorded\n# TYPE tollgate_exchanges_total counter\n"
      "tollgate_exchanges_total 42\n"
      "# HELP tollgate_lag_seconds behind the journal\n# TYPE tollgate_lag_seconds gauge\ntollgate_lag_seconds 0.5\n");
}
