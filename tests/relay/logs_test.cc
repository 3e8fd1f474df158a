#include <catch2/catch.hpp>

#include "gateway/relay/connection_log.h"
#include "gateway/relay/exchange_log.h"
#include "tests/relay/relay_testing.h"

using namespace tollgate;
using namespace tollgate::relay;
using Catch::Matchers::Contains;

namespace {

struct Logs {
  test::VectorSink sink;
  IdSource ids;
  Counters counters;
  ExchangeLog exchanges{sink, ids, counters};

  OpenExchangeHandle begin(std::string_view target = "/") {
    http::RequestHead head;
    head.method = "GET";
    return exchanges.begin({"01CONNECTION", "phone"}, "1.1", head, "https", "a.test", target);
  }
  const proto::Record& last() const { return sink.records.back(); }
};

}  // namespace

TEST_CASE("an exchange holds what its heads said, and never a query value", "[relay]") {
  Logs logs;
  http::RequestHead request;
  request.method = "POST";
  request.fields.add("Content-Type", "application/json; charset=utf-8");
  request.fields.add("User-Agent", "Weather/3.1");
  request.fields.add("Authorization", "Bearer s3cret");
  auto exchange = logs.exchanges.begin({"01CONNECTION", "phone"}, "2", request, "https", "a.test:8443",
                                       "/v1/track?idfa=s3cret-1&lat=52.1");
  http::ResponseHead response;
  response.status = 204;
  response.fields.add("content-type", "text/html;q=1");
  ExchangeLog::respond(*exchange, response);
  logs.exchanges.end(std::move(exchange), Outcome::complete, "");

  REQUIRE(logs.sink.records.size() == 1);
  const proto::Exchange& facts = logs.last().exchange();
  CHECK(facts.id().size() == 26);
  CHECK(facts.time() > 0);
  CHECK(facts.connection() == "01CONNECTION");
  CHECK(facts.device() == "phone");
  CHECK(facts.http() == "2");
  CHECK(facts.method() == "POST");
  CHECK(facts.scheme() == "https");
  CHECK(facts.host() == "a.test:8443");
  CHECK(facts.path() == "/v1/track");
  CHECK(std::vector<std::string>(facts.query().begin(), facts.query().end()) ==
        std::vector<std::string>{"idfa", "lat"});
  CHECK(facts.request_type() == "application/json");
  CHECK(facts.response_type() == "text/html");
  CHECK(facts.user_agent() == "Weather/3.1");
  CHECK(facts.status() == 204);
  CHECK(facts.action() == "allowed");
  CHECK(facts.duration_ms() >= 0);
  CHECK_THAT(logs.last().SerializeAsString(), !Contains("s3cret") && !Contains("52.1"));
}

TEST_CASE("an exchange is recorded once: its end after that does nothing", "[relay]") {
  Logs logs;
  auto exchange = logs.begin();
  logs.exchanges.record(*exchange, Outcome::complete, "");
  logs.exchanges.end(std::move(exchange), Outcome::interrupted, "the client left");
  REQUIRE(logs.sink.records.size() == 1);
  CHECK(logs.last().exchange().state() == "complete");
  CHECK(logs.counters.get(Counter::exchanges) == 1);
  CHECK(logs.counters.get(Counter::exchanges_unfinished) == 0);
}

TEST_CASE("each way in which an exchange ends has its name, and all but one are counted as unfinished", "[relay]") {
  const auto [outcome, state] = GENERATE(table<Outcome, std::string>({{Outcome::complete, "complete"},
                                                                      {Outcome::interrupted, "interrupted"},
                                                                      {Outcome::truncated, "truncated"},
                                                                      {Outcome::reset, "reset"},
                                                                      {Outcome::refused, "refused"}}));
  CAPTURE(state);
  Logs logs;
  logs.exchanges.end(logs.begin(), outcome, "why");
  CHECK(logs.last().exchange().state() == state);
  CHECK(logs.last().exchange().error() == "why");
  CHECK(logs.last().exchange().action() == (outcome == Outcome::refused ? "blocked" : "allowed"));
  CHECK(logs.counters.get(Counter::exchanges_unfinished) == (outcome == Outcome::complete ? 0 : 1));
}

TEST_CASE("an exchange is announced once, when it has been open for a second", "[relay]") {
  Logs logs;
  auto exchange = logs.begin("/long?key=value");
  const MonoTime started = exchange->started;
  logs.exchanges.announce_long_ones(started + Millis(999));
  CHECK(logs.sink.records.empty());
  logs.exchanges.announce_long_ones(started + Millis(1000));
  logs.exchanges.announce_long_ones(started + Millis(5000));
  REQUIRE(logs.sink.records.size() == 1);
  CHECK(logs.last().begin());
  CHECK(logs.last().exchange().state() == "open");
  CHECK(logs.last().exchange().path() == "/long");

  const std::string id = exchange->facts().id();
  logs.exchanges.end(std::move(exchange), Outcome::complete, "");
  REQUIRE(logs.sink.records.size() == 2);
  CHECK_FALSE(logs.last().begin());
  CHECK(logs.last().exchange().id() == id);
  CHECK(logs.last().exchange().state() == "complete");
  CHECK(logs.counters.get(Counter::exchanges) == 1);
}

