#include "gateway/relay/h1_relay.h"

#include <catch2/catch.hpp>

#include "tests/relay/relay_testing.h"

using namespace tollgate;
using namespace tollgate::relay;
using namespace tollgate::relay::test;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;

namespace {

constexpr std::string_view get_a = "GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n";
constexpr std::string_view get_b = "GET /b HTTP/1.1\r\nHost: a.test\r\n\r\n";
constexpr std::string_view ok_hi = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
constexpr std::string_view head_end = "\r\n\r\n";

// What a client of a forward proxy sends.
std::string absolute(std::string_view method, std::string_view host) {
  return std::string(method) + " http://" + std::string(host) + "/ HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n";
}
std::string origin_form(std::string_view method, std::string_view host) {
  return std::string(method) + " / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n";
}

}  // namespace

TEST_CASE("a request and its response are relayed octet for octet and recorded once, without query values", "[relay]") {
  World world;
  world.relay_http1();
  const std::string request = "GET /a?token=secret HTTP/1.1\r\nhOsT: a.test\r\nX-Odd:  spaced \r\n\r\n";
  world.client.send(request);
  // Field names keep their case; white space around a value is no part of it.
  CHECK(world.origins[0].read_until(head_end) ==
        "GET /a?token=secret HTTP/1.1\r\nhOsT: a.test\r\nX-Odd: spaced\r\n\r\n");
  world.origins[0].send(ok_hi);
  CHECK(world.client.read_until("hi") == ok_hi);

  const auto recorded = world.exchanges();
  REQUIRE(recorded.size() == 1);
  const proto::Exchange& exchange = recorded[0];
  CHECK(exchange.state() == "complete");
  CHECK(exchange.status() == 200);
  CHECK(exchange.response_bytes() == 2);
  CHECK(exchange.host() == "a.test");
  CHECK(exchange.path() == "/a");
  REQUIRE(exchange.query_size() == 1);
  CHECK(exchange.query(0) == "token");
  CHECK_THAT(exchange.ShortDebugString(), !Contains("secret"));
  CHECK_FALSE(world.over());
}

TEST_CASE("chunked content is relayed the same wherever the network cuts it, in the middle of a size line too",
          "[relay]") {
  World world;
  world.relay_http1();
  const auto in_octets = [&](Peer& peer, const std::string& message) {
    for (const char octet : message) {
      peer.send({&octet, 1});
      world.settle();
    }
  };
  const std::string request =
      "POST /c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
  in_octets(world.client, request);
  CHECK(world.origins[0].read_until("0\r\n\r\n") == request);
  const std::string response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n";
  in_octets(world.origins[0], response);
  CHECK(world.client.read_until("0\r\n\r\n") == response);
  CHECK(world.exchanges().at(0).state() == "complete");
}

TEST_CASE("a response that nobody asked for ends the connection and reaches no client", "[relay]") {
  World world;
  world.relay_http1();
  world.origins[0].send(ok_hi);
  CHECK(world.client.read_all().empty());
  CHECK(world.client.end() == End::fin);
  CHECK(world.exchanges().empty());
}

