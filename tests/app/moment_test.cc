#include "gateway/app/moment.h"

#include <catch2/catch.hpp>

using namespace tollgate;
using namespace tollgate::app;

TEST_CASE("a time is RFC 3339 or an age", "[app]") {
  const WallTime now = parse_rfc3339("2026-11-22T12:00:00Z").value();
  CHECK(rfc3339(parse_moment("24h", now).value()) == "2026-11-21T12:00:00.000000Z");
  CHECK(rfc3339(parse_moment("1500ms", now).value()) == "2026-11-22T11:59:58.500000Z");
  CHECK(rfc3339(parse_moment("2026-11-22T13:00:00+02:00", now).value()) == "2026-11-22T11:00:00.000000Z");
}

TEST_CASE("an age beyond 1970 is all time", "[app]") {
  const WallTime now = parse_rfc3339("2026-11-22T12:00:00Z").value();
  CHECK(parse_moment("36500d", now).value() == WallTime());
  CHECK(parse_moment("9223372036854775807ms", now).value() == WallTime());
}

TEST_CASE("anything else is refused with what is allowed", "[app]") {
  const auto* const text = GENERATE("", "yesterday", "24", "-1h", "2026-11-22", "2026-13-01T00:00:00Z");
  const auto moment = parse_moment(text, WallTime());
  REQUIRE_FALSE(moment);
  CHECK(moment.error().what.find("RFC 3339") != std::string::npos);
}
