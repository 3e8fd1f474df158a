// Retention: what is too old, or too much, leaves the store and the journal, oldest first, in steps of milliseconds.
#pragma once

#include <cstdint>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/base/units.h"
#include "gateway/store/ingestion.h"

namespace tollgate::store {

struct RetentionLimits {
  Millis age{0};       // since a record arrived; 0: for ever
  ByteCount size = 0;  // database and journal together; 0: no bound
};

struct RetentionStep {
  std::uint64_t expired = 0;  // rows deleted
  bool more = false;          // there is more to delete now
};

// One step. By age: rows that arrived, and segments that were last written, before now - age. By size: while the
// journal takes more than a quarter of the bound, its oldest segment (its records are in the store as well); else the
// oldest rows. A segment goes only when it has ended and all of it is in the store, for good. The database file shrinks
// with its rows. Errors: those of sqlite.h; io.
Result<RetentionStep> retain(Ingestion& ingestion, const RetentionLimits& limits, WallTime now);

}  // namespace tollgate::store
