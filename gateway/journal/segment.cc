#include "gateway/journal/segment.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>

namespace tollgate::journal {
namespace {

constexpr std::array<std::uint8_t, 8> magic = {0x89, 'T', 'G', 'J', 0x0d, 0x0a, 0x1a, 0x0a};
constexpr std::uint16_t version = 1;
constexpr std::size_t run_size = 32;
constexpr std::size_t reserved_size = 4;
constexpr std::size_t checked_header_size = header_size - 4;
constexpr std::size_t length_at = 4;    // in an entry
constexpr std::size_t checksum_at = 8;  // in an entry
constexpr std::string_view suffix = ".tgj";

template <class Number>
void put(std::span<std::uint8_t> to, Number value) {
  for (std::size_t i = sizeof(Number); i-- > 0; value = static_cast<Number>(value >> 4U >> 4U)) {
    to[i] = static_cast<std::uint8_t>(value & 0xffU);
  }
}

std::uint32_t checksum(ByteView bytes) {
  return static_cast<std::uint32_t>(crc32(0, bytes.data(), static_cast<uInt>(bytes.size())));
}

// Of length and payload, which are not adjacent.
std::uint32_t entry_checksum(ByteView length, ByteView payload) {
  const uLong begun = crc32(0, length.data(), static_cast<uInt>(length.size()));
  return static_cast<std::uint32_t>(crc32(begun, payload.data(), static_cast<uInt>(payload.size())));
}

bool is_run(std::string_view text) {
  return !text.empty() && text.size() <= run_size && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  });
}

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The run id in its field; nothing when it is not one or is not filled up with zeros.
std::optional<std::string> run_in(ByteView field) {
  const std::string_view text = as_text(field);
  const std::size_t end = std::min(text.find('\0'), text.size());
  const bool filled = text.find_first_not_of('\0', end) == std::string_view::npos;
  if (!filled || !is_run(text.substr(0, end))) return std::nullopt;
  return std::string(text.substr(0, end));
}

}  // namespace

std::string SegmentName::text() const { return fmt::format("{}-{:03}-{:08}{}", run, worker, sequence, suffix); }

Result<SegmentName> SegmentName::parse(std::string_view text) {
  const auto malformed = [&] {
    return fail(Error::Kind::malformed, fmt::format("\"{}\" is not a segment's name", text.substr(0, 100)));
  };
  std::string_view rest = text;
  if (!rest.ends_with(suffix)) return malformed();
  rest.remove_suffix(suffix.size());
  const std::size_t first = rest.find('-');
  const std::size_t second = first == std::string_view::npos ? first : rest.find('-', first + 1);
  if (second == std::string_view::npos || !is_run(rest.substr(0, first))) return malformed();
  const auto worker = whole_number<std::uint16_t>(rest.substr(first + 1, second - first - 1));
  const auto sequence = whole_number<std::uint32_t>(rest.substr(second + 1));
  if (!worker || !sequence) return malformed();
  SegmentName name{std::string(rest.substr(0, first)), *worker, *sequence};
  if (name.text() != text) return malformed();  // one name a segment: no other spelling of its numbers
  return name;
}

std::array<std::uint8_t, header_size> encode_header(const SegmentHeader& header) {
  std::array<std::uint8_t, header_size> bytes{};
  const std::span<std::uint8_t> to(bytes);
  std::copy(magic.begin(), magic.end(), bytes.begin());
  put(to.subspan(8), version);
  put(to.subspan(10), header.name.worker);
  put(to.subspan(12), header.name.sequence);
  put(to.subspan(16), static_cast<std::uint64_t>(to_micros(header.created)));
  std::copy_n(header.name.run.begin(), std::min(header.name.run.size(), run_size), bytes.begin() + 24);
  put(to.subspan(checked_header_size), checksum(to.first(checked_header_size)));
  return bytes;
}

Result<SegmentHeader> decode_header(ByteView bytes) {
  if (bytes.size() < header_size) return fail(Error::Kind::malformed, "shorter than a segment's header");
  ByteCursor cursor(bytes.first(header_size));
  const auto found_magic = *cursor.take(magic.size());
  if (!std::equal(magic.begin(), magic.end(), found_magic.begin())) {
    return fail(Error::Kind::malformed, "does not begin as a segment does");
  }
  // Before the checksum: a later version may have its own.
  const std::uint16_t found_version = *cursor.u16();
  SegmentHeader header;
  header.name.worker = *cursor.u16();
  header.name.sequence = *cursor.u32();
  const std::uint64_t high = *cursor.u32();
  header.created = from_micros(static_cast<std::int64_t>((high << 32U) | *cursor.u32()));
  const auto run = run_in(*cursor.take(run_size));
  cursor.take(reserved_size);
  const bool sound = *cursor.u32() == checksum(bytes.first(checked_header_size));
  if (found_version > version && sound) {
    return fail(Error::Kind::refused, fmt::format("a segment of version {}; this program reads version {}: use the one "
                                                  "that wrote it, or a later one",
                                                  found_version, version));
  }
  if (!sound || !run || found_version != version) {
    return fail(Error::Kind::malformed, "the segment's header is damaged");
  }
  header.name.run = *run;
  return header;
}

bool append_entry(const proto::Record& record, std::string& out) {
  const std::size_t length = record.ByteSizeLong();
  if (length == 0 || length > max_payload) return false;
  const std::size_t at = out.size();
  out.resize(at + entry_overhead + length);
  const std::span<std::uint8_t> entry(reinterpret_cast<std::uint8_t*>(out.data()) + at, entry_overhead + length);
  std::copy(marker.begin(), marker.end(), entry.begin());
  put(entry.subspan(length_at), static_cast<std::uint32_t>(length));
  record.SerializeWithCachedSizesToArray(entry.data() + entry_overhead);
  put(entry.subspan(checksum_at), entry_checksum(entry.subspan(length_at, 4), entry.subspan(entry_overhead)));
  return true;
}

std::variant<Whole, NeedMore, NotAnEntry> peek_entry(ByteView bytes) {
  const std::size_t compared = std::min(bytes.size(), marker.size());
  if (!std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(compared), marker.begin())) {
    return NotAnEntry{"no entry begins here"};
  }
  if (bytes.size() < length_at + 4) return NeedMore{entry_overhead};
  ByteCursor cursor(bytes);
  cursor.take(marker.size());
  const std::uint32_t length = *cursor.u32();
  if (length == 0 || length > max_payload) return NotAnEntry{"a length that no entry has"};
  const std::size_t size = entry_overhead + length;
  if (bytes.size() < size) return NeedMore{size};
  const std::uint32_t found = *cursor.u32();
  const ByteView payload = *cursor.take(length);
  if (found != entry_checksum(bytes.subspan(length_at, 4), payload)) return NotAnEntry{"a wrong checksum"};
  return Whole{payload, size};
}

}  // namespace tollgate::journal
