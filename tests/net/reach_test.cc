// From a name to a connected socket: Connector and Resolver.
#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <vector>

#include "gateway/net/connector.h"
#include "gateway/net/resolver.h"
#include "tests/net/running_loop.h"

using namespace tollgate;
using namespace tollgate::net;
using namespace tollgate::net::test;
using Catch::Matchers::Contains;

namespace {

const SocketAddress anywhere{IpAddress::v4({127, 0, 0, 1}), 0};

// An address on which nobody listens: it is bound, so that nobody else takes it meanwhile.
class RefusingPort {
 public:
  RefusingPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const KernelAddress kernel = to_kernel(anywhere);
    REQUIRE(::bind(socket_.get(), kernel.get(), kernel.size) == 0);
  }
  SocketAddress address() const { return local_address(socket_.get()); }

 private:
  Descriptor socket_;
};

// An address that does not answer: its queue of connections is full.
class SilentPort {
 public:
  SilentPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const KernelAddress kernel = to_kernel(anywhere);
    REQUIRE(::bind(socket_.get(), kernel.get(), kernel.size) == 0);
    REQUIRE(::listen(socket_.get(), 0) == 0);
    for (int i = 0; i < 4; ++i) crowd_.push_back(std::move(start_connecting(address()).value()));
  }
  SocketAddress address() const { return local_address(socket_.get()); }

 private:
  Descriptor socket_;
  std::vector<Descriptor> crowd_;
};

// A connector on a loop of its own and what came of it.
class Attempted {
 public:
  Attempted(std::vector<SocketAddress> addresses, Millis timeout) : loop_(std::move(Loop::create().value())) {
    connector_ = std::make_unique<Connector>(*loop_, std::move(addresses), timeout, [this](Result<Connected> came) {
      ++calls;
      result = std::move(came);
      loop_->retire(std::move(connector_));  // from inside its own callback
      loop_->stop();
    });
    CHECK(calls == 0);  // never from inside the constructor
  }
  Result<Connected>& wait() {
    loop_->run();
    REQUIRE(calls == 1);
    return *result;
  }
  Loop& loop() { return *loop_; }
  Connector& connector() { return *connector_; }
  int calls = 0;
  std::optional<Result<Connected>> result;

 private:
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<Connector> connector_;
};

}  // namespace

TEST_CASE("when the first address refuses, the second is connected to", "[net]") {
  const RefusingPort refusing;
  const auto listener = listen_on(anywhere, Share::no);
  REQUIRE(listener);
  const SocketAddress open = local_address(listener->get());
  Attempted attempted({refusing.address(), open}, Seconds(10));
  auto& result = attempted.wait();
  REQUIRE(result);
  CHECK(result->address == open);
  CHECK(peer_address(result->socket.get()) == open);
}

TEST_CASE("when the first address is silent, the second is tried beside it", "[net]") {
  const SilentPort silent;
  const auto listener = listen_on(anywhere, Share::no);
  REQUIRE(listener);
  Attempted attempted({silent.address(), local_address(listener->get())}, Seconds(10));
  auto& result = attempted.wait();
  REQUIRE(result);
  CHECK(result->address == local_address(listener->get()));
}

TEST_CASE("when every address fails, the error says what each of them did", "[net]") {
  const RefusingPort first;
  const RefusingPort second;
  Attempted attempted({first.address(), second.address()}, Seconds(10));
  const auto& result = attempted.wait();
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == Error::Kind::unreachable);
  CHECK(result.error().what ==
        first.address().text() + ": Connection refused; " + second.address().text() + ": Connection refused");
}

TEST_CASE("an address that stays silent fails when the time is over", "[net]") {
  const SilentPort silent;
  Attempted attempted({silent.address()}, Millis(20));
  const auto& result = attempted.wait();
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == Error::Kind::unreachable);
  CHECK_THAT(result.error().what, Contains("no answer in time"));
}

TEST_CASE("who cancels is not called", "[net]") {
  const RefusingPort refusing;
  Attempted attempted({refusing.address()}, Millis(10));
  Timer late(attempted.loop(), [&] { attempted.loop().stop(); });
  late.start(Millis(50));
  SECTION("before anything was tried") { attempted.connector().cancel(); }
  SECTION("in the turn in which it would fail") {
    attempted.loop().post([&] { attempted.connector().cancel(); });
  }
  attempted.loop().run();
  CHECK(attempted.calls == 0);
}

// --- Resolver

