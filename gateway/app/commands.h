// The program without its process: a command line in, an exit code and text out.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "gateway/app/command.h"

namespace tollgate::app {

// Every command, in the order in which --help lists them.
std::span<const Command> commands();

// Runs `arguments` (without the program's name). Exceptions of the option parser end here.
Exit run_program(const std::vector<std::string>& arguments, Console& console);

}  // namespace tollgate::app
