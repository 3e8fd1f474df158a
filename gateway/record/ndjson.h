// Records as NDJSON: what `log --json` prints and `import` takes back. One source: the descriptors of
// proto/record.proto say which fields there are, in which order, and how they are written (its JsonForm option).
#pragma once

#include <string>

#include "proto/record.pb.h"

namespace tollgate::record {

// Appends one line, its newline included: an object with `kind` first, then every field of that kind in the schema's
// order, whether set or not ("" , 0, [], and null for an absent `optional`; `app` is always an object). Times are RFC
// 3339 with microseconds; those outside the years 1 to 9999 are written as the nearest end. The line is always valid
// JSON and harmless on a terminal: text goes through recorded_text() (gateway/record/redact.h), a number that JSON
// cannot say is 0.
//
// Record.begin is not a field of the log: an exchange of which only the beginning is known has `state` "open", unless
// someone who knows more (the store, after a crash) has set another. A record without a kind appends nothing.
// Pure; any thread.
void append_ndjson(const proto::Record& record, std::string& out);

}  // namespace tollgate::record
