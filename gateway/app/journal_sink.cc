#include "gateway/app/journal_sink.h"

namespace tollgate::app {

void JournalSink::commit() {
  const std::uint64_t written = writer_->health().written_records;
  writer_->commit();
  const journal::Health& now = writer_->health();
  // Most turns of an idle worker change nothing worth a lock.
  if (now.written_records == written && now.pending_bytes == 0 && !now.failing_since) {
    const std::lock_guard guard(lock_);
    if (!health_.failing_since) return;
    health_ = now;
    return;
  }
  const std::lock_guard guard(lock_);
  health_ = now;
}

journal::Health JournalSink::health() const {
  const std::lock_guard guard(lock_);
  return health_;
}

}  // namespace tollgate::app
