// The journal's writing side: one append-only segment file a worker (docs/journal.md). A killed process loses nothing
// that was committed; a power cut at most what was committed since the last sync().
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/descriptor.h"
#include "gateway/base/result.h"
#include "gateway/base/units.h"
#include "gateway/journal/segment.h"
#include "gateway/record/sink.h"

namespace tollgate::journal {

struct WriterOptions {
  std::filesystem::path dir;                   // state.dir/journal; made, mode 0700, when it is missing
  std::string run;                             // id of this run of the process: 1 to 32 letters and digits, a ULID
  std::uint16_t worker = 0;                    // no two writers share run and worker
  ByteCount rotate_size = 16 * mebibyte;       // a segment that has reached this is followed by a new one,
  Seconds rotate_age = std::chrono::hours(1);  // and so is one that is this old and not empty
  ByteCount pending_limit = 64 * mebibyte;     // what is kept in memory while the disk refuses
  Millis retry_after{100};                     // between attempts while the disk refuses
  std::function<WallTime()> clock = wall_now;
};

// What `doctor`, /metrics and the log say about the journal.
struct Health {
  std::optional<WallTime> failing_since;  // absent while all is well
  ByteCount pending_bytes = 0;            // appended and not with the kernel; all of it is in memory
  std::uint64_t lost_records = 0;         // for good: memory was full, or the record alone was too large
  std::uint64_t written_records = 0;
  std::uint64_t repaired_records = 0;  // had text that must not be recorded; whoever made them should have seen to it
  std::string last_error;              // a sentence; kept after recovery
};

// One a worker. Not thread-safe but for sync().
//
// When the disk is full, read-only or broken, nothing is thrown and nobody waits: entries stay in memory up to
// `pending_limit`, commits try again, and what comes when memory is full is counted lost (the oldest is kept: it says
// how the trouble began). A write that was cut short is cut back to the last whole entry, so that a torn entry is never
// followed by another. Each change between working and failing is logged once.
class Writer final : public record::RecordSink {
 public:
  // Makes the folder (its parent must be there) and the first segment. Errors: malformed (options), io.
  static Result<std::unique_ptr<Writer>> open(WriterOptions options);
  // Commits and syncs.
  ~Writer() override;
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Serialises the record; no allocation when warm. Text that is not recordable (gateway/record/redact.h) is made so
  // first.
  void append(const proto::Record& record) override;
  // One write(2) for all that was appended. Also where segments are rotated: call it every turn and on an idle worker
  // every minute or so, also with nothing appended.
  void commit() override;

  // fdatasync(2) of everything committed, also of the segments that rotation has left behind. Takes as long as the disk
  // does, which is why it is the one call that another thread may make (though not while the writer is destroyed). What
  // fails here is in health() after the next commit().
  void sync();

  const Health& health() const { return health_; }

 private:
  struct Segment {
    Descriptor file;
    std::filesystem::path path;
    ByteCount size = header_size;  // whole entries only
    WallTime created;
  };

  explicit Writer(WriterOptions options) : options_(std::move(options)) {}

  Result<std::shared_ptr<Segment>> create_segment(WallTime now);
  Status rotate(WallTime now);
  bool rotation_is_due(WallTime now) const;
  void rotate_if_due(WallTime now);
  void write_pending(WallTime now);
  void settle(std::size_t written);
  bool cut_back();
  void heed_sync_error();
  void append_recordable(const proto::Record& record);
  void failed(WallTime now, std::string what);
  void recovered(WallTime now);
  void lose(std::string_view why);

  WriterOptions options_;
  std::uint32_t last_sequence_ = 0;
  std::string pending_;  // whole entries
  std::uint64_t pending_records_ = 0;
  std::size_t torn_ = 0;        // bytes of pending_'s first entry that are at the segment's end and must be cut off
  bool leave_segment_ = false;  // it failed in a way that another file may not
  std::optional<WallTime> last_attempt_;   // to write, that failed
  std::optional<WallTime> last_rotation_;  // that was due and failed
  Health health_;

  // What sync() needs, on whatever thread it runs.
  std::shared_ptr<Segment> current_;            // only the owner's thread changes it, under the lock
  std::vector<std::shared_ptr<Segment>> left_;  // rotated away since the last sync
  bool folder_changed_ = false;
  std::mutex lock_;                 // of the three above
  std::atomic<int> sync_error_{0};  // errno of what failed in sync(), until commit() has seen it
};

}  // namespace tollgate::journal
