#include "gateway/store/sqlite.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace tollgate::store {
namespace {

// Commands beside the gateway, and checkpoints, hold locks for moments only.
constexpr int busy_timeout_ms = 2000;

tl::unexpected<Error> failure(sqlite3* database, int code) {
  const bool damaged = (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
  const char* path = database != nullptr ? sqlite3_db_filename(database, nullptr) : nullptr;
  // The message of the connection may be of another call; the code is of this one.
  const std::string_view detail = database != nullptr && (sqlite3_extended_errcode(database) & 0xff) == (code & 0xff)
                                      ? sqlite3_errmsg(database)
                                      : sqlite3_errstr(code);
  return fail(damaged ? Error::Kind::malformed : Error::Kind::io,
              fmt::format("{}: {} (SQLite error {})", path != nullptr && *path != 0 ? path : "temporary database",
                          detail, code));
}

// SQLite would make the file with the umask's mode; its -wal and -shm files take their mode from it.
Status make_private(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  struct stat status {};
  const bool good = file >= 0 && fstat(file, &status) == 0 && S_ISREG(status.st_mode) &&
                    ((status.st_mode & 077U) == 0 || fchmod(file, 0600) == 0);
  const int reason = errno;
  if (file >= 0) close(file);
  if (good) return {};
  return fail(Error::Kind::io, fmt::format("{}: {}", path.string(), std::generic_category().message(reason)));
}

// Of a `file:` URI: https://www.sqlite.org/uri.html
std::string percent_encoded(std::string_view path) {
  std::string encoded;
  for (const char character : path) {
    if (character == '%' || character == '?' || character == '#') {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(character));
    } else {
      encoded += character;
    }
  }
  return encoded;
}

}  // namespace

void Statement::bind(int parameter, std::string_view text) {
  // A null pointer would be NULL, not "".
  const char* data = text.data() != nullptr ? text.data() : "";
  sqlite3_bind_text64(handle_.get(), parameter, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  auto* database = sqlite3_db_handle(handle_.get());
  if (code != SQLITE_DONE) {
    auto failed = failure(database, code);
    reset();
    return failed;
  }
  reset();
  return false;
}

Status Statement::run() {
  auto more = step();
  while (more && *more) more = step();
  if (!more) return fail(more);
  return {};
}

std::string_view Statement::text(int column) const {
  const auto* data = sqlite3_column_text(handle_.get(), column);
  if (data == nullptr) return {};
  return {reinterpret_cast<const char*>(data), static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

Result<Database> Database::open(const std::filesystem::path& path) {
  if (auto made = make_private(path); !made) return fail(made);
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  Database database(handle);
  if (code != SQLITE_OK) return failure(handle, code);
  sqlite3_busy_timeout(handle, busy_timeout_ms);
  return database;
}

Result<Database> Database::temporary() {
  sqlite3* handle = nullptr;
  // An empty name is SQLite's for a private database; URI is for attach_read_only().
  const int code = sqlite3_open_v2(
      "", &handle,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_URI,
      nullptr);
  Database database(handle);
  if (code != SQLITE_OK) return failure(handle, code);
  sqlite3_busy_timeout(handle, busy_timeout_ms);
  return database;
}

Status Database::attach_read_only(const std::filesystem::path& path, std::string_view as) {
  auto statement = prepare("ATTACH ?1 AS ?2");
  if (!statement) return fail(statement);
  const std::string uri = "file:" + percent_encoded(std::filesystem::absolute(path).string()) + "?mode=ro";
  statement->bind(1, uri);
  statement->bind(2, as);
  return statement->run();
}

Result<Statement> Database::prepare(std::string_view sql) const {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return failure(handle_.get(), code);
  return Statement(statement);
}

Status Database::execute(const std::string& sql) const {
  const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(handle_.get(), code);
  return {};
}

Result<std::int64_t> Database::integer(std::string_view sql) const {
  auto statement = prepare(sql);
  if (!statement) return fail(statement);
  const auto row = statement->step();
  if (!row) return fail(row);
  return *row ? statement->integer(0) : 0;
}

Result<Transaction> Transaction::begin(const Database& database, Purpose purpose) {
  // IMMEDIATE takes the write lock now: a transaction that reads first and writes later could be refused in its middle.
  if (auto begun = database.execute(purpose == Purpose::write ? "BEGIN IMMEDIATE" : "BEGIN"); !begun)
    return fail(begun);
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ == nullptr) return;
  // Fails only when SQLite has rolled back by itself already (full disk).
  static_cast<void>(database_->execute("ROLLBACK"));
}

Status Transaction::commit() {
  auto committed = database_->execute("COMMIT");
  if (committed) database_ = nullptr;
  return committed;
}

}  // namespace tollgate::store
