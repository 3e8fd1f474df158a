// Which records of the log are asked for: the options of `tollgate log`, `export` and the API, once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "proto/record.pb.h"

namespace tollgate::store {

// The kinds of record, in the order in which records of one instant are listed.
enum class Kind : std::uint8_t { exchange, connection, dns, hint };
std::string_view name(Kind kind);
// Errors: malformed, with what is allowed.
Result<Kind> parse_kind(std::string_view text);
// Nothing for a record that holds no kind.
std::optional<Kind> kind_of(const proto::Record& record);

// Every condition that is set must hold; a record that has no such field does not match. Texts compare without regard
// to ASCII case, and a pattern with `*` or `?` is a glob over the whole text.
struct Filter {
  std::optional<WallTime> since;      // record.time >= since
  std::optional<WallTime> until;      // record.time < until
  std::optional<std::string> app;     // glob, or part of the id or the name; a hint's text
  std::optional<std::string> device;  // glob, or the whole name
  std::optional<std::string> klass;   // an exchange's class
  std::optional<std::string> host;  // glob, or a name: it and every name below it. Without a port it matches any port.
                                    // An exchange's host, a connection's host or server name, a query's name
  std::optional<std::string> action;  // an exchange's or query's action, a connection's treatment
  std::optional<Kind> kind;
  std::optional<std::size_t> limit;  // only the last so many of those that match
};

// The fields that a filter looks at, wherever they come from. Views: valid as long as what they were taken from.
struct Candidate {
  Kind kind = Kind::exchange;
  WallTime time;
  std::string_view device, app_id, app_name, klass, host, server_name, action;
};
// Nothing for a record that holds no kind.
std::optional<Candidate> candidate(const proto::Record& record);

// Whether all conditions hold (`limit` is not one of a single record).
bool matches(const Filter& filter, const Candidate& candidate);

}  // namespace tollgate::store
