// How a value becomes a field of the Config: the settings table applied to one value.
#pragma once

#include <string>
#include <vector>

#include "gateway/config/settings.h"
#include "gateway/config/value.h"

namespace tollgate::config {

// Whether the setting takes a list.
bool is_list(const Setting& setting);

// Sets `setting` in `config` to `value`. Returns one line for each thing that is wrong with it, `PLACE: key: value:
// what is allowed`; what is right is set all the same.
std::vector<std::string> assign(Config& config, const Setting& setting, const Value& value);

}  // namespace tollgate::config
