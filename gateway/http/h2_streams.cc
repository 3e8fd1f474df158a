#include "gateway/http/h2_streams.h"

#include <algorithm>
#include <cassert>

namespace tollgate::http {

namespace {
bool before(const std::unique_ptr<H2Stream>& stream, StreamId id) { return stream->id < id; }
}  // namespace

H2Stream& H2Streams::open(StreamId id) {
  assert(streams_.empty() || streams_.back()->id < id);
  streams_.push_back(std::make_unique<H2Stream>());
  streams_.back()->id = id;
  last_found_ = streams_.back().get();
  return *last_found_;
}

H2Stream* H2Streams::find(StreamId id) {
  if (last_found_ != nullptr && last_found_->id == id) return last_found_;
  const auto at = std::lower_bound(streams_.begin(), streams_.end(), id, before);
  if (at == streams_.end() || (*at)->id != id) return nullptr;
  last_found_ = at->get();
  return last_found_;
}

void H2Streams::close(StreamId id) {
  const auto at = std::lower_bound(streams_.begin(), streams_.end(), id, before);
  assert(at != streams_.end() && (*at)->id == id);
  last_found_ = nullptr;
  streams_.erase(at);
  if (streams_.empty()) streams_.shrink_to_fit();
}

void PassedOver::opened(StreamId id) {
  constexpr std::size_t most_gaps = 8;
  constexpr StreamId step = 2;
  const StreamId expected = last_ == 0 ? 1 : last_ + step;
  if (id > expected && gaps_.size() < most_gaps) gaps_.push_back({expected, id - step});
  last_ = id;
}

bool PassedOver::contains(StreamId id) const {
  return std::any_of(gaps_.begin(), gaps_.end(), [id](const Gap& gap) { return gap.first <= id && id <= gap.last; });
}

bool FrameAllowance::take(MonoTime now) {
  left_ = std::min(burst_, left_ + rate_ * std::chrono::duration<double>(now - then_).count());
  then_ = now;
  if (left_ < 1) return false;
  left_ -= 1;
  return true;
}

}  // namespace tollgate::http