TEST_CASE("what has ended is not announced, and what follows in its memory knows nothing of it", "[relay]") {
  Logs logs;
  auto first = logs.begin("/first?a=1");
  const MonoTime started = first->started;
  logs.exchanges.announce_long_ones(started + Seconds(2));
  first->facts().set_request_bytes(17);
  logs.exchanges.end(std::move(first), Outcome::reset, "the origin reset the stream");
  logs.sink.records.clear();

  auto second = logs.begin("/second");
  logs.exchanges.announce_long_ones(second->started + Seconds(2));
  REQUIRE(logs.sink.records.size() == 1);  // again: that the first was announced is forgotten
  const proto::Exchange& facts = logs.last().exchange();
  CHECK(facts.path() == "/second");
  CHECK(facts.query().empty());
  CHECK(facts.request_bytes() == 0);
  CHECK(facts.error().empty());
  logs.exchanges.end(std::move(second), Outcome::complete, "");
  logs.sink.records.clear();
  logs.exchanges.announce_long_ones(started + Seconds(100));
  CHECK(logs.sink.records.empty());
}

// --- connections

namespace {

struct Connections : Logs {
  ConnectionLog log{sink, ids, counters, "phone", "proxy"};
  const MonoTime opened = log.last_moved();
};

}  // namespace

TEST_CASE("payload that moves within 200 ms is one burst", "[relay]") {
  Connections c;
  c.log.moved(10, 0, c.opened + Millis(50));
  c.log.moved(0, 500, c.opened + Millis(250));
  c.log.moved(0, 500, c.opened + Millis(450));  // 200 ms after the last byte, not the first
  c.log.moved(3, 4, c.opened + Millis(651));
  c.log.close(1, 2);
  const auto& activity = c.last().connection().activity();
  REQUIRE(activity.size() == 2);
  CHECK(activity[0].ms() == 50);
  CHECK(activity[0].up() == 10);
  CHECK(activity[0].down() == 1000);
  CHECK(activity[1].ms() == 651);
  CHECK(activity[1].up() == 3);
  CHECK(activity[1].down() == 4);
  CHECK(c.log.last_moved() == c.opened + Millis(651));
}

TEST_CASE("a record holds 4,096 bursts, and the last takes what comes later", "[relay]") {
  Connections c;
  for (int i = 0; i < 5000; ++i) c.log.moved(1, 2, c.opened + Seconds(i));
  c.log.close(0, 0);
  const auto& activity = c.last().connection().activity();
  REQUIRE(activity.size() == 4096);
  CHECK(activity[4094].up() == 1);
  CHECK(activity[4095].up() == 5000 - 4095);
  CHECK(activity[4095].down() == 2 * (5000 - 4095));
}

TEST_CASE("a connection that stays open is written in parts, each with its own bursts", "[relay]") {
  Connections c;
  c.log.moved(1, 0, c.opened + Seconds(1));
  c.log.part_if_due(100, 200, c.opened + Seconds(599));
  CHECK(c.sink.records.empty());
  c.log.part_if_due(100, 200, c.opened + Seconds(601));
  REQUIRE(c.sink.records.size() == 1);
  CHECK(c.last().connection().part() == 0);
  CHECK(c.last().connection().bytes_up() == 100);
  CHECK(c.last().connection().activity_size() == 1);
  CHECK_FALSE(c.last().connection().has_closed());

  c.log.part_if_due(100, 200, c.opened + Seconds(1300));
  CHECK(c.sink.records.size() == 1);  // nothing has moved

  c.log.moved(0, 9, c.opened + Seconds(1400));
  c.log.close(110, 209);
  REQUIRE(c.sink.records.size() == 2);
  CHECK(c.last().connection().id() == c.sink.records[0].connection().id());
  CHECK(c.last().connection().part() == 1);
  CHECK(c.last().connection().activity_size() == 1);
  CHECK(c.last().connection().activity(0).down() == 9);
  CHECK(c.last().connection().bytes_down() == 209);
  CHECK(c.last().connection().has_closed());
}

TEST_CASE("the first decision and the first error stay, and only that decision is counted", "[relay]") {
  Connections c;
  CHECK_FALSE(c.log.decided());
  c.log.decide(Treatment::passthrough, reason::not_tls);
  c.log.decide(Treatment::failed, reason::client_closed);
  CHECK(c.log.decided());
  c.log.error("the first");
  c.log.error("the second");
  c.log.close(0, 0);
  CHECK(c.last().connection().treatment() == "passthrough");
  CHECK(c.last().connection().reason() == "not_tls");
  CHECK(c.last().connection().error() == "the first");
  CHECK(c.counters.get(Counter::connections_passed_through) == 1);
  CHECK(c.counters.get(Counter::connections_failed) == 0);
}

TEST_CASE("each decision has its word and its counter", "[relay]") {
  const auto [treatment, word, counter] = GENERATE(table<Treatment, std::string, Counter>(
      {{Treatment::intercepted, "intercepted", Counter::connections_intercepted},
       {Treatment::passthrough, "passthrough", Counter::connections_passed_through},
       {Treatment::blocked, "blocked", Counter::connections_blocked},
       {Treatment::failed, "failed", Counter::connections_failed}}));
  CAPTURE(word);
  Connections c;
  c.log.decide(treatment, reason::none);
  c.log.close(0, 0);
  CHECK(c.last().connection().treatment() == word);
  CHECK(c.counters.get(counter) == 1);
}

TEST_CASE("an error of a peer's making cannot write on a terminal, nor without end", "[relay]") {
  Connections c;
  c.log.error("\x1b[31m" + std::string(10'000, 'x'));
  c.log.close(0, 0);
  CHECK_THAT(c.last().connection().error(), !Contains("\x1b"));
  CHECK(c.last().connection().error().size() <= 500);
}
