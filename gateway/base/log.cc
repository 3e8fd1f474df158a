#include "gateway/base/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <memory>

namespace tollgate {

Status start_logging(std::string_view level) {
  static constexpr auto levels = std::to_array<std::string_view>({"trace", "debug", "info", "warn", "error", "off"});
  if (std::find(levels.begin(), levels.end(), level) == levels.end()) {
    return fail(Error::Kind::malformed, fmt::format("\"{}\": one of {}", level, fmt::join(levels, ", ")));
  }
  auto logger = std::make_shared<spdlog::logger>("tollgate", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_level(spdlog::level::from_str(std::string(level)));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
  spdlog::set_default_logger(std::move(logger));
  return {};
}

}  // namespace tollgate
