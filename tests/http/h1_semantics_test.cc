#include "gateway/http/h1_semantics.h"

#include <catch2/catch.hpp>

namespace tollgate::http {
namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

Fields fields_of(const Lines& lines) {
  Fields fields;
  for (const auto& [name, value] : lines) fields.add(name, value);
  return fields;
}

RequestHead request(const Lines& lines, std::uint8_t minor = 1) {
  RequestHead head;
  head.method = "GET";
  head.target = "/";
  head.minor = minor;
  head.fields = fields_of(lines);
  return head;
}

Lines stripped(const Lines& lines, UpgradeFields upgrade = UpgradeFields::strip) {
  Fields fields = fields_of(lines);
  strip_hop_by_hop(fields, upgrade);
  Lines left;
  for (std::size_t i = 0; i < fields.size(); ++i) left.emplace_back(fields.at(i).name, fields.at(i).value);
  return left;
}

TEST_CASE("persistence depends on version and Connection", "[http][h1]") {
  CHECK(keeps_alive(request({})));
  CHECK_FALSE(keeps_alive(request({{"Connection", "Close"}})));
  CHECK_FALSE(keeps_alive(request({{"Connection", "keep-alive"}, {"connection", "x, close"}})));
  CHECK_FALSE(keeps_alive(request({}, 0)));
  CHECK(keeps_alive(request({{"Connection", "Keep-Alive"}}, 0)));
  CHECK_FALSE(keeps_alive(request({{"Connection", "keep-alive, close"}}, 0)));
  ResponseHead response;
  CHECK(keeps_alive(response));
  response.minor = 0;
  CHECK_FALSE(keeps_alive(response));
}

TEST_CASE("only an HTTP/1.1 client waits for 100", "[http][h1]") {
  CHECK(expects_continue(request({{"Expect", "100-Continue"}})));
  CHECK_FALSE(expects_continue(request({{"Expect", "100-continue"}}, 0)));
  CHECK_FALSE(expects_continue(request({{"Expect", "100-continued"}})));
  CHECK_FALSE(expects_continue(request({})));
}

TEST_CASE("an upgrade is one protocol that Connection nominates", "[http][h1]") {
  CHECK(upgrade_protocol(request({{"Connection", "keep-alive, Upgrade"}, {"Upgrade", "websocket"}})) == "websocket");
  CHECK_FALSE(upgrade_protocol(request({{"Upgrade", "websocket"}})));
  CHECK_FALSE(upgrade_protocol(request({{"Connection", "Upgrade"}})));
  CHECK_FALSE(upgrade_protocol(request({{"Connection", "Upgrade"}, {"Upgrade", ""}})));
  CHECK_FALSE(upgrade_protocol(request({{"Connection", "Upgrade"}, {"Upgrade", "websocket"}}, 0)));
  CHECK_FALSE(upgrade_protocol(request({{"Connection", "Upgrade"}, {"Upgrade", "websocket"}, {"Upgrade", "h2c"}})));
  CHECK_FALSE(upgrade_protocol(request({{"Connection", "Upgrade"}, {"Upgrade", "websocket, h2c"}})));
  CHECK(upgrade_protocol(request({{"Connection", "Upgrade"}, {"Upgrade", " , websocket"}})) == "websocket");
  ResponseHead response;
  response.fields = fields_of({{"Connection", "upgrade"}, {"Upgrade", "websocket"}});
  CHECK(upgrade_protocol(response) == "websocket");
}

TEST_CASE("a media type is lower-case and without parameters", "[http][h1]") {
  CHECK(media_type("Text/HTML; charset=utf-8") == "text/html");
  CHECK(media_type(" application/vnd.api+json\t;x") == "application/vnd.api+json");
  for (const auto* odd : {"", "text", "/", "text/", "/html", "te xt/html", "text/html/x", "text/html, text/plain"}) {
    CAPTURE(odd);
    CHECK(media_type(odd).empty());
  }
}

TEST_CASE("what is meant for one hop is stripped and the rest stays where it was", "[http][h1]") {
  CHECK(stripped({{"Host", "origin.test"},
                  {"Proxy-Connection", "keep-alive"},
                  {"Keep-Alive", "timeout=5"},
                  {"Accept", "*/*"},
                  {"proxy-authorization", "Basic x"},
                  {"Cookie", "a=b"}}) == Lines{{"Host", "origin.test"}, {"Accept", "*/*"}, {"Cookie", "a=b"}});
}

TEST_CASE("what Connection nominates is stripped, but never framing or Host", "[http][h1]") {
  CHECK(stripped({{"X-Hop", "1"}, {"Connection", "x-hop, Close"}, {"X-Stays", "2"}}) ==
        Lines{{"Connection", "Close"}, {"X-Stays", "2"}});
  CHECK(stripped({{"Connection", "X-Hop"}, {"x-hop", "1"}, {"X-HOP", "2"}}).empty());
  const Lines framing{{"Host", "origin.test"}, {"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}};
  Lines nominated = framing;
  nominated.push_back({"Connection", "Host, Content-Length, Transfer-Encoding, Connection"});
  CHECK(stripped(nominated) == framing);
}

TEST_CASE("an upgrade stays only where it is relayed", "[http][h1]") {
  const Lines websocket{{"Connection", "Upgrade"}, {"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}};
  CHECK(stripped(websocket, UpgradeFields::relay) == websocket);
  CHECK(stripped(websocket) == Lines{{"Sec-WebSocket-Version", "13"}});
  CHECK(stripped(
            {{"Connection", "keep-alive, Upgrade, HTTP2-Settings"}, {"Upgrade", "h2c"}, {"HTTP2-Settings", "AAM"}}) ==
        Lines{{"Connection", "keep-alive"}});
}

TEST_CASE("TE goes on as trailers or not at all", "[http][h1]") {
  CHECK(stripped({{"TE", "gzip, Trailers;q=1"}, {"Connection", "TE, close"}}) == Lines{{"Connection", "close"}});
  CHECK(stripped({{"TE", "gzip, Trailers"}, {"Connection", "TE, close"}}) ==
        Lines{{"TE", "trailers"}, {"Connection", "TE, close"}});
  CHECK(stripped({{"te", "trailers"}, {"TE", "deflate"}}) == Lines{{"te", "trailers"}});
}

}  // namespace
}  // namespace tollgate::http
