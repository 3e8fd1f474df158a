#include "gateway/store/store.h"

#include <fmt/format.h>

#include "gateway/store/columns.h"
#include "gateway/store/positions.h"
#include "gateway/store/schema.h"
#include "gateway/store/sqlite.h"

namespace tollgate::store {
namespace {

Status require_directory(const std::filesystem::path& state_dir) {
  std::error_code error;
  if (std::filesystem::is_directory(state_dir, error)) return {};
  return fail(Error::Kind::not_found, fmt::format("{}: no such directory; set state.dir", state_dir.string()));
}

ByteCount size_of(const std::filesystem::path& file) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  return error ? 0 : size;
}

// The database as `store` of a private one, when there is one with tables in it.
Result<std::optional<Database>> open_attached(const std::filesystem::path& state_dir) {
  if (auto there = require_directory(state_dir); !there) return fail(there);
  std::error_code error;
  if (!std::filesystem::exists(database_path(state_dir), error)) return std::optional<Database>();
  auto database = Database::temporary();
  if (!database) return fail(database);
  if (auto attached = database->attach_read_only(database_path(state_dir), "store"); !attached) return fail(attached);
  const auto version = schema_version(*database, migrations(), "store");
  if (!version) return fail(version);
  if (*version == 0) return std::optional<Database>();
  return std::optional(std::move(*database));
}

}  // namespace

std::filesystem::path database_path(const std::filesystem::path& state_dir) { return state_dir / "tollgate.db"; }
std::filesystem::path journal_dir(const std::filesystem::path& state_dir) { return state_dir / "journal"; }

ByteCount database_size(const std::filesystem::path& state_dir) {
  const auto path = database_path(state_dir);
  return size_of(path) + size_of(path.string() + "-wal");
}

Result<StoreCounts> count_store(const std::filesystem::path& state_dir) {
  auto database = open_attached(state_dir);
  if (!database) return fail(database);
  StoreCounts counts;
  counts.database_bytes = database_size(state_dir);
  JournalFolder folder(journal_dir(state_dir));
  if (!*database) {
    const auto segments = folder.list(mono_now());
    if (!segments) return fail(segments);
    const auto size = measure(**segments, {});
    counts.journal_bytes = size.all;
    counts.lag = size.unread;
    return counts;
  }
  const Database& store = **database;
  counts.exists = true;
  const auto transaction = Transaction::begin(store, Transaction::Purpose::read);
  if (!transaction) return fail(transaction);
  const auto version = store.integer("PRAGMA store.user_version");
  if (!version) return fail(version);
  counts.schema_version = *version;
  for (const Kind kind : all_kinds) {
    const auto rows = store.integer(fmt::format("SELECT count(*) FROM store.{}", table(kind)));
    if (!rows) return fail(rows);
    const std::array fields = {&StoreCounts::exchanges, &StoreCounts::connections, &StoreCounts::dns,
                               &StoreCounts::hints};
    counts.*fields[static_cast<std::size_t>(kind)] = static_cast<std::uint64_t>(*rows);
  }
  const auto positions = Positions::load(store, "store");
  if (!positions) return fail(positions);
  const auto segments = folder.list(mono_now());
  if (!segments) return fail(segments);
  const auto size = measure(**segments, positions->all());
  counts.journal_bytes = size.all;
  counts.lag = size.unread;
  return counts;
}

Status check_store(const std::filesystem::path& state_dir) {
  const auto database = open_attached(state_dir);
  if (!database) return fail(database);
  if (!*database) return {};
  auto check = (*database)->prepare("PRAGMA store.quick_check(1)");
  if (!check) return fail(check);
  const auto row = check->step();
  if (!row) return fail(row);
  if (*row && check->text(0) == "ok") return {};
  return fail(Error::Kind::malformed,
              fmt::format("{}: damaged ({}): move it away and start the gateway, which rebuilds it from the journal",
                          database_path(state_dir).string(), check->text(0)));
}

}  // namespace tollgate::store
