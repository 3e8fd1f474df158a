// Value: what a TOML file or a --set says before it is known what a setting wants. The TOML library and its exceptions
// end here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gateway/base/result.h"

namespace tollgate::config {

struct Value {
  struct Other {};  // a number with a fraction, a date, a table: no setting takes one
  using List = std::vector<Value>;

  std::string place;  // `tollgate.toml:3:7` or `--set`
  std::string shown;  // as it may be printed: one line, no control characters, not too long
  std::variant<std::string, std::int64_t, bool, List, Other> is;
};

struct Assignment {
  std::string key;    // dotted; a part that is no bare key stays in quotes, so that it matches no setting
  std::string place;  // of the key
  Value value;        // a table only where it is empty
};

// Every assignment of a TOML document, in the order of its lines. Errors: malformed, `FILE:LINE:COL: …`.
Result<std::vector<Assignment>> read_toml(std::string_view text, std::string_view file_name);

// The value of a `--set key=value`: TOML where it parses as TOML, else the text itself.
Value read_set_value(std::string_view text);

// `text` within quotes, escaped as a TOML basic string. `text` is UTF-8.
std::string toml_string(std::string_view text);

// `text` for a message: in quotes, harmless on a terminal, and cut when it is long.
std::string shown(std::string_view text);

}  // namespace tollgate::config