TEST_CASE("101 without an Upgrade is a malformed response: 502, and its connection is reset", "[relay]") {
  World world;
  world.relay_http1();
  world.client.send(get_a);
  world.origins[0].read_until(head_end);
  world.origins[0].send(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nsmuggled");
  const std::string answer = world.client.read_all();
  CHECK_THAT(answer, StartsWith("HTTP/1.1 502 "));
  CHECK_THAT(answer, !Contains("smuggled"));
  CHECK(world.origins[0].end() == End::reset);
  REQUIRE(world.exchanges().size() == 1);
  CHECK(world.exchanges()[0].status() == 502);
  CHECK(world.exchanges()[0].state() == "truncated");
  CHECK(world.count(Counter::responses_malformed) == 1);
}

TEST_CASE("101 to an Upgrade carries bytes both ways, and is complete when both sides have ended", "[relay]") {
  World world;
  world.relay_http1();
  world.client.send("GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  CHECK_THAT(world.origins[0].read_until(head_end), Contains("Upgrade: websocket"));
  world.origins[0].send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\ndown");
  CHECK_THAT(world.client.read_until("down"), StartsWith("HTTP/1.1 101 "));
  world.client.send("up");
  CHECK(world.origins[0].read(2) == "up");
  world.client.half_close();
  CHECK(world.origins[0].end() == End::fin);
  world.settle();
  CHECK(world.exchanges().empty());  // the origin may still speak
  world.origins[0].send(" late");
  world.origins[0].close();
  CHECK(world.client.read_all() == " late");
  REQUIRE(world.exchanges().size() == 1);
  CHECK(world.exchanges()[0].state() == "complete");
  CHECK(world.exchanges()[0].scheme() == "ws");
  CHECK(world.exchanges()[0].status() == 101);
  CHECK(world.exchanges()[0].request_bytes() == 2);
  CHECK(world.exchanges()[0].response_bytes() == 9);
}

TEST_CASE("a response before the end of the request is relayed at once, and the rest of the request still goes up",
          "[relay]") {
  World world;
  world.relay_http1();
  world.client.send("POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 6\r\n\r\nabc");
  world.origins[0].read_until("abc");
  world.origins[0].send(ok_hi);
  CHECK(world.client.read_until("hi") == ok_hi);
  CHECK_FALSE(world.over());
  world.client.send("def");
  CHECK(world.origins[0].read(3) == "def");
  world.client.send(get_b);
  CHECK(world.origins[0].read_until(head_end) == get_b);
  world.origins[0].send(ok_hi);
  CHECK(world.client.read_until("hi") == ok_hi);
  CHECK(world.exchanges().size() == 2);
}

TEST_CASE("after an early response that ends the connection, what is still uploaded is dropped", "[relay]") {
  World world;
  world.relay_http1();
  world.client.send("POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000\r\n\r\nabc");
  world.origins[0].read_until("abc");
  const std::string_view refusal = "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  world.origins[0].send(refusal);
  CHECK(world.client.read_until(head_end) == refusal);
  world.client.send("def");
  CHECK(world.client.end() == End::fin);
  CHECK(world.origins[0].read_all().empty());
  REQUIRE(world.exchanges().size() == 1);
  CHECK(world.exchanges()[0].state() == "complete");
  CHECK(world.exchanges()[0].status() == 413);
}

TEST_CASE("requests pipelined before a half-close are answered one after another", "[relay]") {
  World world;
  world.relay_http1();
  world.client.send(std::string(get_a) + std::string(get_b));
  world.client.half_close();
  CHECK(world.origins[0].read_until(head_end) == get_a);
  world.settle();
  CHECK(world.origins[0].read_arrived().empty());  // the second waits for the first response
  world.origins[0].send(ok_hi);
  CHECK(world.origins[0].read_until(head_end) == get_b);
  world.origins[0].send(ok_hi);
  CHECK(world.client.read_all() == std::string(ok_hi) + std::string(ok_hi));
  CHECK(world.client.end() == End::fin);
  REQUIRE(world.exchanges().size() == 2);
  CHECK(world.exchanges()[0].path() == "/a");
  CHECK(world.exchanges()[1].path() == "/b");
  CHECK(world.exchanges()[1].state() == "complete");
}

TEST_CASE("a reset in the middle of a response is passed on as a reset", "[relay]") {
  World world;
  world.relay_http1();
  world.client.send(get_a);
  world.origins[0].read_until(head_end);
  world.origins[0].send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  CHECK_THAT(world.client.read_until("abc"), StartsWith("HTTP/1.1 200 OK"));
  world.origins[0].reset();
  CHECK(world.client.end() == End::reset);
  REQUIRE(world.exchanges().size() == 1);
  CHECK(world.exchanges()[0].state() == "reset");
  CHECK(world.exchanges()[0].response_bytes() == 3);
  CHECK(world.count(Counter::exchanges_unfinished) == 1);
}

TEST_CASE("a response that ends too early is recorded as truncated, and the client sees it end", "[relay]") {
  World world;
  world.relay_http1();
  world.client.send(get_a);
  world.origins[0].read_until(head_end);
  world.origins[0].send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  world.client.read_until("abc\r\n");
  world.origins[0].close();
  CHECK(world.client.read_all().empty());  // no last chunk: the client can tell
  CHECK(world.client.end() == End::fin);
  REQUIRE(world.exchanges().size() == 1);
  CHECK(world.exchanges()[0].state() == "truncated");
}

TEST_CASE("a client that resets is recorded as interrupted, and its origin is reset", "[relay]") {
  World world;
  world.relay_http1();
  world.client.send(get_a);
  world.origins[0].read_until(head_end);
  world.client.reset();
  CHECK(world.origins[0].end() == End::reset);
  REQUIRE(world.exchanges().size() == 1);
  CHECK(world.exchanges()[0].state() == "interrupted");
}

TEST_CASE("a 1.0 client gets chunked content without chunks, ended by the connection", "[relay]") {
  World world;
  world.relay_http1();
  world.client.send("GET /a HTTP/1.0\r\nHost: a.test\r\n\r\n");
  world.origins[0].read_until(head_end);
  world.origins[0].send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
  const std::string response = world.client.read_all();
  CHECK_THAT(response, EndsWith("\r\n\r\nhello world"));
  CHECK_THAT(response, !Contains("chunked"));
  CHECK(world.client.end() == End::fin);
  REQUIRE(world.exchanges().size() == 1);
  CHECK(world.exchanges()[0].http() == "1.0");
  CHECK(world.exchanges()[0].state() == "complete");
  CHECK(world.exchanges()[0].response_bytes() == 11);
}

TEST_CASE("100 Continue reaches a client that knows it, and no 1.0 client", "[relay]") {
  const auto version = GENERATE(std::string("1.1"), std::string("1.0"));
  CAPTURE(version);
  World world;
  world.relay_http1();
  world.client.send("POST /a HTTP/" + version +
                    "\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  CHECK_THAT(world.origins[0].read_until(head_end), Contains("Expect: 100-continue"));
  world.origins[0].send("HTTP/1.1 100 Continue\r\n\r\n");
  world.settle();
  CHECK(world.client.read_arrived() == (version == "1.1" ? "HTTP/1.1 100 Continue\r\n\r\n" : ""));
  world.client.send("ab");
  CHECK(world.origins[0].read(2) == "ab");
  world.origins[0].send(ok_hi);
  CHECK_THAT(world.client.read_until("hi"), StartsWith("HTTP/1.1 200 OK\r\n"));
  CHECK(world.exchanges().at(0).status() == 200);
}

TEST_CASE("an ambiguous request is answered 400, recorded as refused, and nothing of it is forwarded", "[relay]") {
  World world;
  world.relay_http1();
  world.client.send(
      "POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  CHECK_THAT(world.client.read_all(), StartsWith("HTTP/1.1 400 "));
  CHECK(world.origins[0].read_all().empty());
  REQUIRE(world.exchanges().size() == 1);
  CHECK(world.exchanges()[0].state() == "refused");
  CHECK(world.exchanges()[0].status() == 400);
  CHECK(world.count(Counter::requests_malformed) == 1);
}

TEST_CASE("draining lets the exchange under way end, says so, and begins no other", "[relay]") {
  World world;
  world.relay_http1();
  world.client.send(std::string(get_a) + std::string(get_b));
  world.origins[0].read_until(head_end);
  world.on_loop([&] { world.relay_on_loop().drain(); });
  world.origins[0].send(ok_hi);
  const std::string response = world.client.read_all();
  CHECK_THAT(response, Contains("Connection: close\r\n") && EndsWith("\r\n\r\nhi"));
  CHECK(world.origins[0].read_all().empty());
  CHECK(world.exchanges().size() == 1);
}

TEST_CASE("draining ends an idle connection at once", "[relay]") {
  World world;
  world.relay_http1();
  world.on_loop([&] { world.relay_on_loop().drain(); });
  CHECK(world.client.read_all().empty());
  CHECK(world.origins[0].end() == End::fin);
}

TEST_CASE("a request head is overdue from its first byte on, and never between requests", "[relay]") {
  World world;
  world.relay_http1();
  const auto overdue = [&](Seconds later) {
    return world.on_loop([&] { return world.relay_on_loop().overdue(mono_now() + later, Seconds(60)).has_value(); });
  };
  CHECK_FALSE(overdue(Seconds(3600)));
  world.client.send(get_a.substr(0, 10));
  world.settle();
  CHECK_FALSE(overdue(Seconds(30)));
  CHECK(overdue(Seconds(61)));
  world.client.send(get_a.substr(10));
  world.origins[0].read_until(head_end);
  CHECK_FALSE(overdue(Seconds(3600)));
}

TEST_CASE("aborting records what is open as interrupted and does not call back", "[relay]") {
  World world;
  world.relay_http1();
  world.client.send(get_a);
  world.origins[0].read_until(head_end);
  world.on_loop([&] { world.relay_on_loop().abort("the gateway stopped"); });
  REQUIRE(world.exchanges().size() == 1);
  CHECK(world.exchanges()[0].state() == "interrupted");
  CHECK(world.exchanges()[0].error() == "the gateway stopped");
  CHECK_FALSE(world.over());
}

TEST_CASE("a client that does not read stops its origin, and gets everything once it does", "[relay]") {
  constexpr int buffers = 32 * 1024;
  constexpr std::size_t content = 4 * 1024 * 1024;
  World world(buffers);
  world.relay_http1();
  world.client.send(get_a);
  world.origins[0].read_until(head_end);
  world.origins[0].send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(content) + "\r\n\r\n");

  const std::string block(16 * 1024, 'x');
  std::size_t sent = 0;
  for (int full = 0; full < 4 && sent < content;) {
    const std::size_t taken = world.origins[0].send_what_fits(std::string_view(block).substr(0, content - sent));
    sent += taken;
    full = taken == 0 ? full + 1 : 0;
    if (taken == 0) world.settle();
  }
  // The high mark and one read past it, and four kernel buffers, which the kernel doubles.
  CHECK(sent < net::stream_high_mark + 64 * kibibyte + 4 * 2 * buffers);

  world.client.read_until(head_end);
  std::size_t arrived = 0;
  while (arrived < content) {
    sent += world.origins[0].send_what_fits(std::string_view(block).substr(0, std::min(block.size(), content - sent)));
    arrived += world.client.read_arrived().size();
    world.settle();
  }
  CHECK(arrived == content);
  REQUIRE(world.exchanges().size() == 1);
  CHECK(world.exchanges()[0].response_bytes() == content);
}

TEST_CASE("an origin that does not read stops its client", "[relay]") {
  constexpr int buffers = 32 * 1024;
  constexpr std::size_t content = 4 * 1024 * 1024;
  World world(buffers);
  world.relay_http1();
  world.client.send("POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: " + std::to_string(content) + "\r\n\r\n");
  const std::string block(16 * 1024, 'x');
  std::size_t sent = 0;
  for (int full = 0; full < 4 && sent < content;) {
    const std::size_t taken = world.client.send_what_fits(block);
    sent += taken;
    full = taken == 0 ? full + 1 : 0;
    if (taken == 0) world.settle();
  }
  CHECK(sent < net::stream_high_mark + 64 * kibibyte + 4 * 2 * buffers);
}

// --- forward proxy

TEST_CASE("a forward proxy sends origin-form to the origin that the target names, and dials once for both", "[relay]") {
  World world;
  world.relay_forward();
  for (int i = 0; i < 2; ++i) {
    world.client.send(absolute("GET", "a.test"));
    CHECK(world.origins[0].read_until(head_end) == origin_form("GET", "a.test"));
    world.origins[0].send(ok_hi);
    CHECK(world.client.read_until("hi") == ok_hi);
  }
  CHECK(world.dialled() == std::vector<std::string>{"a.test:80"});
  world.client.send(absolute("GET", "b.test"));
  CHECK(world.origins[1].read_until(head_end) == origin_form("GET", "b.test"));
  CHECK(world.origins[0].end() == End::fin);
  CHECK(world.dialled() == std::vector<std::string>{"a.test:80", "b.test:80"});
}

TEST_CASE("a forward proxy refuses what is not for it", "[relay]") {
  World world;
  world.relay_forward();
  SECTION("origin-form") {
    world.client.send(get_a);
    CHECK_THAT(world.client.read_all(), StartsWith("HTTP/1.1 400 "));
  }
  SECTION("https, which goes through CONNECT") {
    world.client.send("GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n");
    CHECK_THAT(world.client.read_all(), StartsWith("HTTP/1.1 501 "));
  }
  SECTION("a destination that is refused") {
    world.on_loop([&] { world.dial_error = Error{Error::Kind::refused, "127.0.0.1 is a loopback address"}; });
    world.client.send(absolute("GET", "a.test"));
    CHECK_THAT(world.client.read_all(), StartsWith("HTTP/1.1 403 "));
  }
  SECTION("a destination that cannot be reached") {
    world.on_loop([&] { world.dial_error = Error{Error::Kind::unreachable, "no answer in time"}; });
    world.client.send(absolute("GET", "a.test"));
    CHECK_THAT(world.client.read_all(), StartsWith("HTTP/1.1 502 "));
  }
  CHECK(world.exchanges().at(0).state() == "refused");
  CHECK(world.exchanges().size() == 1);
}

TEST_CASE("a GET on a reused connection that its origin had closed is sent again on a new one, once", "[relay]") {
  World world;
  world.relay_forward();
  world.client.send(absolute("GET", "a.test"));
  world.origins[0].read_until(head_end);
  world.origins[0].send(ok_hi);
  world.client.read_until("hi");

  world.client.send(absolute("GET", "a.test"));
  world.origins[0].read_until(head_end);
  world.origins[0].close();
  CHECK(world.origins[1].read_until(head_end) == origin_form("GET", "a.test"));
  SECTION("and answered there") {
    world.origins[1].send(ok_hi);
    CHECK(world.client.read_until("hi") == ok_hi);
    REQUIRE(world.exchanges().size() == 2);
    CHECK(world.exchanges()[1].state() == "complete");
  }
  SECTION("and not a third time") {
    world.origins[1].close();
    CHECK_THAT(world.client.read_all(), StartsWith("HTTP/1.1 502 "));
    CHECK(world.dialled().size() == 2);
    CHECK(world.exchanges().at(1).state() == "truncated");
  }
}

TEST_CASE("a POST is never sent twice", "[relay]") {
  World world;
  world.relay_forward();
  world.client.send(absolute("GET", "a.test"));
  world.origins[0].read_until(head_end);
  world.origins[0].send(ok_hi);
  world.client.read_until("hi");
  world.client.send(absolute("POST", "a.test"));
  world.origins[0].read_until(head_end);
  world.origins[0].close();
  CHECK_THAT(world.client.read_all(), StartsWith("HTTP/1.1 502 "));
  CHECK(world.dialled().size() == 1);
}

TEST_CASE("an idle origin that says goodbye does not end the connection to a forward proxy", "[relay]") {
  World world;
  world.relay_forward();
  world.client.send(absolute("GET", "a.test"));
  world.origins[0].read_until(head_end);
  world.origins[0].send(ok_hi);
  world.client.read_until("hi");
  world.origins[0].send("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  world.origins[0].close();
  world.settle();
  CHECK(world.client.read_arrived().empty());
  CHECK_FALSE(world.over());
  world.client.send(absolute("GET", "a.test"));
  CHECK(world.origins[1].read_until(head_end) == origin_form("GET", "a.test"));
}

TEST_CASE("what a former origin says in the turn in which another is dialled is not taken for an answer", "[relay]") {
  World world;
  world.relay_forward();
  world.client.send(absolute("GET", "a.test"));
  world.origins[0].read_until(head_end);
  world.origins[0].send(ok_hi);
  world.client.read_until("hi");
  world.on_loop([&] {  // both are there when the loop looks next, the request first
    world.client.send(absolute("GET", "b.test"));
    world.origins[0].send("HTTP/1.1 408 Request Timeout\r\n\r\n");
  });
  CHECK(world.origins[1].read_until(head_end) == origin_form("GET", "b.test"));
  world.origins[1].send(ok_hi);
  CHECK(world.client.read_until("hi") == ok_hi);
}
