// The tables of the store, and how older databases become like them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "gateway/base/result.h"
#include "gateway/store/sqlite.h"

namespace tollgate::store {

// Brings a database from the version before it to the next. Never changed once released: a new field of
// proto/record.proto is a new step (`ALTER TABLE exchanges ADD COLUMN …`), nothing else.
struct MigrationStep {
  std::string_view sql;  // statements; run in one transaction together with the version's change
};
// Step i leads from version i to i + 1 (PRAGMA user_version).
std::span<const MigrationStep> migrations();

// In the database's header (PRAGMA application_id), so that nobody else's database is taken for ours: "TGAT".
inline constexpr std::int64_t application_id = 0x54474154;

// What is in a database, before anything is done with it.
// Errors: refused  somebody else's, or of a newer version than the last step leads to; and those of sqlite.h
Result<std::int64_t> schema_version(const Database& database, std::span<const MigrationStep> steps,
                                    std::string_view schema = "main");

// Runs the steps that are missing, each in its transaction. Errors: as above.
Status migrate(const Database& database, std::span<const MigrationStep> steps = migrations());

}  // namespace tollgate::store
