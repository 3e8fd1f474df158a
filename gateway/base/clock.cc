#include "gateway/base/clock.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace tollgate {
namespace {

namespace chr = std::chrono;

// Takes a number of exactly `digits` digits from the front of `text`.
std::optional<int> take_digits(std::string_view& text, std::size_t digits) {
  int value = 0;
  if (text.size() < digits) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, value);
  if (error != std::errc{} || end != text.data() + digits || value < 0) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

bool take_any_of(std::string_view& text, std::string_view allowed) {
  if (text.empty() || allowed.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<WallTime> take_date(std::string_view& text) {
  const auto year = take_digits(text, 4);
  if (!year || !take_any_of(text, "-")) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take_any_of(text, "-")) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day) return std::nullopt;
  const chr::year_month_day date{chr::year(*year), chr::month(static_cast<unsigned>(*month)),
                                 chr::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return WallTime(chr::sys_days(date));
}

std::optional<Micros> take_time(std::string_view& text) {
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take_any_of(text, ":")) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59 || !take_any_of(text, ":")) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *second > 60) return std::nullopt;
  Micros time = chr::hours(*hour) + chr::minutes(*minute) + chr::seconds(*second);
  if (!take_any_of(text, ".")) return time;
  std::int64_t scale = 100'000;
  bool any = false;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
    time += Micros((text.front() - '0') * scale);
    scale /= 10;
    any = true;
  }
  return any ? std::optional(time) : std::nullopt;
}

std::optional<chr::minutes> take_offset(std::string_view& text) {
  if (take_any_of(text, "Zz")) return chr::minutes(0);
  const bool west = text.starts_with('-');
  if (!take_any_of(text, "+-")) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take_any_of(text, ":")) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  const chr::minutes offset = chr::hours(*hour) + chr::minutes(*minute);
  return west ? -offset : offset;
}

}  // namespace

WallTime wall_now() { return chr::time_point_cast<Micros>(chr::system_clock::now()); }

std::string rfc3339(WallTime time) {
  const auto day = chr::floor<chr::days>(time);
  const chr::year_month_day date(day);
  const chr::hh_mm_ss<Micros> clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

Result<WallTime> parse_rfc3339(std::string_view text) {
  std::string_view rest = text;
  const auto date = take_date(rest);
  const bool separated = date && take_any_of(rest, "Tt ");
  const auto time = separated ? take_time(rest) : std::nullopt;
  const auto offset = time ? take_offset(rest) : std::nullopt;
  if (!offset || !rest.empty()) {
    return fail(Error::Kind::malformed,
                fmt::format("\"{}\" is not a time: RFC 3339, such as 2026-11-22T13:02:03Z", text.substr(0, 100)));
  }
  return *date + *time - *offset;
}

}  // namespace tollgate
