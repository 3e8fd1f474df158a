// `tollgate doctor`: what is set up, what is missing, how to mend it. It changes nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/app/command.h"
#include "gateway/base/clock.h"

namespace tollgate::app {

enum class Grade : std::uint8_t {
  fine,
  note,   // not so yet, or worth knowing; nothing fails because of it
  wrong,  // something does not work, or soon will not: `doctor` exits 1
};
std::string_view name(Grade grade);

struct Finding {
  Grade grade = Grade::fine;
  std::string text;
  std::string remedy;  // what to do, "" when there is nothing
};

// One thing that `doctor` looks at. A check may take seconds, never longer.
struct Check {
  std::string_view subject;
  std::vector<Finding> (*look)(const config::Config& config, WallTime now);
};

// Every check, in the order in which they are told.
const std::vector<Check>& checks();

Action declare_doctor(CLI::App& command);

}  // namespace tollgate::app
