#include "gateway/store/log_reader.h"

#include <fmt/format.h>

#include "gateway/store/follow.h"
#include "gateway/store/log_view.h"
#include "gateway/store/merge.h"

namespace tollgate::store {

LogReader::LogReader(std::unique_ptr<LogView> view) : view_(std::move(view)) {}
LogReader::LogReader(LogReader&&) noexcept = default;
LogReader& LogReader::operator=(LogReader&&) noexcept = default;
LogReader::~LogReader() = default;

Result<LogReader> LogReader::open(const std::filesystem::path& state_dir) {
  auto view = LogView::freeze(state_dir);
  if (!view) return fail(view);
  return LogReader(std::move(*view));
}

Status LogReader::visit(const Filter& filter, const Visitor& visitor) const {
  auto merge = Merge::over(*view_, filter);
  if (!merge) return fail(merge);
  if (filter.limit) {
    if (auto skipped = merge->skip_to_last(*filter.limit); !skipped) return skipped;
  }
  while (!merge->at_end()) {
    const auto chunk = merge->next_chunk();
    if (!chunk) return fail(chunk);
    for (const auto& record : *chunk) {
      if (!visitor(record)) return {};
    }
  }
  return {};
}

Result<std::optional<proto::Record>> LogReader::find(std::string_view id) const {
  for (const std::string_view schema : {"main", "store"}) {
    if (schema == "store" && !view_->has_store()) continue;
    for (const Kind kind : all_kinds) {
      auto statement = view_->database().prepare(
          fmt::format("SELECT {} FROM {}.{} WHERE id = ?1", column_list(kind), schema, table(kind)));
      if (!statement) return fail(statement);
      statement->bind(1, id);
      const auto row = statement->step();
      if (!row) return fail(row);
      if (!*row) continue;
      proto::Record record;
      if (auto read = read_row(*statement, 0, kind, record); !read) return fail(read);
      return std::optional(std::move(record));
    }
  }
  return std::optional<proto::Record>();
}

std::uint64_t LogReader::damaged() const { return view_->damaged(); }

Follow LogReader::follow(Filter filter) const {
  return Follow(std::make_unique<Follow::Tails>(*view_, std::move(filter)));
}

}  // namespace tollgate::store
