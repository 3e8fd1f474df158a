// Merge: the rows of a view in the order of their time, from the tables of all kinds and of both databases.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/store/filter.h"
#include "gateway/store/log_view.h"

namespace tollgate::store {

// The total order of a view's rows: by time; then by kind, the store before the tails; then as they came.
struct RowKey {
  std::int64_t time = std::numeric_limits<std::int64_t>::min();
  std::size_t source = 0;
  std::int64_t seq = std::numeric_limits<std::int64_t>::min();
  auto operator<=>(const RowKey&) const = default;
};

// Reads in chunks: what a chunk reads, it reads in one short transaction, so the gateway's write-ahead log can be
// reused in between, however long the caller takes over the records.
class Merge {
 public:
  // `view` and `filter` must outlive it. Errors: those of sqlite.h.
  static Result<Merge> over(const LogView& view, const Filter& filter);

  // The next records that match, oldest first. Fewer than there are, even none, does not mean the end: at_end() does.
  // Errors: those of sqlite.h; malformed.
  Result<std::vector<proto::Record>> next_chunk();
  bool at_end() const { return at_end_; }

  // Where the last `count` of those that match begin; next_chunk() will start there. Errors: as above.
  Status skip_to_last(std::size_t count);

 private:
  enum class Order : std::uint8_t { ascending, descending };
  struct Source {
    Kind kind;
    bool in_store;
    std::optional<std::string> host;  // only rows of it, by the index on hosts
    std::optional<Statement> statement;
    bool has_row = false;
  };

  Merge(const LogView& view, const Filter& filter) : view_(&view), filter_(&filter) {}

  Status find_sources();
  Result<std::optional<std::vector<std::string>>> matching_hosts() const;
  std::string sql(const Source& source, Order order) const;
  Status start(Order order, const RowKey& from);
  void finish();
  Status advance(Source& source);
  // The source whose row comes next; nothing at the end.
  std::optional<std::size_t> first(Order order) const;
  RowKey key(std::size_t source) const;
  bool wanted(const Source& source) const;

  const LogView* view_;
  const Filter* filter_;
  std::vector<Source> sources_;  // in the order of RowKey::source
  RowKey next_;                  // where the next chunk begins
  bool at_end_ = false;
};

}  // namespace tollgate::store
