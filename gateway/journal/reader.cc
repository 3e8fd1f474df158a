#include "gateway/journal/reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace tollgate::journal {
namespace {

constexpr std::size_t window_size = 64 * kibibyte;
constexpr std::size_t window_kept = mebibyte;  // a larger one, made for a large entry, is given back

std::string reason(int error) { return std::generic_category().message(error); }

tl::unexpected<Error> io_failure(std::string_view doing) {
  const int error = errno;
  return fail(Error::Kind::io, fmt::format("cannot {} a journal segment: {}", doing, reason(error)));
}

}  // namespace

Result<std::vector<SegmentFile>> list_segments(const std::filesystem::path& dir) {
  std::error_code error;
  std::vector<SegmentFile> segments;
  std::filesystem::directory_iterator files(dir, error);
  for (; !error && files != std::filesystem::directory_iterator(); files.increment(error)) {
    const auto name = SegmentName::parse(files->path().filename().native());
    if (!name) continue;
    std::error_code gone;  // deleted since it was listed, or no regular file
    const ByteCount size = files->file_size(gone);
    if (!gone && size >= header_size) segments.push_back({*name, files->path(), size});
  }
  if (error) {
    const bool missing = error == std::errc::no_such_file_or_directory;
    return fail(missing ? Error::Kind::not_found : Error::Kind::io,
                fmt::format("cannot list the journal in {}: {}", dir.native(), error.message()));
  }
  std::sort(segments.begin(), segments.end(),
            [](const SegmentFile& a, const SegmentFile& b) { return a.name < b.name; });
  return segments;
}

Result<SegmentReader> SegmentReader::open(const std::filesystem::path& path, ByteCount offset) {
  if (!std::in_range<off_t>(offset)) {
    return fail(Error::Kind::malformed, fmt::format("{}: {} is no position in a file", path.native(), offset));
  }
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    const int error = errno;
    return fail(error == ENOENT ? Error::Kind::not_found : Error::Kind::io,
                fmt::format("cannot open {}: {}", path.native(), reason(error)));
  }
  SegmentReader reader(std::move(file));
  const auto begin = reader.window(0, header_size);
  if (!begin) return fail(begin);
  auto header = decode_header(*begin);
  if (!header && header.error().kind == Error::Kind::refused) {
    return fail(Error::Kind::refused, fmt::format("{}: {}", path.native(), header.error().what));
  }
  if (header) reader.header_ = std::move(*header);
  reader.offset_ = offset;
  return reader;
}

Result<ByteView> SegmentReader::window(ByteCount offset, std::size_t wanted) {
  if (offset >= window_at_ && offset + wanted <= window_at_ + window_.size()) {
    return ByteView(window_).subspan(static_cast<std::size_t>(offset - window_at_));
  }
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) return io_failure("look at");
  const ByteCount there = std::max(static_cast<ByteCount>(status.st_size), offset) - offset;
  const std::size_t size = static_cast<std::size_t>(std::min<ByteCount>(std::max(wanted, window_size), there));
  if (window_.capacity() > window_kept && size <= window_kept) Bytes().swap(window_);
  window_.resize(size);
  window_at_ = offset;
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t count =
        ::pread(file_.get(), window_.data() + filled, size - filled, static_cast<off_t>(offset + filled));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const auto failure = io_failure("read");
      window_.clear();
      return failure;
    }
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  window_.resize(filled);
  return ByteView(window_);
}

Result<Step> SegmentReader::next() {
  if (!damage_.empty()) return resync();
  if (offset_ == 0) return read_header();
  return read_entry();
}

Result<Step> SegmentReader::read_header() {
  const auto bytes = window(0, header_size);
  if (!bytes) return fail(bytes);
  if (bytes->size() < header_size && !final_) {
    const auto final = is_final();
    if (!final) return fail(final);
    return *final ? next() : Step(EndForNow{});
  }
  if (bytes->empty()) return EndOfSegment{};
  auto header = decode_header(*bytes);
  if (!header) return damaged(header.error().what);
  header_ = std::move(*header);
  offset_ = header_size;
  return read_entry();
}

Result<Step> SegmentReader::read_entry() {
  auto bytes = window(offset_, entry_overhead);
  if (!bytes) return fail(bytes);
  auto found = peek_entry(*bytes);
  if (const auto* more = std::get_if<NeedMore>(&found)) {
    bytes = window(offset_, more->at_least);
    if (!bytes) return fail(bytes);
    found = peek_entry(*bytes);
  }
  if (std::holds_alternative<NeedMore>(found)) {
    if (final_) return bytes->empty() ? Result<Step>(EndOfSegment{}) : damaged("the last entry is torn");
    const auto final = is_final();
    if (!final) return fail(final);
    return *final ? next() : Step(EndForNow{});
  }
  if (const auto* nothing = std::get_if<NotAnEntry>(&found)) return damaged(std::string(nothing->why));

  const auto& whole = std::get<Whole>(found);
  const ByteCount at = offset_;
  offset_ += whole.size;
  Entry entry{{}, at};
  if (!entry.record.ParseFromArray(whole.payload.data(), static_cast<int>(whole.payload.size()))) {
    return Damaged{at, offset_, "an entry that is no record"};
  }
  return entry;
}

Result<Step> SegmentReader::damaged(std::string why) {
  damage_ = std::move(why);
  searched_to_ = offset_ + 1;
  return resync();
}

// Looks for the next marker that begins a whole entry. Stops, to go on when asked again, where only later bytes can
// tell.
Result<Step> SegmentReader::resync() {
  while (true) {
    auto bytes = window(searched_to_, 1);
    if (!bytes) return fail(bytes);
    const auto candidate = std::find(bytes->begin(), bytes->end(), marker.front());
    searched_to_ += static_cast<ByteCount>(candidate - bytes->begin());
    const bool at_end = bytes->empty();
    if (candidate == bytes->end() && !at_end) continue;

    bytes = window(searched_to_, entry_overhead);
    if (!bytes) return fail(bytes);
    auto found = peek_entry(*bytes);
    if (const auto* more = std::get_if<NeedMore>(&found)) {
      bytes = window(searched_to_, more->at_least);
      if (!bytes) return fail(bytes);
      found = peek_entry(*bytes);
    }
    if (std::holds_alternative<Whole>(found)) return skip_to(searched_to_);
    if (std::holds_alternative<NeedMore>(found) && !final_) {
      const auto final = is_final();
      if (!final) return fail(final);
      if (!*final) return EndForNow{};
      continue;  // what was written before the writer went may decide it
    }
    if (bytes->empty()) return skip_to(searched_to_);
    ++searched_to_;
  }
}

Step SegmentReader::skip_to(ByteCount to) {
  Damaged skipped{offset_, to, std::move(damage_)};
  offset_ = to;
  damage_.clear();
  return skipped;
}

Result<bool> SegmentReader::is_final() {
  while (::flock(file_.get(), LOCK_SH | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return io_failure("ask for the lock of");
  }
  ::flock(file_.get(), LOCK_UN);
  final_ = true;
  return true;
}

}  // namespace tollgate::journal
