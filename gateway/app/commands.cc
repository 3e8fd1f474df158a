#include "gateway/app/commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ostream>

#include "gateway/app/ca_command.h"
#include "gateway/app/config_command.h"
#include "gateway/app/doctor.h"
#include "gateway/app/log_command.h"
#include "gateway/app/start_command.h"
#include "gateway/app/version.h"
#include "gateway/base/text.h"

namespace tollgate::app {
namespace {

Action declare_version(CLI::App&) {
  return [](const CommonOptions&, Console& console) {
    console.out << "tollgate " << version << '\n';
    return Exit::done;
  };
}

constexpr auto table = std::to_array<Command>({
    {"run", "the gateway", declare_run},
    {"log", "the request log", declare_log},
    {"ca", "the certificate authority", declare_ca},
    {"config", "the settings in force, as a TOML file with comments", declare_config},
    {"doctor", "what is set up, what is missing, how to mend it", declare_doctor},
    {"version", "the program's version", declare_version},
});

struct Declared {
  CLI::App* command;
  CommonOptions options;
  Action action;
};

void declare(CLI::App& program, const Command& command, Declared& declared) {
  CLI::App* const own = program.add_subcommand(std::string(command.name), std::string(command.summary));
  declared.command = own;
  own->add_option("--config", declared.options.config, "settings file (default: tollgate.toml when there is one)")
      ->type_name("FILE");
  // One value an occurrence, untouched: the parser must not take the next argument too, nor split a TOML list.
  own->add_option("--set", declared.options.sets, "a setting, over the file's; may be repeated")
      ->type_name("KEY=VALUE")
      ->take_all()
      ->allow_extra_args(false);
  declared.action = command.declare(*own);
}

// The innermost command that was named: its help is the one to point at.
const CLI::App* deepest(const CLI::App* command) {
  for (auto inner = command->get_subcommands(); !inner.empty(); inner = command->get_subcommands()) {
    command = inner.front();
  }
  return command;
}

std::string spelt_out(const CLI::App* command) {
  std::string names = command->get_name();
  for (const CLI::App* outer = command->get_parent(); outer != nullptr; outer = outer->get_parent()) {
    names.insert(0, outer->get_name() + " ");
  }
  return names;
}

Exit bad_usage(const CLI::App& program, std::string_view what, Console& console) {
  const std::string names = spelt_out(deepest(&program));
  console.err << fmt::format("{}: {}\nTry `{} --help`.\n", names, printable(what), names);
  return Exit::usage;
}

}  // namespace

std::span<const Command> commands() { return table; }

Exit run_program(const std::vector<std::string>& arguments, Console& console) {
  CLI::App program("tollgate: a gateway that shows what the apps on a phone send, and to whom", "tollgate");
  program.set_version_flag("--version", fmt::format("tollgate {}", version));
  program.require_subcommand(1);
  std::vector<Declared> declared(table.size());
  for (std::size_t i = 0; i < table.size(); ++i) declare(program, table.at(i), declared[i]);

  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    program.parse(std::move(reversed));
  } catch (const CLI::CallForVersion& asked) {
    console.out << asked.what() << '\n';
    return Exit::done;
  } catch (const CLI::Success&) {   // --help
    console.out << program.help();  // of the command that was named
    return Exit::done;
  } catch (const CLI::ParseError& error) {
    return bad_usage(program, error.what(), console);
  }
  const auto chosen =
      std::find_if(declared.begin(), declared.end(), [](const Declared& d) { return d.command->parsed(); });
  return chosen->action(chosen->options, console);
}

}  // namespace tollgate::app
