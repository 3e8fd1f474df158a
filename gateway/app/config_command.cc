#include "gateway/app/config_command.h"

#include <ostream>

namespace tollgate::app {

Action declare_config(CLI::App&) {
  return [](const CommonOptions& options, Console& console) {
    const Loaded loaded = load_or_report(options, console);
    if (loaded.config) console.out << config::to_toml(*loaded.config);
    return loaded.exit;
  };
}

}  // namespace tollgate::app
