// The checks of `tollgate doctor`, one function each: what they find in these settings at this time.
#pragma once

#include <vector>

#include "gateway/app/doctor.h"

namespace tollgate::app {

using Findings = std::vector<Finding>;

Findings check_settings(const config::Config& config, WallTime now);  // which differ from their defaults
Findings check_state(const config::Config& config, WallTime now);  // state.dir: there, ours, closed to others, writable
Findings check_authority(const config::Config& config, WallTime now);  // the CA: there, usable, not about to expire
Findings check_gateway(const config::Config& config, WallTime now);    // whether one runs here
Findings check_listeners(const config::Config& config, WallTime now);  // they answer, or their ports are free
Findings check_log(const config::Config& config, WallTime now);     // the store is sound and keeps up with the journal
Findings check_trust(const config::Config& config, WallTime now);   // trust anchors for origins
Findings check_limits(const config::Config& config, WallTime now);  // descriptors for the connections
Findings check_clock(const config::Config& config, WallTime now);   // certificates and records depend on it

}  // namespace tollgate::app