namespace {

// A DNS server on the resolver's loop: `known.test` has an address, `silent.test` gets no answer until release(), and
// other names do not exist.
class TinyDns {
 public:
  explicit TinyDns(Loop& loop)
      : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
        readable_(loop, socket_.get(), Watch::For::reading, [this] { on_readable(); }) {
    const KernelAddress kernel = to_kernel(anywhere);
    REQUIRE(::bind(socket_.get(), kernel.get(), kernel.size) == 0);
    readable_.enable();
  }
  SocketAddress address() const { return local_address(socket_.get()); }
  std::size_t held() const { return held_.size(); }
  void release() {
    for (const auto& [query, from] : std::exchange(held_, {})) answer(query, from);
  }

 private:
  void on_readable() {
    std::string query(512, '\0');
    KernelAddress from;
    const ssize_t count = ::recvfrom(socket_.get(), query.data(), query.size(), 0, from.get(), &from.size);
    if (count < 17) return;
    query.resize(static_cast<std::size_t>(count));
    if (query.find("\6silent\4test") != std::string::npos) {
      held_.emplace_back(query, from);
    } else {
      answer(query, from);
    }
  }
  // RFC 1035 §4.1: the query's header and question again, and an A record where one was asked for.
  void answer(const std::string& query, const KernelAddress& to) {
    const std::size_t question_end = query.find('\0', 12) + 5;
    const bool exists = query.find("\5known\4test") != std::string::npos || query.find("\6silent") != std::string::npos;
    const bool address = exists && query.at(question_end - 3) == 1;  // QTYPE A
    std::string reply = query.substr(0, question_end);
    reply[2] = '\x81';                    // QR, RD
    reply[3] = exists ? '\x80' : '\x83';  // RA; NXDOMAIN
    reply[6] = 0;
    reply[7] = address ? 1 : 0;  // ANCOUNT
    for (int i = 8; i < 12; ++i) reply[static_cast<std::size_t>(i)] = 0;
    if (address) reply += std::string("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\x2a", 16);  // 192.0.2.42
    ::sendto(socket_.get(), reply.data(), reply.size(), 0, to.get(), to.size);
  }

  Descriptor socket_;
  std::vector<std::pair<std::string, KernelAddress>> held_;
  Watch readable_;
};

struct Resolving {
  using Answer = Result<std::vector<IpAddress>>;
  std::unique_ptr<Loop> loop = std::move(Loop::create().value());
  TinyDns dns{*loop};
  std::unique_ptr<Resolver> resolver = std::move(Resolver::create(*loop, {dns.address()}).value());
  std::optional<Answer> answer;
  std::unique_ptr<Lookup> lookup;

  void ask(std::string_view name) {
    lookup = resolver->resolve(HostName::parse(name).value(), [this](Answer came) {
      answer = std::move(came);
      lookup.reset();  // from inside its own callback
      loop->stop();
    });
    CHECK_FALSE(answer);  // never from inside resolve()
  }
};

}  // namespace

TEST_CASE("a name is resolved by the server that was named", "[net]") {
  Resolving r;
  r.ask("known.test");
  r.loop->run();
  REQUIRE(r.answer);
  CHECK(r.answer->value() == std::vector<IpAddress>{IpAddress::v4({192, 0, 2, 42})});
}

TEST_CASE("a name that does not exist is not found, and the error names it", "[net]") {
  Resolving r;
  r.ask("missing.test");
  r.loop->run();
  REQUIRE(r.answer);
  REQUIRE_FALSE(*r.answer);
  CHECK(r.answer->error().kind == Error::Kind::not_found);
  CHECK_THAT(r.answer->error().what, Contains("missing.test"));
}

TEST_CASE("a lookup that is destroyed before its answer is never called back", "[net]") {
  Resolving r;
  r.ask("silent.test");
  Timer poll(*r.loop, [&] {
    if (r.dns.held() < 2) {  // A and AAAA
      poll.start(Millis(1));
      return;
    }
    r.lookup.reset();
    r.dns.release();
    r.ask("known.test");  // answered after the other's answers have come
  });
  poll.start(Millis(1));
  r.loop->run();
  REQUIRE(r.answer);
  CHECK(r.answer->value() == std::vector<IpAddress>{IpAddress::v4({192, 0, 2, 42})});
}

TEST_CASE("a resolver may go while a lookup is under way", "[net]") {
  Resolving r;
  r.ask("silent.test");
  Timer poll(*r.loop, [&] {
    if (r.dns.held() < 1) {
      poll.start(Millis(1));
      return;
    }
    r.resolver.reset();
  });
  poll.start(Millis(1));
  r.loop->run();  // the lookup is told
  REQUIRE(r.answer);
  REQUIRE_FALSE(*r.answer);
  CHECK(r.answer->error().kind == Error::Kind::unreachable);
}
