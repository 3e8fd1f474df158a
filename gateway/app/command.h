// What a command of tollgate is: a row of the table in commands.cc, options that it declares, and an action.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/base/units.h"
#include "gateway/config/config.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's name
class App;
}

namespace tollgate::app {

// The program's exit codes.
enum class Exit : std::uint8_t {
  done = 0,
  no = 1,       // it ran, and the answer is no: a check failed, there is nothing of that name
  usage = 2,    // bad usage or configuration
  refused = 3,  // the machine refused: a port in use, a permission, a disk
};

// Who reads what is printed.
struct Terminal {
  bool interactive = false;  // a person, not a file or a pipe
  bool colour = false;       // interactive, and NO_COLOR (https://no-color.org) is not set
  std::size_t columns = 0;   // 0: as wide as it takes
};

// Where a command prints. Results go to `out`, everything else to `err`.
struct Console {
  std::ostream& out;
  std::ostream& err;
  Terminal terminal;  // of `out`
  // Waits for so long, or until nobody reads `out` any more: then false.
  std::function<bool(Millis)> pause;
};

// Options of every command.
struct CommonOptions {
  std::optional<std::filesystem::path> config;
  std::vector<std::string> sets;
  Result<config::Config> load() const { return config::load(config, sets); }
};

// Runs when the command line has been read; what declare() captured holds the options.
using Action = std::function<Exit(const CommonOptions&, Console&)>;

struct Command {
  std::string_view name;
  std::string_view summary;
  Action (*declare)(CLI::App& command);  // adds the command's own options
};

// What a failed result means for the exit code: what could not be read or written, or is taken, is the machine's
// refusal, anything else a no.
Exit exit_for(const Error& error);
// Prints the error's sentence on `err`, harmless on a terminal, and returns its exit code.
Exit report(const Error& error, Console& console);

// The settings, or nothing and an exit code after the errors were printed: wrong settings are bad usage.
struct Loaded {
  std::optional<config::Config> config;
  Exit exit = Exit::done;
};
Loaded load_or_report(const CommonOptions& options, Console& console);

}  // namespace tollgate::app
