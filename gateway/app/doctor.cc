#include "gateway/app/doctor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <ostream>

#include "gateway/app/doctor_checks.h"
#include "gateway/base/text.h"
#include "gateway/base/unreachable.h"

namespace tollgate::app {
namespace {

std::string_view colour(Grade grade) {
  switch (grade) {
    case Grade::fine: return "32";
    case Grade::note: return "33";
    case Grade::wrong: return "31";
  }
  unreachable_state();
}

void print(std::string_view subject, const Finding& finding, Console& console) {
  const std::string grade = console.terminal.colour
                                ? fmt::format("\x1b[{}m{:5}\x1b[0m", colour(finding.grade), name(finding.grade))
                                : fmt::format("{:5}", name(finding.grade));
  console.out << fmt::format("{} {:9} {}\n", grade, subject, printable(finding.text));
  if (!finding.remedy.empty()) console.out << fmt::format("{:16}→ {}\n", "", printable(finding.remedy));
}

}  // namespace

std::string_view name(Grade grade) {
  switch (grade) {
    case Grade::fine: return "ok";
    case Grade::note: return "note";
    case Grade::wrong: return "WRONG";
  }
  unreachable_state();
}

const std::vector<Check>& checks() {
  static const std::vector<Check> all{
      {"settings", check_settings}, {"state", check_state},         {"authority", check_authority},
      {"gateway", check_gateway},   {"listeners", check_listeners}, {"log", check_log},
      {"trust", check_trust},       {"limits", check_limits},       {"clock", check_clock},
  };
  return all;
}

Action declare_doctor(CLI::App&) {
  return [](const CommonOptions& options, Console& console) {
    const Loaded loaded = load_or_report(options, console);
    if (!loaded.config) return loaded.exit;
    bool wrong = false;
    for (const Check& check : checks()) {
      for (const Finding& finding : check.look(*loaded.config, wall_now())) {
        print(check.subject, finding, console);
        wrong = wrong || finding.grade == Grade::wrong;
      }
    }
    return wrong ? Exit::no : Exit::done;
  };
}

}  // namespace tollgate::app
