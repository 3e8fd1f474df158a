#include "gateway/base/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>

namespace tollgate {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr auto byte_units = std::to_array<Unit>(
    {{"", 1}, {"B", 1}, {"KiB", kibibyte}, {"MiB", mebibyte}, {"GiB", gibibyte}, {"TiB", 1024 * gibibyte}});
constexpr auto duration_units =
    std::to_array<Unit>({{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}});

template <std::size_t N>
Result<std::uint64_t> parse_with_unit(std::string_view text, const std::array<Unit, N>& units,
                                      std::string_view allowed) {
  const auto bad = [&] { return fail(Error::Kind::malformed, fmt::format("\"{}\": {}", text, allowed)); };
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return bad();
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  for (const Unit& known : units) {
    if (unit != known.name) continue;
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / known.factor) return bad();
    return number * known.factor;
  }
  return bad();
}

}  // namespace

Result<ByteCount> parse_byte_count(std::string_view text) {
  return parse_with_unit(text, byte_units, "a size is a number and B, KiB, MiB, GiB or TiB, such as 2GiB");
}

Result<Millis> parse_duration(std::string_view text) {
  const auto count = parse_with_unit(text, duration_units, "a duration is a number and ms, s, m, h or d, such as 24h");
  if (!count) return fail(count);
  return Millis(static_cast<std::int64_t>(*count));
}

std::string readable(ByteCount bytes) {
  if (bytes < kibibyte) return fmt::format("{} B", bytes);
  for (std::size_t i = byte_units.size() - 1; i >= 2; --i) {
    if (bytes < byte_units.at(i).factor) continue;
    return fmt::format("{:.1f} {}", static_cast<double>(bytes) / static_cast<double>(byte_units.at(i).factor),
                       byte_units.at(i).name);
  }
  return fmt::format("{} B", bytes);
}

}  // namespace tollgate
