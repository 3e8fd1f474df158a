// SQLite 3 behind results and owners: the only file that calls its C API. One thread a Database.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/base/free_with.h"
#include "gateway/base/result.h"

namespace tollgate::store {

// Errors of everything here: malformed  the file is damaged, or no database (the caller may move it aside)
//                            io         the machine refused: full disk, read-only, locked, no memory

// A prepared statement. Must not outlive its database.
class Statement {
 public:
  // Parameters count from 1. A text is not copied: it must live until the next reset().
  void bind(int parameter, std::int64_t value) { sqlite3_bind_int64(handle_.get(), parameter, value); }
  void bind(int parameter, double value) { sqlite3_bind_double(handle_.get(), parameter, value); }
  void bind(int parameter, std::string_view text);
  void bind_null(int parameter) { sqlite3_bind_null(handle_.get(), parameter); }

  // True: there is a row to read. False: done, and reset.
  Result<bool> step();
  // Steps to the end and resets.
  Status run();
  void reset() { sqlite3_reset(handle_.get()); }

  // Columns of the current row count from 0. A text is valid until the next step() or reset().
  std::int64_t integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  double real(int column) const { return sqlite3_column_double(handle_.get(), column); }
  std::string_view text(int column) const;
  bool is_null(int column) const { return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL; }

 private:
  friend class Database;
  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}
  std::unique_ptr<sqlite3_stmt, FreeWith<sqlite3_finalize>> handle_;
};

class Database {
 public:
  // Opens for reading and writing; made with mode 0600 when it is not there, and narrowed to that when it is wider.
  static Result<Database> open(const std::filesystem::path& path);
  // A private, empty database in memory, which spills to an unlinked temporary file when it grows.
  static Result<Database> temporary();
  // Makes another database readable under the schema name `as`; it is never written.
  Status attach_read_only(const std::filesystem::path& path, std::string_view as);

  Result<Statement> prepare(std::string_view sql) const;
  // Runs one or more statements that have no parameters and whose rows nobody wants.
  Status execute(const std::string& sql) const;
  // The first column of the first row; 0 when there is no row.
  Result<std::int64_t> integer(std::string_view sql) const;

  std::int64_t changes() const { return sqlite3_changes64(handle_.get()); }

 private:
  explicit Database(sqlite3* handle) : handle_(handle) {}
  std::unique_ptr<sqlite3, FreeWith<sqlite3_close_v2>> handle_;
};

// BEGIN … COMMIT around a scope: what has not been committed when it ends is rolled back.
class Transaction {
 public:
  enum class Purpose : std::uint8_t { read, write };
  static Result<Transaction> begin(const Database& database, Purpose purpose);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  // On an error the transaction is rolled back by the destructor.
  Status commit();

 private:
  explicit Transaction(const Database& database) : database_(&database) {}
  const Database* database_;
};

}  // namespace tollgate::store
