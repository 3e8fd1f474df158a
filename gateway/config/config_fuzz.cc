// Any text as a settings file. What is accepted is written as TOML, and that text, and each setting given by --set, say
// the same as the first text did.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "gateway/base/bytes.h"
#include "gateway/base/text.h"
#include "gateway/config/config.h"
#include "gateway/config/settings.h"

using namespace tollgate;

namespace {
void require(bool condition) {
  if (!condition) std::abort();
}
}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto config = config::parse(as_text({data, size}), "fuzz.toml", {});
  if (!config) {
    // A message is lines, each of which says where; nothing of the file reaches the terminal unchecked.
    require(config.error().kind == Error::Kind::malformed);
    require(config.error().what.starts_with("fuzz.toml:"));
    std::string_view rest = config.error().what;
    while (!rest.empty()) {
      const auto code_point = take_code_point(rest);
      require(code_point && (*code_point == '\n' || !is_control(*code_point)));
    }
    return 0;
  }
  const auto again = config::parse(config::to_toml(*config), "written.toml", {});
  require(again && *again == *config);

  std::vector<std::string> sets;
  sets.reserve(config::settings.size());
  for (const auto& setting : config::settings) {
    sets.push_back(std::string(setting.key) + "=" + config::toml_value(setting, *config));
  }
  const auto from_sets = config::parse("", "", sets);
  require(from_sets && *from_sets == *config);
  return 0;
}
