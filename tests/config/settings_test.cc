#include "gateway/config/settings.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "gateway/config/assign.h"

using namespace tollgate;
using namespace tollgate::config;

TEST_CASE("every fallback in the table is a value that its setting allows", "[config]") {
  for (const Setting& setting : settings) {
    CAPTURE(setting.key);
    Config config;
    CHECK(assign(config, setting, read_set_value(setting.fallback)).empty());
  }
}

TEST_CASE("every key stands in the table once, and every limit is a value of its setting", "[config]") {
  std::set<std::string_view> keys;
  for (const Setting& setting : settings) {
    CAPTURE(setting.key);
    CHECK(keys.insert(setting.key).second);
    if (setting.range.low.empty()) continue;
    Config config;
    CHECK(assign(config, setting, read_set_value(setting.range.low)).empty());
    CHECK(assign(config, setting, read_set_value(setting.range.high)).empty());
  }
}

TEST_CASE("a setting's value as TOML is what a person would write", "[config]") {
  const auto text = [](std::string_view key) {
    const auto* const setting =
        std::find_if(settings.begin(), settings.end(), [&](const Setting& s) { return s.key == key; });
    REQUIRE(setting != settings.end());
    return toml_value(*setting, defaults());
  };
  CHECK(text("state.dir") == "\"state\"");
  CHECK(text("listen.proxy") == "\"127.0.0.1:8080\"");
  CHECK(text("upstream.resolve") == "[]");
  CHECK(text("upstream.bad_certificate") == "\"passthrough\"");
  CHECK(text("upstream.allow_loopback") == "false");
  CHECK(text("workers") == "0");
  CHECK(text("log.retention_age") == "\"30d\"");
  CHECK(text("log.retention_size") == "\"2GiB\"");
  CHECK(text("limits.server_first") == "\"250ms\"");
}

TEST_CASE("the sample file, read back, is every default", "[config]") {
  const auto config = parse(to_toml(defaults()), "sample.toml", {});
  REQUIRE(config);
  CHECK(*config == defaults());
}
