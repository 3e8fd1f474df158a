// A worker's journal writer, and a view of its health that other threads may take.
#pragma once

#include <memory>
#include <mutex>

#include "gateway/journal/writer.h"
#include "gateway/record/sink.h"

namespace tollgate::app {

class JournalSink final : public record::RecordSink {
 public:
  explicit JournalSink(std::unique_ptr<journal::Writer> writer) : writer_(std::move(writer)) {}

  void append(const proto::Record& record) override { writer_->append(record); }
  void commit() override;

  // Any thread: as of the last commit.
  journal::Health health() const;
  // Any one thread but the worker's: may take as long as the disk does.
  void sync() { writer_->sync(); }

 private:
  std::unique_ptr<journal::Writer> writer_;
  mutable std::mutex lock_;
  journal::Health health_;  // guarded by lock_
};

}  // namespace tollgate::app
