// `tollgate run`: the settings, the log and a word on where to point the phone; then run_gateway().
#pragma once

#include <span>
#include <string>

#include "gateway/app/command.h"

namespace tollgate::app {

Action declare_run(CLI::App& command);

// What the owner of a phone does next, given where the proxy listens and the machine's addresses: the address to type
// into the phone's Wi-Fi settings, or how to make the proxy listen where a phone can reach it.
std::string where_to_point(const config::Config& config, std::span<const IpAddress> own);

}  // namespace tollgate::app
