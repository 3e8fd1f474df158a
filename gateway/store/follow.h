// What is behind Follow: the journal's tails from the end of a view on.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "gateway/store/log_reader.h"
#include "gateway/store/log_view.h"

namespace tollgate::store {

class Follow::Tails {
 public:
  Tails(const LogView& view, Filter filter)
      : filter_(std::move(filter)), folder_(view.journal()), positions_(view.ends()), open_(open_exchanges(view)) {}

  Status poll(const Visitor& visitor);
  std::uint64_t damaged() const { return damaged_; }

 private:
  struct Open {
    std::string run;
    proto::Record record;
  };
  using OpenExchanges = std::map<std::string, Open>;  // by id
  enum class Next : std::uint8_t { go_on, stop };

  // Those of the view that have not ended. What cannot be read is left out: then its interruption is not shown.
  static OpenExchanges open_exchanges(const LogView& view);
  Result<Next> read(const journal::SegmentFile& segment, const Visitor& visitor);
  Next take(proto::Record&& record, const std::string& run, const Visitor& visitor);
  Result<Next> interrupt(const Visitor& visitor);
  Next show(const proto::Record& record, const Visitor& visitor) const;

  Filter filter_;
  JournalFolder folder_;
  PositionMap positions_;
  OpenExchanges open_;
  std::map<std::string, journal::SegmentReader> readers_;  // by a segment's file name
  std::uint64_t damaged_ = 0;
};

}  // namespace tollgate::store
