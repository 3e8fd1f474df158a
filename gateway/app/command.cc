#include "gateway/app/command.h"

#include <ostream>

#include "gateway/base/text.h"
#include "gateway/base/unreachable.h"

namespace tollgate::app {
namespace {

// Errors may have several lines; each is made harmless by itself.
void print_lines(std::string_view text, std::ostream& to) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    to << "tollgate: " << printable(text.substr(0, end)) << '\n';
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
}

}  // namespace

Exit exit_for(const Error& error) {
  switch (error.kind) {
    case Error::Kind::malformed:
    case Error::Kind::too_large:
    case Error::Kind::not_found: return Exit::no;
    case Error::Kind::refused:
    case Error::Kind::unreachable:
    case Error::Kind::io: return Exit::refused;
  }
  unreachable_state();
}

Exit report(const Error& error, Console& console) {
  print_lines(error.what, console.err);
  return exit_for(error);
}

Loaded load_or_report(const CommonOptions& options, Console& console) {
  auto config = options.load();
  if (config) return {std::move(*config), Exit::done};
  const Exit exit = report(config.error(), console);
  return {std::nullopt, exit == Exit::no ? Exit::usage : exit};
}

}  // namespace tollgate::app
