// `tollgate log`: the request log, as a table or as NDJSON, beside a running gateway or without one.
#pragma once

#include "gateway/app/command.h"

namespace tollgate::app {
Action declare_log(CLI::App& command);
}
