#include "gateway/store/follow.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace tollgate::store {

Follow::Follow(std::unique_ptr<Tails> tails) : tails_(std::move(tails)) {}
Follow::Follow(Follow&&) noexcept = default;
Follow& Follow::operator=(Follow&&) noexcept = default;
Follow::~Follow() = default;
Status Follow::poll(const Visitor& visitor) { return tails_->poll(visitor); }
std::uint64_t Follow::damaged() const { return tails_->damaged(); }

Follow::Tails::OpenExchanges Follow::Tails::open_exchanges(const LogView& view) {
  OpenExchanges open;
  const int run_column = static_cast<int>(columns(Kind::exchange).size());
  for (const std::string_view schema : {"main", "store"}) {
    if (schema == "store" && !view.has_store()) continue;
    // Run numbers are the store's in both.
    std::string sql = fmt::format(
        "SELECT {}, (SELECT name FROM main.journal_runs WHERE number = run) FROM {}.exchanges AS r WHERE state = "
        "'open'",
        column_list(Kind::exchange), schema);
    if (schema == "store") sql += " AND NOT EXISTS (SELECT 1 FROM main.exchanges AS newer WHERE newer.id = r.id)";
    auto statement = view.database().prepare(sql);
    if (!statement) continue;
    for (auto row = statement->step(); row && *row; row = statement->step()) {
      Open one{std::string(statement->text(run_column)), {}};
      if (read_row(*statement, 0, Kind::exchange, one.record)) open[one.record.exchange().id()] = std::move(one);
    }
  }
  return open;
}

Status Follow::Tails::poll(const Visitor& visitor) {
  const auto segments = folder_.segments(mono_now());
  if (!segments) return fail(segments);
  // A copy: looking for finished runs lists again.
  for (const auto& segment : std::vector(**segments)) {
    if (positions_[segment.name.text()].ended) continue;
    const auto next = read(segment, visitor);
    if (!next) return fail(next);
    if (*next == Next::stop) return {};
  }
  const auto next = interrupt(visitor);
  if (!next) return fail(next);
  return {};
}

Result<Follow::Tails::Next> Follow::Tails::read(const journal::SegmentFile& segment, const Visitor& visitor) {
  const std::string name = segment.name.text();
  auto reader = readers_.find(name);
  if (reader == readers_.end()) {
    auto opened = journal::SegmentReader::open(segment.path, positions_[name].offset);
    if (!opened && opened.error().kind == Error::Kind::not_found) return Next::go_on;
    if (!opened) return fail(opened);
    reader = readers_.emplace(name, std::move(*opened)).first;
  }
  // One poll shows what is there when it begins, so that it ends however fast more comes.
  const ByteCount extent = current_size(segment);
  for (;;) {
    auto step = reader->second.next();
    if (!step) return fail(step);
    positions_[name].offset = reader->second.offset();
    if (auto* entry = std::get_if<journal::Entry>(&*step)) {
      if (take(std::move(entry->record), segment.name.run, visitor) == Next::stop) return Next::stop;
      if (entry->at >= extent) return Next::go_on;
    } else if (std::holds_alternative<journal::Damaged>(*step)) {
      ++damaged_;
    } else if (std::holds_alternative<journal::EndOfSegment>(*step)) {
      positions_[name].ended = true;
      readers_.erase(reader);
      return Next::go_on;
    } else {
      return Next::go_on;
    }
  }
}

Follow::Tails::Next Follow::Tails::take(proto::Record&& record, const std::string& run, const Visitor& visitor) {
  if (record.has_exchange()) {
    const std::string id = record.exchange().id();
    if (record.begin()) {
      record.set_begin(false);
      record.mutable_exchange()->set_state("open");
      open_[id] = {run, std::move(record)};
      return Next::go_on;
    }
    open_.erase(id);
  }
  return show(record, visitor);
}

// The exchanges of dead gateways end here.
Result<Follow::Tails::Next> Follow::Tails::interrupt(const Visitor& visitor) {
  std::set<std::string> runs;
  for (const auto& [id, open] : open_) runs.insert(open.run);
  // Most runs have a segment that has not ended; only without one is the folder worth another look.
  for (const auto& [name, position] : positions_) {
    const auto segment = journal::SegmentName::parse(name);
    if (segment && !position.ended) runs.erase(segment->run);
  }
  const auto finished = finished_runs({runs.begin(), runs.end()}, positions_, folder_, mono_now());
  if (!finished) return fail(finished);
  for (auto open = open_.begin(); open != open_.end();) {
    if (std::find(finished->begin(), finished->end(), open->second.run) == finished->end()) {
      ++open;
      continue;
    }
    proto::Record record = std::move(open->second.record);
    open = open_.erase(open);
    record.mutable_exchange()->set_state("interrupted");
    record.mutable_exchange()->set_error(std::string(interrupted_error));
    if (show(record, visitor) == Next::stop) return Next::stop;
  }
  return Next::go_on;
}

Follow::Tails::Next Follow::Tails::show(const proto::Record& record, const Visitor& visitor) const {
  const auto shown = candidate(record);
  if (!shown || !matches(filter_, *shown)) return Next::go_on;
  return visitor(record) ? Next::go_on : Next::stop;
}

}  // namespace tollgate::store
