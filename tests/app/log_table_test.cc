#include "gateway/app/log_table.h"

#include <catch2/catch.hpp>

#include "gateway/base/text.h"

using namespace tollgate;
using namespace tollgate::app;

namespace {

proto::Record exchange() {
  proto::Record record;
  auto& e = *record.mutable_exchange();
  e.set_time(1'795'352'523'000'004);
  e.set_device("192.168.1.20");
  e.mutable_app()->set_name("Example Weather");
  e.set_method("GET");
  e.set_scheme("https");
  e.set_host("api.example.test");
  e.set_path("/v1/forecast");
  e.add_query("lat");
  e.add_query("lon");
  e.set_status(200);
  e.set_response_bytes(2048);
  e.set_duration_ms(41.7);
  e.set_class_("content");
  e.set_state("complete");
  e.set_action("allowed");
  return record;
}

bool has(const std::string& line, std::string_view text) { return line.find(text) != std::string::npos; }

}  // namespace

TEST_CASE("an exchange's line says who asked what of whom, and what came of it", "[app]") {
  const std::string line = LogTable({}).line(exchange());
  for (const auto* text : {"192.168.1.20", "Example Weather", "GET", "200", "content", "2.0 KiB", "42 ms",
                           "api.example.test/v1/forecast?lat&lon"}) {
    CAPTURE(line, text);
    CHECK(has(line, text));
  }
}

TEST_CASE("an exchange that did not end well says how", "[app]") {
  proto::Record record = exchange();
  record.mutable_exchange()->set_state("truncated");
  CHECK(has(LogTable({}).line(record), "200 truncated"));
  record.mutable_exchange()->set_status(0);
  record.mutable_exchange()->set_state("open");
  CHECK(has(LogTable({}).line(record), " open "));
  record.mutable_exchange()->set_action("blocked");
  CHECK(has(LogTable({}).line(record), " blocked "));
}

TEST_CASE("a connection's line says how it was treated and why", "[app]") {
  proto::Record record;
  auto& c = *record.mutable_connection();
  c.set_host("pinned.example.test");
  c.set_sni("pinned.example.test");
  c.set_treatment("passthrough");
  c.set_reason("pinned");
  c.set_opened(1'000'000);
  CHECK(has(LogTable({}).line(record), "passthrough"));
  CHECK(has(LogTable({}).line(record), "pinned.example.test (pinned)"));
  CHECK(has(LogTable({}).line(record), "tls"));
  CHECK(has(LogTable({}).line(record), "open"));
  c.set_closed(3'500'000);
  CHECK(has(LogTable({}).line(record), "2.5 s"));
}

TEST_CASE("lookups and hints have their lines", "[app]") {
  proto::Record lookup;
  lookup.mutable_dns()->set_query("example.test");
  lookup.mutable_dns()->set_type("A");
  lookup.mutable_dns()->add_answers("192.0.2.1");
  lookup.mutable_dns()->set_rcode("NOERROR");
  CHECK(has(LogTable({}).line(lookup), "example.test A = 192.0.2.1"));
  proto::Record hint;
  hint.mutable_hint()->set_app("com.example.weather");
  hint.mutable_hint()->set_event("opened");
  hint.mutable_hint()->set_on(true);
  CHECK(has(LogTable({}).line(hint), "opened on"));
  CHECK(has(LogTable({}).line(hint), "com.example.weath"));
}

TEST_CASE("no line is wider than the terminal, however narrow", "[app]") {
  proto::Record record = exchange();
  record.mutable_exchange()->set_path("/" + std::string(500, 'x'));
  record.mutable_exchange()->mutable_app()->set_name("天気予報アプリケーション");
  for (std::size_t columns = 1; columns < 200; ++columns) {
    const LogTable table({true, false, columns});
    CAPTURE(columns);
    CHECK(display_width(table.line(record)) <= columns);
    CHECK(display_width(table.header()) <= columns);
    CHECK(is_utf8(table.line(record)));
  }
  CHECK(has(LogTable({}).line(record), std::string(500, 'x')));
}

TEST_CASE("a narrow terminal keeps time, method, result and place", "[app]") {
  const std::string header = LogTable({true, false, 72}).header();
  CHECK(has(header, "TIME"));
  CHECK(has(header, "RESULT"));
  CHECK(has(header, "WHERE"));
  CHECK_FALSE(has(header, "CLASS"));
  CHECK_FALSE(has(header, "TOOK"));
  CHECK(has(LogTable({true, false, 160}).header(), "CLASS"));
}

TEST_CASE("columns stay below their titles when names are wide, long or empty", "[app]") {
  const LogTable table({true, false, 160});
  const auto at = [](const std::string& line, std::string_view text) {
    return display_width(line.substr(0, line.find(text)));
  };
  const std::size_t where = at(table.header(), "WHERE");
  proto::Record record = exchange();
  CHECK(at(table.line(record), "api.example") == where);
  record.mutable_exchange()->mutable_app()->set_name("天気予報アプリケーション");
  CHECK(at(table.line(record), "api.example") == where);
  record.mutable_exchange()->mutable_app()->set_name("cafe\u0301");
  CHECK(at(table.line(record), "api.example") == where);
  record.mutable_exchange()->set_method("");
  CHECK(at(table.line(record), "api.example") == where);
}

TEST_CASE("colour is there only when it is asked for", "[app]") {
  CHECK(LogTable({true, false, 120}).line(exchange()).find('\x1b') == std::string::npos);
  const std::string coloured = LogTable({true, true, 120}).line(exchange());
  CHECK(coloured.starts_with("\x1b[32m"));
  CHECK(coloured.ends_with("\x1b[0m"));
}

TEST_CASE("what a peer sent never reaches the terminal as a command", "[app]") {
  proto::Record record = exchange();
  auto& e = *record.mutable_exchange();
  e.set_path(
      "/\x1b]0;owned\x07\r\n\xc2\x9b"
      "31m");
  e.mutable_app()->set_name("\x1b[2J");
  e.set_error("\xe2\x80\xaereversed");
  const std::string line = LogTable({}).line(record);
  std::string_view rest = line;
  while (!rest.empty()) {
    const auto code_point = take_code_point(rest);
    REQUIRE(code_point);
    CHECK_FALSE(is_control(*code_point));
  }
}

TEST_CASE("text is cut between characters, and only where it must be", "[app]") {
  CHECK(fitted("abc", 3) == "abc");
  CHECK(fitted("abcd", 3) == "ab…");
  CHECK(fitted("天気予報", 8) == "天気予報");
  CHECK(fitted("天気予報", 6) == "天気…");
  CHECK(fitted("天気予報", 4) == "天…");
  CHECK(fitted("天", 1) == "…");
}
