#include "gateway/journal/writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <system_error>

#include "gateway/record/redact.h"

namespace tollgate::journal {
namespace {

constexpr std::size_t buffer_kept = mebibyte;  // a larger one, filled while the disk refused, is given back
constexpr std::size_t most_unsynced = 4;       // segments left behind before rotation waits for the disk itself
constexpr Seconds rotation_retry{60};

std::string reason(int error) { return std::generic_category().message(error); }

// Whether another file in the same place could do better than this one.
bool is_about_this_file(int error) { return error != ENOSPC && error != EDQUOT && error != EROFS; }

// Whether less than `pause` has passed since `last`. A clock that was set back does not prolong the pause.
bool too_soon(const std::optional<WallTime>& last, WallTime now, Micros pause) {
  return last && now >= *last && now - *last < pause;
}

// One more thing to say of the `count`th of its kind: aloud at first, then ever more rarely.
bool worth_saying(std::uint64_t count) { return std::has_single_bit(count); }

int write_whole(int file, ByteView bytes, std::size_t& written) {
  for (written = 0; written < bytes.size();) {
    const ssize_t count = ::write(file, bytes.data() + written, bytes.size() - written);
    if (count > 0) {
      written += static_cast<std::size_t>(count);
    } else if (count == 0) {
      return EIO;  // not for a regular file, says POSIX; and not for ever, say we
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

int sync_file(int file) {
  while (::fdatasync(file) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

int sync_folder(const std::filesystem::path& dir) {
  const Descriptor folder(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return errno;
  return 0;
}

}  // namespace

Result<std::unique_ptr<Writer>> Writer::open(WriterOptions options) {
  const SegmentName first{options.run, options.worker, 1};
  if (const auto name = SegmentName::parse(first.text()); !name) return fail(name);
  const WallTime now = options.clock();
  std::unique_ptr<Writer> writer(new Writer(std::move(options)));  // NOLINT(cppcoreguidelines-owning-memory): private
  if (const auto made = writer->rotate(now); !made) return fail(made);
  return writer;
}

Writer::~Writer() {
  if (!current_) return;  // open() failed
  last_attempt_.reset();
  commit();
  sync();
  if (!pending_.empty()) {
    spdlog::error("journal: {} records are lost: the program ends and {}", pending_records_, health_.last_error);
  }
  if (current_->size == header_size && torn_ == 0) ::unlink(current_->path.c_str());
}

Result<std::shared_ptr<Writer::Segment>> Writer::create_segment(WallTime now) {
  const SegmentName name{options_.run, options_.worker, ++last_sequence_};
  auto segment = std::make_shared<Segment>();
  segment->path = options_.dir / name.text();
  segment->created = now;
  const auto failure = [&](int error) {
    return fail(Error::Kind::io, fmt::format("cannot make {}: {}", segment->path.native(), reason(error)));
  };
  if (::mkdir(options_.dir.c_str(), 0700) != 0 && errno != EEXIST) return failure(errno);
  constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW;
  segment->file = Descriptor(::open(segment->path.c_str(), flags, 0600));
  if (!segment->file) return failure(errno);

  // Locked before it has a header: a reader takes no notice of it until then, and finds it locked from then on. The
  // wait is for a reader that is just asking for the lock.
  int error = 0;
  while (::flock(segment->file.get(), LOCK_EX) != 0 && error == 0) error = errno == EINTR ? 0 : errno;
  std::size_t written = 0;
  if (error == 0) error = write_whole(segment->file.get(), encode_header({name, now}), written);
  if (error != 0) {
    ::unlink(segment->path.c_str());
    return failure(error);
  }
  return segment;
}

Status Writer::rotate(WallTime now) {
  auto next = create_segment(now);
  if (!next) return fail(next);
  bool crowded = false;
  {
    const std::lock_guard guard(lock_);
    const std::shared_ptr<Segment> left = std::exchange(current_, std::move(*next));
    folder_changed_ = true;
    if (left && left->size == header_size && torn_ == 0) {
      ::unlink(left->path.c_str());
    } else if (left) {
      ::flock(left->file.get(), LOCK_UN);  // readers see now that nothing will follow, not when it has been synced
      left_.push_back(left);
    }
    crowded = left_.size() > most_unsynced;
  }
  torn_ = 0;
  leave_segment_ = false;
  if (crowded) sync();
  return {};
}

bool Writer::rotation_is_due(WallTime now) const {
  const bool old = now - current_->created >= options_.rotate_age && current_->size > header_size;
  return (old || current_->size >= options_.rotate_size) && !too_soon(last_rotation_, now, rotation_retry);
}

void Writer::rotate_if_due(WallTime now) {
  if (!rotation_is_due(now)) return;
  const auto rotated = rotate(now);
  last_rotation_ = rotated ? std::nullopt : std::optional(now);
  if (rotated) return;
  // Its age or size is no reason to stop writing to a segment.
  health_.last_error = rotated.error().what;
  spdlog::warn("journal: {}; going on in the segment before it", health_.last_error);
}

void Writer::append(const proto::Record& record) {
  if (record::is_recordable(record)) return append_recordable(record);
  if (worth_saying(++health_.repaired_records)) {
    spdlog::warn("journal: {} records so far had text that may not be recorded as it was", health_.repaired_records);
  }
  proto::Record repaired = record;
  record::make_recordable(repaired);
  append_recordable(repaired);
}

void Writer::append_recordable(const proto::Record& record) {
  const std::size_t before = pending_.size();
  const bool nearly_full = before > options_.pending_limit / 2;
  if (nearly_full && before + entry_overhead + record.ByteSizeLong() > options_.pending_limit) {
    return lose("memory for what cannot be written is full");
  }
  if (!append_entry(record, pending_)) return lose("it is empty or larger than an entry may be");
  ++pending_records_;
  health_.pending_bytes = pending_.size();
}

void Writer::lose(std::string_view why) {
  if (worth_saying(++health_.lost_records)) {
    spdlog::error("journal: a record is lost, {} so far: {}", health_.lost_records, why);
  }
}

void Writer::commit() {
  if (sync_error_.load(std::memory_order_relaxed) != 0) heed_sync_error();
  const WallTime now = options_.clock();
  if (too_soon(last_attempt_, now, options_.retry_after)) return;
  if (torn_ > 0 && !cut_back()) leave_segment_ = true;
  if (leave_segment_) {
    if (const auto rotated = rotate(now); !rotated) return failed(now, rotated.error().what);
  }
  if (pending_.empty()) {
    recovered(now);
  } else {
    write_pending(now);
  }
  if (!health_.failing_since) rotate_if_due(now);
}

void Writer::write_pending(WallTime now) {
  std::size_t written = 0;
  const int error = write_whole(current_->file.get(), as_bytes(pending_), written);
  settle(written);
  if (error == 0) return recovered(now);
  if (is_about_this_file(error)) leave_segment_ = true;
  cut_back();
  failed(now, fmt::format("cannot write {}: {}", current_->path.native(), reason(error)));
}

// Accounts for the first `written` bytes of pending_: whole entries are done with, the beginning of one is torn.
void Writer::settle(std::size_t written) {
  std::size_t whole = 0;
  std::uint64_t records = 0;
  if (written == pending_.size()) {
    whole = written;
    records = pending_records_;
  }
  while (whole < written) {
    const auto entry = peek_entry(as_bytes(pending_).subspan(whole));
    const std::size_t end = whole + std::get<Whole>(entry).size;
    if (end > written) break;
    whole = end;
    ++records;
  }
  torn_ = written - whole;
  current_->size += whole;
  pending_.erase(0, whole);
  pending_records_ -= records;
  health_.written_records += records;
  health_.pending_bytes = pending_.size();
  if (pending_.empty() && pending_.capacity() > buffer_kept) pending_.shrink_to_fit();
}

bool Writer::cut_back() {
  while (torn_ > 0 && ::ftruncate(current_->file.get(), static_cast<off_t>(current_->size)) != 0) {
    if (errno != EINTR) return false;
  }
  torn_ = 0;
  return true;
}

void Writer::failed(WallTime now, std::string what) {
  health_.last_error = std::move(what);
  last_attempt_ = now;
  if (health_.failing_since) return;
  health_.failing_since = now;
  spdlog::error("journal: {}; records are kept in memory, up to {}, and writing is tried again", health_.last_error,
                readable(options_.pending_limit));
}

void Writer::recovered(WallTime now) {
  last_attempt_.reset();
  if (!health_.failing_since) return;
  spdlog::warn("journal: writing again after {} s; {} records were lost for good",
               std::chrono::duration_cast<Seconds>(now - *health_.failing_since).count(), health_.lost_records);
  health_.failing_since.reset();
}

void Writer::sync() {
  std::vector<std::shared_ptr<Segment>> segments;
  bool folder_changed = false;
  {
    const std::lock_guard guard(lock_);
    segments.swap(left_);
    segments.push_back(current_);
    folder_changed = std::exchange(folder_changed_, false);
  }
  int error = 0;
  for (const auto& segment : segments) {
    if (const int failure = sync_file(segment->file.get()); failure != 0) error = failure;
  }
  if (folder_changed) {
    if (const int failure = sync_folder(options_.dir); failure != 0) error = failure;
  }
  // Somebody may have deleted the file under us; what is written to it would go nowhere.
  struct stat status {};
  if (::fstat(segments.back()->file.get(), &status) == 0 && status.st_nlink == 0) error = ENOENT;
  if (error != 0) sync_error_.store(error);
}

void Writer::heed_sync_error() {
  const int error = sync_error_.exchange(0);
  leave_segment_ = true;
  health_.last_error = error == ENOENT ? fmt::format("{} was deleted while it was written", current_->path.native())
                                       : fmt::format("cannot sync {}: {}", current_->path.native(), reason(error));
  spdlog::error("journal: {}: the latest records may be lost; going on in a new segment", health_.last_error);
}

}  // namespace tollgate::journal
