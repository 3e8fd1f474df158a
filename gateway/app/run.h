// The `run` command: the gateway from its first file to its last record.
#pragma once

#include <functional>

#include "gateway/base/result.h"
#include "gateway/config/config.h"

namespace tollgate::app {

// Runs until SIGTERM or SIGINT, and returns the program's exit code (0 drained, 2 configuration, 3 the machine
// refused). When every listener is up, one line goes to stdout: `ready proxy=ADDR:PORT transparent=off dns=off
// admin=ADDR:PORT`. SIGHUP calls `reload` and takes what it returns for all that begins from then on; listeners and
// workers stay.
int run_gateway(const config::Config& config, std::function<Result<config::Config>()> reload);

}  // namespace tollgate::app
