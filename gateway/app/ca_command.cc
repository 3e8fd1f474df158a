#include "gateway/app/ca_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cassert>
#include <cerrno>
#include <fstream>
#include <memory>
#include <ostream>
#include <system_error>

#include "certs/authority.h"
#include "gateway/app/state_dir.h"
#include "gateway/base/descriptor.h"

namespace tollgate::app {
namespace {

using certs::Authority;

constexpr std::size_t longest_passphrase_file = 4096;

void print(const Authority& authority, const config::Config& config, std::ostream& out) {
  out << fmt::format(
      "name         {}\n"
      "fingerprint  {} (SHA-256)\n"
      "serial       {}\n"
      "valid        {} to {}\n"
      "certificate  {}\n",
      authority.common_name(), authority.fingerprint(), authority.serial(),
      rfc3339(authority.not_before()).substr(0, 10), rfc3339(authority.not_after()).substr(0, 10),
      (authority_dir(config) / "ca.pem").string());
}

// A command of `ca`: has the settings and the passphrase, and prints.
using OnAuthority = std::function<Exit(const config::Config&, const certs::Passphrase&, Console&)>;

Exit init(const config::Config& config, const certs::Passphrase& passphrase, Console& console) {
  if (const auto prepared = StateDir::prepare(config.state_dir); !prepared) return report(prepared.error(), console);
  const auto made = Authority::create(authority_dir(config), passphrase);
  if (!made) return report(made.error(), console);
  print(**made, config, console.out);
  return Exit::done;
}

Exit show(const config::Config& config, const certs::Passphrase& passphrase, Console& console) {
  const auto opened = Authority::open(authority_dir(config), passphrase);
  if (!opened) return report(opened.error(), console);
  print(**opened, config, console.out);
  return Exit::done;
}

Exit rotate(const config::Config& config, const certs::Passphrase& passphrase, Console& console) {
  const auto rotated = Authority::rotate(authority_dir(config), passphrase);
  if (!rotated) return report(rotated.error(), console);
  print(**rotated, config, console.out);
  console.err << "Phones must be made to trust the new certificate; the former pair is kept beside it.\n";
  if (const auto pid = StateDir::holder(config.state_dir)) {
    console.err << fmt::format(
        "The running gateway (process {}) uses the new one once it is restarted, or sent SIGHUP.\n", *pid);
  }
  return Exit::done;
}

struct ExportOptions {
  std::optional<std::filesystem::path> out;
  bool der = false;
};

Status write_file(const std::filesystem::path& file, std::string_view content) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  errno = 0;
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  if (out) return {};
  const std::string why = errno != 0 ? std::generic_category().message(errno) : "it cannot be written";
  return fail(Error::Kind::io, fmt::format("{}: {}", file.string(), why));
}

Exit export_certificate(const config::Config& config, const certs::Passphrase& passphrase, const ExportOptions& options,
                        Console& console) {
  if (options.der && !options.out && console.terminal.interactive) {
    console.err << "tollgate: DER is no text for a terminal: name a file with --out\n";
    return Exit::usage;
  }
  const auto opened = Authority::open(authority_dir(config), passphrase);
  if (!opened) return report(opened.error(), console);
  const std::string_view content = options.der ? as_text((*opened)->der()) : std::string_view((*opened)->pem());
  if (!options.out) {
    console.out << content;
    return Exit::done;
  }
  const auto written = write_file(*options.out, content);
  return written ? Exit::done : report(written.error(), console);
}

}  // namespace

std::filesystem::path authority_dir(const config::Config& config) { return config.state_dir / "ca"; }

Result<certs::Passphrase> read_passphrase(const config::Config& config) {
  const std::filesystem::path& file = config.ca_passphrase_file;
  if (file.empty()) return certs::Passphrase();
  const auto refused = [&](Error::Kind kind, std::string_view why) {
    return fail(kind, fmt::format("{}: {}", file.string(), why));
  };
  const Descriptor descriptor(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat found {};
  if (!descriptor || fstat(descriptor.get(), &found) != 0) {
    const int error = errno;
    return refused(error == ENOENT ? Error::Kind::not_found : Error::Kind::io, std::generic_category().message(error));
  }
  if (S_ISREG(found.st_mode) && (found.st_mode & 0077U) != 0) {
    return refused(Error::Kind::refused, "others may read the passphrase: chmod 600");
  }
  Bytes bytes(longest_passphrase_file);
  const ssize_t size = read(descriptor.get(), bytes.data(), bytes.size());
  if (size < 0) return refused(Error::Kind::io, std::generic_category().message(errno));
  const certs::Secret content(std::move(bytes));  // wiped with everything behind the first line
  const std::string_view text = as_text(content.bytes().first(static_cast<std::size_t>(size)));
  const std::string_view line = text.substr(0, text.find_first_of("\r\n"));
  if (line.empty()) return refused(Error::Kind::malformed, "the passphrase is its first line, which is empty");
  return certs::Passphrase(line);
}

Action declare_ca(CLI::App& command) {
  struct Choice {
    CLI::App* command;
    OnAuthority run;
  };
  const auto add = [&](const char* name, const char* summary) {
    CLI::App* const own = command.add_subcommand(name, summary);
    own->fallthrough();  // --config and --set may follow it
    return own;
  };
  command.require_subcommand(1);
  std::vector<Choice> choices{
      {add("init", "makes the authority; refuses where there is one"), init},
      {add("show", "its name, fingerprint and dates"), show},
      {add("export", "its certificate, as PEM on stdout"), {}},
      {add("rotate", "puts a new authority in its place"), rotate},
  };
  Choice& exporting = choices.at(2);
  const auto export_options = std::make_shared<ExportOptions>();
  exporting.command->add_option("--out", export_options->out, "write there instead")->type_name("FILE");
  exporting.command->add_flag("--der", export_options->der, "DER instead of PEM");
  exporting.run = [export_options](const auto& config, const auto& passphrase, Console& console) {
    return export_certificate(config, passphrase, *export_options, console);
  };

  return [choices](const CommonOptions& common, Console& console) {
    const Loaded loaded = load_or_report(common, console);
    if (!loaded.config) return loaded.exit;
    const auto passphrase = read_passphrase(*loaded.config);
    if (!passphrase) return report(passphrase.error(), console);
    const auto chosen =
        std::find_if(choices.begin(), choices.end(), [](const Choice& choice) { return choice.command->parsed(); });
    assert(chosen != choices.end());  // the parser requires one
    return chosen->run(*loaded.config, *passphrase, console);
  };
}

}  // namespace tollgate::app
