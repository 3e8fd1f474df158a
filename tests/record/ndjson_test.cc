#include "gateway/record/ndjson.h"

#include <rapidjson/document.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace tollgate::record {
namespace {

using Names = std::vector<std::string>;

std::string line_of(const proto::Record& record) {
  std::string line;
  append_ndjson(record, line);
  REQUIRE(line.ends_with("}\n"));
  REQUIRE(line.find('\n') == line.size() - 1);
  return line;
}

rapidjson::Document parsed(const proto::Record& record) {
  const std::string line = line_of(record);
  rapidjson::Document document;
  document.Parse<rapidjson::kParseValidateEncodingFlag | rapidjson::kParseFullPrecisionFlag>(line.data(), line.size());
  INFO(line);
  REQUIRE_FALSE(document.HasParseError());
  return document;
}

// RapidJSON 1.1 compares with itself for ever in C++20: no == on its values.
std::string text(const rapidjson::Value& value) { return {value.GetString(), value.GetStringLength()}; }

Names names_of(const rapidjson::Value& object) {
  Names names;
  for (const auto& member : object.GetObject()) names.emplace_back(member.name.GetString());
  return names;
}

TEST_CASE("an exchange has every field of the contract, in order, also when nothing is known", "[record]") {
  proto::Record record;
  record.mutable_exchange();
  REQUIRE(line_of(record) ==
          R"({"kind":"exchange","id":"","time":"1970-01-01T00:00:00.000000Z","device":"","connection":"","http":"",)"
          R"("method":"","scheme":"","host":"","path":"","query":[],"status":0,"request_bytes":0,"response_bytes":0,)"
          R"("request_type":"","response_type":"","user_agent":"","duration_ms":0.0,)"
          R"("app":{"id":"","name":"","confidence":0.0,"evidence":[]},"class":"","class_confidence":0.0,)"
          R"("class_evidence":[],"owner":"","identifiers":[],"action":"","rule":"","active":null,"state":"",)"
          R"("error":"","frames_up":0,"frames_down":0})"
          "\n");
}

TEST_CASE("a connection has every field of the contract", "[record]") {
  proto::Record record;
  record.mutable_connection();
  const auto line = parsed(record);
  REQUIRE(names_of(line) == Names{"kind",      "id",          "time",       "device",       "opened",    "closed",
                                  "transport", "destination", "host",       "sni",          "alpn",      "ja4",
                                  "treatment", "reason",      "tls_client", "tls_upstream", "bytes_up",  "bytes_down",
                                  "app",       "user_agent",  "error",      "part",         "exchanges", "activity"});
  REQUIRE(text(line["kind"]) == "connection");
  REQUIRE(line["closed"].IsNull());
  REQUIRE(line["alpn"].IsArray());
  REQUIRE(line["app"].IsObject());
}

TEST_CASE("a DNS query and a hint have every field of the contract", "[record]") {
  proto::Record dns;
  dns.mutable_dns();
  const auto query = parsed(dns);
  REQUIRE(names_of(query) == Names{"kind", "id", "time", "device", "query", "type", "answers", "ttl", "cnames", "rcode",
                                   "action", "rule", "app", "connected"});
  REQUIRE(query["connected"].IsNull());

  proto::Record phone;
  phone.mutable_hint();
  const auto hint = parsed(phone);
  REQUIRE(names_of(hint) == Names{"kind", "id", "time", "device", "app", "event", "on"});
  REQUIRE(text(hint["app"]) == "");
  REQUIRE_FALSE(hint["on"].GetBool());
}

TEST_CASE("values are written as the contract says", "[record]") {
  proto::Record record;
  auto& exchange = *record.mutable_exchange();
  exchange.set_time(1795353723'000004);
  exchange.add_query("a");
  exchange.add_query("b");
  exchange.set_status(204);
  exchange.set_response_bytes(std::numeric_limits<std::uint64_t>::max());
  exchange.set_duration_ms(12.345);
  exchange.mutable_app()->set_id("com.example.weather");
  exchange.mutable_app()->set_confidence(0.9);
  exchange.add_identifiers()->set_kind("idfa");
  exchange.mutable_identifiers(0)->set_where("query:idfa");
  exchange.set_active(false);
  const auto line = parsed(record);
  REQUIRE(text(line["time"]) == "2026-11-22T13:22:03.000004Z");
  REQUIRE(line["query"].Size() == 2);
  REQUIRE(text(line["query"][1]) == "b");
  REQUIRE(line["status"].GetInt() == 204);
  REQUIRE(line["response_bytes"].GetUint64() == std::numeric_limits<std::uint64_t>::max());
  REQUIRE(line["duration_ms"].GetDouble() == 12.345);
  REQUIRE(text(line["app"]["id"]) == "com.example.weather");
  REQUIRE(line["app"]["confidence"].GetDouble() == 0.9);
  REQUIRE(text(line["identifiers"][0]["kind"]) == "idfa");
  REQUIRE(text(line["identifiers"][0]["where"]) == "query:idfa");
  REQUIRE_FALSE(line["active"].GetBool());
}

TEST_CASE("activity is written as arrays of numbers, closed as a time", "[record]") {
  proto::Record record;
  auto& connection = *record.mutable_connection();
  connection.set_closed(1);
  for (std::uint64_t i = 1; i <= 2; ++i) {
    auto& burst = *connection.add_activity();
    burst.set_ms(i * 1000);
    burst.set_down(i);
  }
  const std::string line = line_of(record);
  INFO(line);
  REQUIRE(line.find(R"("activity":[[1000,0,1],[2000,0,2]])") != std::string::npos);
  REQUIRE(line.find(R"("closed":"1970-01-01T00:00:00.000001Z")") != std::string::npos);
}

TEST_CASE("an exchange of which only the beginning is known is open, unless someone knows more", "[record]") {
  proto::Record record;
  record.set_begin(true);
  record.mutable_exchange()->set_host("example.test");
  const auto open = parsed(record);
  REQUIRE(text(open["state"]) == "open");
  REQUIRE(text(open["host"]) == "example.test");
  REQUIRE_FALSE(open.HasMember("begin"));
  record.mutable_exchange()->set_state("interrupted");
  REQUIRE(text(parsed(record)["state"]) == "interrupted");
}

TEST_CASE("a line is valid JSON and harmless on a terminal, whatever the text is", "[record]") {
  proto::Record record;
  auto& exchange = *record.mutable_exchange();
  exchange.set_path("/\"quoted\"\\ \x1b[2J\n\x7f \xff\xc3( \u009b \u202E");
  exchange.add_query(std::string("nul\0", 4));
  const std::string line = line_of(record);
  for (const char c : line.substr(0, line.size() - 1)) {
    REQUIRE((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
  }
  const auto document = parsed(record);
  REQUIRE(text(document["path"]) == "/\"quoted\"\\ \uFFFD[2J\uFFFD\uFFFD \uFFFD\uFFFD( \uFFFD \uFFFD");
  REQUIRE(text(document["query"][0]) == "nul\uFFFD");
}

TEST_CASE("numbers and times that JSON and RFC 3339 cannot say become the nearest that they can", "[record]") {
  proto::Record record;
  auto& exchange = *record.mutable_exchange();
  exchange.set_duration_ms(GENERATE(std::nan(""), std::numeric_limits<double>::infinity()));
  exchange.set_time(std::numeric_limits<std::int64_t>::max());
  REQUIRE(parsed(record)["duration_ms"].GetDouble() == 0);
  REQUIRE(text(parsed(record)["time"]) == "9999-12-31T23:59:59.999999Z");
  exchange.set_time(std::numeric_limits<std::int64_t>::min());
  REQUIRE(text(parsed(record)["time"]) == "0001-01-01T00:00:00.000000Z");
}

TEST_CASE("a record without a kind is no line, and lines follow each other", "[record]") {
  std::string lines;
  append_ndjson(proto::Record(), lines);
  REQUIRE(lines.empty());
  proto::Record hint;
  hint.mutable_hint()->set_app("a");
  append_ndjson(hint, lines);
  const std::string first = lines;
  append_ndjson(hint, lines);
  REQUIRE(lines == first + first);
}

}  // namespace
}  // namespace tollgate::record
