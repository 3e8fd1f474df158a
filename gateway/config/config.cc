#include "gateway/config/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "gateway/base/text.h"
#include "gateway/base/unreachable.h"

namespace tollgate::config {
namespace {

constexpr std::string_view glob_prefix = "*.";

bool is_glob(const FixedAnswer& answer) { return answer.pattern.starts_with(glob_prefix); }

bool matches(const FixedAnswer& answer, std::string_view host) {
  if (!is_glob(answer)) return answer.pattern == host;
  const std::string_view tail = std::string_view(answer.pattern).substr(1);  // `.test`
  return host.size() > tail.size() && host.ends_with(tail);
}

// Whether `a` says more about a host that both match.
bool more_specific(const FixedAnswer& a, const FixedAnswer& b) {
  if (is_glob(a) != is_glob(b)) return !is_glob(a);
  return a.pattern.size() > b.pattern.size();
}

}  // namespace

std::string_view name(BadCertificate choice) {
  switch (choice) {
    case BadCertificate::passthrough: return "passthrough";
    case BadCertificate::refuse: return "refuse";
  }
  unreachable_state();
}

std::string_view name(LogLevel level) {
  switch (level) {
    case LogLevel::trace: return "trace";
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warn: return "warn";
    case LogLevel::error: return "error";
    case LogLevel::off: return "off";
  }
  unreachable_state();
}

Result<FixedAnswer> FixedAnswer::parse(std::string_view text) {
  const auto bad = [&] {
    return fail(Error::Kind::malformed,
                fmt::format("\"{}\": NAME=ADDR or *.NAME=ADDR", printable(text.substr(0, 300))));
  };
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return bad();
  std::string_view host = text.substr(0, equals);
  const bool glob = host.starts_with(glob_prefix);
  if (glob) host.remove_prefix(glob_prefix.size());
  const auto parsed_name = HostName::parse(host);
  const auto address = IpAddress::parse(text.substr(equals + 1));
  if (!parsed_name || !address) return bad();
  return FixedAnswer{std::string(glob ? glob_prefix : "") + parsed_name->text(), *address};
}

std::string FixedAnswer::text() const { return fmt::format("{}={}", pattern, address.text()); }

const FixedAnswer* match(const std::vector<FixedAnswer>& answers, const HostName& host) {
  const FixedAnswer* best = nullptr;
  for (const FixedAnswer& answer : answers) {
    if (matches(answer, host.text()) && (best == nullptr || more_specific(answer, *best))) best = &answer;
  }
  return best;
}

Result<StoreUrl> StoreUrl::parse(std::string_view text) {
  static constexpr std::string_view scheme = "sqlite:";
  const std::string_view file = text.starts_with(scheme) ? text.substr(scheme.size()) : std::string_view();
  if (file.empty() || !is_utf8(file) || printable(file) != file) {
    return fail(Error::Kind::malformed, fmt::format("\"{}\": sqlite:FILE", printable(text.substr(0, 300))));
  }
  return StoreUrl{std::filesystem::path(file)};
}

std::string StoreUrl::text() const { return fmt::format("sqlite:{}", file.string()); }

std::filesystem::path store_file(const Config& config) { return config.state_dir / config.store_url.file; }

std::uint32_t worker_count(const Config& config) {
  return config.workers > 0 ? config.workers : std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace tollgate::config
