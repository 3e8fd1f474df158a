#include "gateway/config/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <limits>
#include <optional>
#include <type_traits>

#include "gateway/base/text.h"
#include "gateway/config/assign.h"

namespace tollgate::config {
namespace {

using std::filesystem::path;

// One Form for each type of field: what its values may be, how one is read from a value's text, how it is written.
// A type whose values are TOML numbers, booleans or lists says so in assign() and quoted().
template <class T>
struct Form;

std::string between(const Range& range) {
  return range.low.empty() ? std::string() : fmt::format(" from {} to {}", range.low, range.high);
}

// `text` as a T that lies within `range`, by the parser that also reads the range.
template <class T, class Parse>
std::optional<T> read_within(std::string_view text, const Range& range, Parse parse) {
  const std::optional<T> value = parse(text);
  if (!value || range.low.empty()) return value;
  const bool within = *parse(range.low) <= *value && *value <= *parse(range.high);
  return within ? value : std::nullopt;
}

template <class T>
std::optional<T> or_nothing(const Result<T>& result) {
  return result ? std::optional<T>(*result) : std::nullopt;
}

std::optional<std::uint32_t> parse_number(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// `count` in the largest unit that leaves no rest. `units` go from the largest to the smallest, which is 1.
struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
template <std::size_t N>
std::string in_units(std::uint64_t count, const std::array<Unit, N>& units) {
  const auto fits = [&](const Unit& unit) { return count > 0 && count % unit.factor == 0; };
  const auto unit = std::find_if(units.begin(), units.end(), fits);
  return unit == units.end() ? fmt::format("0{}", units.back().name)
                             : fmt::format("{}{}", count / unit->factor, unit->name);
}

template <class Enum, std::size_t N>
std::optional<Enum> named(const std::array<Enum, N>& choices, std::string_view text) {
  const auto found = std::find_if(choices.begin(), choices.end(), [&](Enum choice) { return name(choice) == text; });
  return found == choices.end() ? std::nullopt : std::optional(*found);
}
template <class Enum, std::size_t N>
std::string one_of(const std::array<Enum, N>& choices) {
  std::array<std::string_view, N> names;
  std::transform(choices.begin(), choices.end(), names.begin(), [](Enum choice) { return name(choice); });
  return fmt::format("one of {}", fmt::join(names, ", "));
}

template <>
struct Form<path> {
  static std::string allowed(const Setting& setting) {
    return setting.fallback.empty() ? "a path, or \"\" for none" : "a path";
  }
  static std::optional<path> read(const Setting& setting, std::string_view text) {
    const bool usable = is_utf8(text) && printable(text) == text && (!text.empty() || setting.fallback.empty());
    return usable ? std::optional(path(text)) : std::nullopt;
  }
  static std::string write(const path& value) { return value.string(); }
};

template <>
struct Form<Listen> {
  static std::string allowed(const Setting&) { return "off, or an address and port such as 127.0.0.1:8080"; }
  static std::optional<Listen> read(const Setting&, std::string_view text) {
    if (text == "off") return Listen();
    const auto address = SocketAddress::parse(text);
    return address ? std::optional<Listen>(*address) : std::nullopt;
  }
  static std::string write(const Listen& value) { return value ? value->text() : "off"; }
};

template <>
struct Form<FixedAnswer> {
  static std::string allowed(const Setting&) {
    return R"(a list of NAME=ADDR or *.NAME=ADDR, such as ["*.test=127.0.0.1"])";
  }
  static std::optional<FixedAnswer> read(const Setting&, std::string_view text) {
    return or_nothing(FixedAnswer::parse(text));
  }
  static std::string write(const FixedAnswer& value) { return value.text(); }
};

template <>
struct Form<SocketAddress> {  // of a resolver: the port may be left out
  static constexpr std::uint16_t dns_port = 53;
  static std::string allowed(const Setting&) {
    return R"(a list of ADDR or ADDR:PORT, such as ["192.0.2.1", "[2001:db8::1]:53"])";
  }
  static std::optional<SocketAddress> read(const Setting&, std::string_view text) {
    if (const auto ip = IpAddress::parse(text)) return SocketAddress{*ip, dns_port};
    const auto authority = Authority::parse(text, dns_port);
    const IpAddress* ip = authority ? authority->host.address() : nullptr;
    return ip != nullptr && authority->port != 0 ? std::optional(SocketAddress{*ip, authority->port}) : std::nullopt;
  }
  static std::string write(const SocketAddress& value) { return value.text(); }
};

template <>
struct Form<BadCertificate> {
  static constexpr std::array choices{BadCertificate::passthrough, BadCertificate::refuse};
  static std::string allowed(const Setting&) { return one_of(choices); }
  static std::optional<BadCertificate> read(const Setting&, std::string_view text) { return named(choices, text); }
  static std::string write(BadCertificate value) { return std::string(name(value)); }
};

template <>
struct Form<LogLevel> {
  static constexpr std::array choices{LogLevel::trace, LogLevel::debug, LogLevel::info,
                                      LogLevel::warn,  LogLevel::error, LogLevel::off};
  static std::string allowed(const Setting&) { return one_of(choices); }
  static std::optional<LogLevel> read(const Setting&, std::string_view text) { return named(choices, text); }
  static std::string write(LogLevel value) { return std::string(name(value)); }
};

template <>
struct Form<StoreUrl> {
  static std::string allowed(const Setting&) { return "sqlite:FILE"; }
  static std::optional<StoreUrl> read(const Setting&, std::string_view text) {
    return or_nothing(StoreUrl::parse(text));
  }
  static std::string write(const StoreUrl& value) { return value.text(); }
};

template <>
struct Form<Millis> {
  static constexpr std::array<Unit, 5> units{
      {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
  static std::string allowed(const Setting& setting) {
    return fmt::format("a duration{}, such as 500ms, 30s, 5m, 24h or 7d", between(setting.range));
  }
  static std::optional<Millis> read(const Setting& setting, std::string_view text) {
    return read_within<Millis>(text, setting.range, [](std::string_view t) { return or_nothing(parse_duration(t)); });
  }
  static std::string write(Millis value) { return in_units(static_cast<std::uint64_t>(value.count()), units); }
};

template <>
struct Form<ByteCount> {
  static constexpr std::array<Unit, 5> units{
      {{"TiB", 1024 * gibibyte}, {"GiB", gibibyte}, {"MiB", mebibyte}, {"KiB", kibibyte}, {"B", 1}}};
  static std::string allowed(const Setting& setting) {
    return fmt::format("a size{}, such as 512MiB or 2GiB", between(setting.range));
  }
  static std::optional<ByteCount> read(const Setting& setting, std::string_view text) {
    return read_within<ByteCount>(text, setting.range,
                                  [](std::string_view t) { return or_nothing(parse_byte_count(t)); });
  }
  static std::string write(ByteCount value) { return in_units(value, units); }
};

template <>
struct Form<bool> {
  static std::string allowed(const Setting&) { return "true or false"; }
  static std::string write(bool value) { return value ? "true" : "false"; }
};

template <>
struct Form<std::uint32_t> {
  static std::string allowed(const Setting& setting) { return fmt::format("a number{}", between(setting.range)); }
  static std::optional<std::uint32_t> read(const Setting& setting, std::string_view text) {
    return read_within<std::uint32_t>(text, setting.range, parse_number);
  }
  static std::string write(std::uint32_t value) { return fmt::format("{}", value); }
};

template <>
struct Form<Seconds> {
  static std::string allowed(const Setting& setting) {
    return fmt::format("a number of seconds{}", between(setting.range));
  }
  static std::optional<Seconds> read(const Setting& setting, std::string_view text) {
    const auto number = read_within<std::uint32_t>(text, setting.range, parse_number);
    return number ? std::optional(Seconds(*number)) : std::nullopt;
  }
  static std::string write(Seconds value) { return fmt::format("{}", value.count()); }
};

template <class T>
struct Element {
  using Type = T;
};
template <class T>
struct Element<std::vector<T>> {
  using Type = T;
};

template <class T>
constexpr bool is_number = std::is_same_v<T, std::uint32_t> || std::is_same_v<T, Seconds>;

class Assigner {
 public:
  Assigner(Config& config, const Setting& setting, const Value& value)
      : config_(config), setting_(setting), value_(value) {}

  template <class T>
  void operator()(T Config::*field) {
    if (const auto read = read_one<T>(value_)) {
      config_.*field = *read;
    } else {
      wrong(value_);
    }
  }
  void operator()(bool Config::*field) {
    const bool* flag = std::get_if<bool>(&value_.is);
    flag != nullptr ? void(config_.*field = *flag) : wrong(value_);
  }
  template <class T>
  void operator()(std::vector<T> Config::*field) {
    const auto* list = std::get_if<Value::List>(&value_.is);
    if (list == nullptr) return wrong(value_);
    std::vector<T> all;
    for (const Value& element : *list) {
      const auto read = read_one<T>(element);
      read ? all.push_back(*read) : wrong(element);
    }
    config_.*field = std::move(all);
  }

  std::vector<std::string> findings() && { return std::move(findings_); }

 private:
  template <class T>
  std::optional<T> read_one(const Value& value) const {
    const auto* text = std::get_if<std::string>(&value.is);
    const auto* number = std::get_if<std::int64_t>(&value.is);
    if (text != nullptr && !is_number<T>) return Form<T>::read(setting_, *text);
    if (number != nullptr && (is_number<T> || std::is_same_v<T, ByteCount>)) {
      return Form<T>::read(setting_, std::to_string(*number));
    }
    return std::nullopt;
  }

  void wrong(const Value& value) {
    findings_.push_back(fmt::format("{}: {}: {}: {}", value.place, setting_.key, value.shown, allowed(setting_)));
  }

  Config& config_;
  const Setting& setting_;
  const Value& value_;
  std::vector<std::string> findings_;
};

}  // namespace

std::string allowed(const Setting& setting) {
  return std::visit([&]<class T>(T Config::*) { return Form<typename Element<T>::Type>::allowed(setting); },
                    setting.field);
}

std::string toml_value(const Setting& setting, const Config& config) {
  const auto write = [&]<class T>(T Config::*field) {
    const T& value = config.*field;
    if constexpr (is_number<T> || std::is_same_v<T, bool>) {
      return Form<T>::write(value);
    } else if constexpr (!std::is_same_v<T, typename Element<T>::Type>) {
      std::vector<std::string> elements;
      elements.reserve(value.size());
      for (const auto& element : value) {
        elements.push_back(toml_string(Form<typename Element<T>::Type>::write(element)));
      }
      return fmt::format("[{}]", fmt::join(elements, ", "));
    } else {
      return toml_string(Form<T>::write(value));
    }
  };
  return std::visit(write, setting.field);
}

bool is_list(const Setting& setting) {
  return std::visit([]<class T>(T Config::*) { return !std::is_same_v<T, typename Element<T>::Type>; }, setting.field);
}

std::vector<std::string> assign(Config& config, const Setting& setting, const Value& value) {
  Assigner assigner(config, setting, value);
  std::visit([&](auto field) { assigner(field); }, setting.field);
  return std::move(assigner).findings();
}

const Config& defaults() {
  static const Config config = [] {
    Config all;
    for (const Setting& setting : settings) {
      [[maybe_unused]] const auto findings = assign(all, setting, read_set_value(setting.fallback));
      assert(findings.empty());
    }
    return all;
  }();
  return config;
}

}  // namespace tollgate::config
