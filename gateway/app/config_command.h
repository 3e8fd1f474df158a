// `tollgate config`: the settings in force, as a file to start from.
#pragma once

#include "gateway/app/command.h"

namespace tollgate::app {
Action declare_config(CLI::App& command);
}
