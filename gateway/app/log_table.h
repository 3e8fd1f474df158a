// The log as a table for people: one line a record, columns that fit the terminal, nothing in it that a terminal obeys.
// docs and scripts use `log --json`; this may change.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/app/command.h"
#include "proto/record.pb.h"

namespace tollgate::app {

enum class Column : std::uint8_t { time, device, app, method, result, klass, bytes, took, where };
std::string_view name(Column column);

// Columns that `text` takes on a terminal: 2 for wide East Asian characters and pictures, 0 for combining marks.
std::size_t display_width(std::string_view text);
// `text`, cut between characters where it is wider than `columns` and ended with `…` then. `columns` is at least 1.
std::string fitted(std::string_view text, std::size_t columns);

class LogTable {
 public:
  // A narrow terminal gets fewer columns, the dispensable ones left out first.
  explicit LogTable(const Terminal& terminal);

  // Lines without their line break, no wider than the terminal.
  std::string header() const;
  std::string line(const proto::Record& record) const;

 private:
  std::string row(const std::vector<std::string>& cells, std::string_view colour) const;

  Terminal terminal_;
  std::vector<Column> columns_;
};

}  // namespace tollgate::app
