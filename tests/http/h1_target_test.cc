#include "gateway/http/h1_target.h"

#include <catch2/catch.hpp>

namespace tollgate::http {
namespace {

TEST_CASE("origin-form splits at the first question mark", "[http][h1]") {
  const auto parts = parse_target("GET", "/a//b?c=d?e");
  REQUIRE(parts);
  CHECK(parts->form == TargetForm::origin);
  CHECK(parts->scheme.empty());
  CHECK_FALSE(parts->authority);
  CHECK(parts->path == "/a//b");
  CHECK(parts->query == "c=d?e");
  CHECK(parts->has_query);
  CHECK_FALSE(parse_target("GET", "/a")->has_query);
  CHECK(parse_target("GET", "/a?")->has_query);
  CHECK(parse_target("GET", "//evil.test/a")->path == "//evil.test/a");  // a path, not an authority
}

TEST_CASE("absolute-form has scheme, authority with its port, path and query", "[http][h1]") {
  struct Example {
    std::string target, scheme, authority, path, query;
  };
  const auto example = GENERATE(values<Example>({
      {"http://origin.test/a?b", "http", "origin.test:80", "/a", "b"},
      {"HTTPS://Origin.Test/", "https", "origin.test:443", "/", ""},
      {"http://origin.test:8080", "http", "origin.test:8080", "", ""},
      {"http://origin.test?b/c", "http", "origin.test:80", "", "b/c"},
      {"http://[::1]:81/a", "http", "[::1]:81", "/a", ""},
      {"http://1.2.3.4/", "http", "1.2.3.4:80", "/", ""},
  }));
  CAPTURE(example.target);
  const auto parts = parse_target("GET", example.target);
  REQUIRE(parts);
  CHECK(parts->form == TargetForm::absolute);
  CHECK(parts->scheme == example.scheme);
  CHECK(parts->authority->text() == example.authority);
  CHECK(parts->path == example.path);
  CHECK(parts->query == example.query);
}

TEST_CASE("each method has the forms that are its own", "[http][h1]") {
  CHECK(parse_target("CONNECT", "origin.test:443")->authority->text() == "origin.test:443");
  CHECK(parse_target("CONNECT", "[2001:db8::1]:443")->form == TargetForm::authority);
  CHECK(parse_target("OPTIONS", "*")->form == TargetForm::asterisk);
  for (const auto& [method, target] : std::vector<std::pair<std::string, std::string>>{
           {"GET", "*"},
           {"OPTIONS", "**"},
           {"GET", "origin.test:443"},
           {"GET", ""},
           {"GET", "a/b"},
           {"GET", "http:/a"},
           {"GET", "://origin.test/"},
           {"GET", "ftp://origin.test/"},
           {"GET", "http://"},
           {"GET", "http://user@origin.test/"},
           {"GET", "http://origin.test:99999/"},
           {"CONNECT", "/"},
           {"CONNECT", "*"},
           {"CONNECT", "origin.test"},
           {"CONNECT", "origin.test:0"},
           {"CONNECT", "http://origin.test:443"},
       }) {
    CAPTURE(method, target);
    CHECK_FALSE(parse_target(method, target));
  }
}

TEST_CASE("a target towards the origin loses scheme and authority", "[http][h1]") {
  const auto towards = [](std::string_view method, std::string_view target) {
    return target_for_origin(method, *parse_target(method, target));
  };
  CHECK(towards("GET", "/a?b") == "/a?b");
  CHECK(towards("GET", "http://origin.test/a?b") == "/a?b");
  CHECK(towards("GET", "http://origin.test") == "/");
  CHECK(towards("GET", "http://origin.test?") == "/?");
  CHECK(towards("OPTIONS", "http://origin.test") == "*");  // RFC 9112 §3.2.4
  CHECK(towards("OPTIONS", "http://origin.test/") == "/");
  CHECK(towards("OPTIONS", "*") == "*");
}

}  // namespace
}  // namespace tollgate::http
