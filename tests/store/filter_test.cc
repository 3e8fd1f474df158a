#include "gateway/store/filter.h"

#include "tests/store/records.h"

namespace tollgate::store {
namespace {

bool host(const std::string& pattern, const std::string& host) {
  Filter filter;
  filter.host = pattern;
  const auto record = exchange(1, [&](proto::Exchange& exchange) { exchange.set_host(host); });
  return matches(filter, *candidate(record));
}

bool app(const std::string& pattern, const std::string& id, const std::string& name) {
  Filter filter;
  filter.app = pattern;
  const auto record = exchange(1, [&](proto::Exchange& exchange) {
    exchange.mutable_app()->set_id(id);
    exchange.mutable_app()->set_name(name);
  });
  return matches(filter, *candidate(record));
}

}  // namespace

TEST_CASE("a host without a glob matches itself and the names below it", "[store]") {
  CHECK(host("example.test", "example.test"));
  CHECK(host("example.test", "api.example.test"));
  CHECK(host(".example.test", "api.example.test"));
  CHECK(host("EXAMPLE.test", "Api.Example.Test"));
  CHECK_FALSE(host("example.test", "myexample.test"));
  CHECK_FALSE(host("example.test", "example.test.other.test"));
  CHECK_FALSE(host("api.example.test", "example.test"));
  CHECK_FALSE(host("example.test", ""));
}

TEST_CASE("a host's port counts only when it is asked for", "[store]") {
  CHECK(host("example.test", "example.test:8443"));
  CHECK(host("example.test", "api.example.test:8443"));
  CHECK(host("example.test:8443", "example.test:8443"));
  CHECK_FALSE(host("example.test:8443", "example.test"));
  CHECK_FALSE(host("example.test:8443", "example.test:443"));
  CHECK(host("::1", "[::1]:8443"));
  CHECK(host("[::1]", "::1"));
  CHECK(host("[::1]:8443", "[::1]:8443"));
  CHECK_FALSE(host("::1", "2001:db8::1"));
}

TEST_CASE("a host glob is held against the whole name", "[store]") {
  CHECK(host("*.example.test", "api.example.test"));
  CHECK_FALSE(host("*.example.test", "example.test"));
  CHECK(host("api-?.example.test", "api-3.example.test:8443"));
  CHECK(host("*metrics*", "a.metrics.example.test"));
  CHECK_FALSE(host("metrics*", "a.metrics.example.test"));
  CHECK(host("*", "anything.test"));
}

TEST_CASE("a glob with many stars is answered at once", "[store]") {
  std::string pattern;
  for (int i = 0; i < 30; ++i) pattern += "*a";
  CHECK_FALSE(host(pattern + "*b", std::string(5000, 'a')));
}

TEST_CASE("an app is found by a part of its id or name, or by a glob over one of them", "[store]") {
  CHECK(app("weather", "com.example.weather", "Example"));
  CHECK(app("WEATHER", "com.example.x", "Example Weather"));
  CHECK_FALSE(app("weather", "com.example.news", "News"));
  CHECK(app("com.example.*", "com.example.weather", ""));
  CHECK(app("*Weather", "", "Example Weather"));
  CHECK_FALSE(app("example.*", "com.example.weather", "Weather"));
}

TEST_CASE("times are from since up to but not including until", "[store]") {
  Filter filter;
  filter.since = from_micros(monday + 10);
  filter.until = from_micros(monday + 20);
  const auto at = [&](std::int64_t number) { return matches(filter, *candidate(exchange(number))); };
  CHECK_FALSE(at(9));
  CHECK(at(10));
  CHECK(at(19));
  CHECK_FALSE(at(20));
}

TEST_CASE("a condition on a field that a record has not got is not met", "[store]") {
  proto::Record hint;
  hint.mutable_hint()->set_id("ID1");
  hint.mutable_hint()->set_app("com.example.weather");
  Filter filter;
  filter.app = "weather";
  CHECK(matches(filter, *candidate(hint)));
  filter = {};
  filter.host = "*";
  CHECK_FALSE(matches(filter, *candidate(hint)));
  filter = {};
  filter.klass = "ads";
  CHECK_FALSE(matches(filter, *candidate(connection(1))));
  CHECK_FALSE(candidate(proto::Record()).has_value());
}

TEST_CASE("a connection is found by its server name and its treatment", "[store]") {
  const auto record = connection(1, [](proto::Connection& connection) {
    connection.set_host("192.0.2.1:443");
    connection.set_sni("push.example.test");
    connection.set_treatment("passthrough");
  });
  Filter filter;
  filter.host = "example.test";
  filter.action = "passthrough";
  filter.kind = Kind::connection;
  CHECK(matches(filter, *candidate(record)));
  filter.action = "blocked";
  CHECK_FALSE(matches(filter, *candidate(record)));
}

TEST_CASE("kinds have the contract's names", "[store]") {
  for (const char* text : {"exchange", "connection", "dns", "hint"}) {
    REQUIRE(parse_kind(text));
    CHECK(name(*parse_kind(text)) == text);
  }
  REQUIRE_FALSE(parse_kind("exchanges"));
  CHECK(parse_kind("exchanges").error().what == "kind \"exchanges\": one of exchange, connection, dns, hint");
}

}  // namespace tollgate::store
