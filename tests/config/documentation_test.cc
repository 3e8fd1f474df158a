// docs/configuration.md is the settings table for people. With TOLLGATE_UPDATE_DOCS=1 in the environment this test
// writes the page's tables anew instead of comparing them.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "gateway/config/settings.h"

using namespace tollgate::config;

namespace {

constexpr std::string_view begin_mark = "<!-- settings: written from gateway/config/settings.h -->\n";
constexpr std::string_view end_mark = "<!-- end of settings -->\n";

std::filesystem::path page() {
  return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path() / "docs/configuration.md";
}

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

std::string table() {
  std::string out = "| key | default | meaning | a value is |\n| --- | --- | --- | --- |\n";
  for (const Setting& setting : settings) {
    out += fmt::format("| `{}` | `{}` | {} | {} |\n", setting.key, cell(toml_value(setting, defaults())),
                       cell(setting.meaning), cell(allowed(setting)));
  }
  return out;
}

std::string read(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("docs/configuration.md shows the settings table as it is", "[config]") {
  std::string text = read(page());
  const auto begin = text.find(begin_mark);
  const auto end = text.find(end_mark);
  REQUIRE(begin != std::string::npos);
  REQUIRE(end != std::string::npos);
  const auto at = begin + begin_mark.size();
  if (std::getenv("TOLLGATE_UPDATE_DOCS") != nullptr) {  // NOLINT(concurrency-mt-unsafe): a test has one thread
    text.replace(at, end - at, table());
    std::ofstream(page()) << text;
  }
  CHECK(text.substr(at, text.find(end_mark) - at) == table());
}
