#include <catch2/catch.hpp>

#include "gateway/config/config.h"

using namespace tollgate;
using namespace tollgate::config;

namespace {

std::vector<FixedAnswer> answers(std::initializer_list<std::string_view> texts) {
  std::vector<FixedAnswer> all;
  for (const auto text : texts) all.push_back(FixedAnswer::parse(text).value());
  return all;
}

std::string answer(const std::vector<FixedAnswer>& fixed, std::string_view host) {
  const FixedAnswer* found = match(fixed, HostName::parse(host).value());
  return found == nullptr ? "" : found->address.text();
}

}  // namespace

TEST_CASE("a fixed answer is for its name alone", "[config]") {
  const auto fixed = answers({"api.example.test=192.0.2.1"});
  CHECK(answer(fixed, "api.example.test") == "192.0.2.1");
  CHECK(answer(fixed, "API.example.test.") == "192.0.2.1");
  CHECK(answer(fixed, "example.test").empty());
  CHECK(answer(fixed, "x.api.example.test").empty());
  CHECK(answer(fixed, "xapi.example.test").empty());
}

TEST_CASE("a glob is for every name below it, not for itself, not for names that end alike", "[config]") {
  const auto fixed = answers({"*.example.test=::1"});
  CHECK(answer(fixed, "a.example.test") == "::1");
  CHECK(answer(fixed, "a.b.example.test") == "::1");
  CHECK(answer(fixed, "example.test").empty());
  CHECK(answer(fixed, "notexample.test").empty());
}

TEST_CASE("the most specific answer wins wherever it stands", "[config]") {
  const auto fixed = answers({"*.test=192.0.2.1", "*.example.test=192.0.2.2", "api.example.test=192.0.2.3",
                              "*.api.example.test=192.0.2.4", "api.example.test=192.0.2.5"});
  CHECK(answer(fixed, "other.test") == "192.0.2.1");
  CHECK(answer(fixed, "www.example.test") == "192.0.2.2");
  CHECK(answer(fixed, "api.example.test") == "192.0.2.3");
  CHECK(answer(fixed, "v2.api.example.test") == "192.0.2.4");
}

TEST_CASE("what is no NAME=ADDR is refused", "[config]") {
  const auto* const text = GENERATE("", "a.test", "a.test=", "=192.0.2.1", "a.test=b.test", "*=192.0.2.1",
                                    "*.*.test=192.0.2.1", "a.*.test=192.0.2.1", "a b.test=192.0.2.1",
                                    "a.test=192.0.2.1:80", "127.0.0.1=192.0.2.1", "a.test = 192.0.2.1");
  CAPTURE(text);
  CHECK_FALSE(FixedAnswer::parse(text));
}

TEST_CASE("a store is a file", "[config]") {
  CHECK(StoreUrl::parse("sqlite:log.db")->file == "log.db");
  CHECK_FALSE(StoreUrl::parse("sqlite:"));
  CHECK_FALSE(StoreUrl::parse("log.db"));
  CHECK_FALSE(StoreUrl::parse("sqlite:a\nb"));
}
