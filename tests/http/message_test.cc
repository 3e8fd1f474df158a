#include "gateway/http/message.h"

#include <catch2/catch.hpp>

namespace tollgate::http {
namespace {

Fields some_fields() {
  Fields fields;
  fields.add("Host", "origin.test");
  fields.add("Accept", "text/html");
  fields.add("X-Empty", "");
  fields.add("ACCEPT", "image/png");
  return fields;
}

std::vector<std::string> members_of(std::string_view list) {
  std::vector<std::string> members;
  while (const auto member = take_list_member(list)) members.emplace_back(*member);
  return members;
}

TEST_CASE("fields keep order and case and are found in any case", "[http][message]") {
  const Fields fields = some_fields();
  REQUIRE(fields.size() == 4);
  CHECK(fields.at(0).name == "Host");
  CHECK(fields.at(3).name == "ACCEPT");
  CHECK(fields.at(3).value == "image/png");
  CHECK(fields.find("accept") == "text/html");
  CHECK(fields.find("x-empty") == "");
  CHECK_FALSE(fields.find("Hos"));
  CHECK_FALSE(fields.find("Hosts"));
  CHECK(fields.count("Accept") == 2);
  CHECK(fields.count("Cookie") == 0);
  CHECK(fields.text_size() == 4 + 11 + 6 + 9 + 7 + 6 + 9);
}

TEST_CASE("removing a field removes all its lines and their text", "[http][message]") {
  Fields fields = some_fields();
  CHECK(fields.remove("accept") == 2);
  CHECK(fields.remove("accept") == 0);
  REQUIRE(fields.size() == 2);
  CHECK(fields.at(0).value == "origin.test");
  CHECK(fields.at(1).name == "X-Empty");
  CHECK(fields.text_size() == 4 + 11 + 7);

  Fields same;
  same.add("Host", "origin.test");
  same.add("X-Empty", "");
  CHECK(fields == same);
  same.add("X", "y");
  CHECK_FALSE(fields == same);
}

TEST_CASE("fields are equal only line by line", "[http][message]") {
  Fields one;
  one.add("ab", "c");
  Fields other;
  other.add("a", "bc");
  CHECK_FALSE(one == other);  // the same text, divided differently
}

TEST_CASE("a list field has a token as a whole member on any of its lines", "[http][message]") {
  Fields fields;
  fields.add("Connection", "keep-alive , ,Upgrade\t");
  fields.add("connection", "TE");
  CHECK(fields.list_contains("Connection", "upgrade"));
  CHECK(fields.list_contains("Connection", "keep-alive"));
  CHECK(fields.list_contains("Connection", "te"));
  CHECK_FALSE(fields.list_contains("Connection", "keep"));
  CHECK_FALSE(fields.list_contains("Connection", "alive"));
  CHECK_FALSE(fields.list_contains("Connection", ""));
  CHECK_FALSE(fields.list_contains("Upgrade", "te"));
}

TEST_CASE("list members are split at commas outside quoted strings", "[http][message]") {
  CHECK(members_of("a, b ,c") == std::vector<std::string>{"a", "b", "c"});
  CHECK(members_of("").empty());
  CHECK(members_of(" , ,\t,").empty());
  CHECK(members_of(",a,,b,") == std::vector<std::string>{"a", "b"});
  CHECK(members_of(R"(a="x,y", b)") == std::vector<std::string>{R"(a="x,y")", "b"});
  CHECK(members_of(R"("x\",y", b)") == std::vector<std::string>{R"("x\",y")", "b"});
  CHECK(members_of(R"(a\, b)") == std::vector<std::string>{R"(a\)", "b"});  // a backslash quotes in quoted strings only
  CHECK(members_of(R"(a\"x, y", b)") == std::vector<std::string>{R"(a\"x, y")", "b"});
  CHECK(members_of(R"("open, b)") == std::vector<std::string>{R"("open, b)"});
  CHECK(members_of(R"("open\)") == std::vector<std::string>{R"("open\)"});
}

}  // namespace
}  // namespace tollgate::http
