#include "gateway/store/filter.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/base/names.h"
#include "gateway/base/unreachable.h"

namespace tollgate::store {
namespace {

char lower(char character) {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a') : character;
}
bool same(char a, char b) { return lower(a) == lower(b); }

bool is_glob(std::string_view pattern) { return pattern.find_first_of("*?") != std::string_view::npos; }

// Linear in the text for each `*`: where it does not fit, only the last `*` takes one more character.
bool glob_matches(std::string_view pattern, std::string_view text) {
  std::size_t at = 0;
  std::size_t in_text = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  while (in_text < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      star_text = in_text;
    } else if (at < pattern.size() && (pattern[at] == '?' || same(pattern[at], text[in_text]))) {
      ++at;
      ++in_text;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      in_text = ++star_text;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

bool contains(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

bool text_matches(std::string_view pattern, std::string_view text) {
  return is_glob(pattern) ? glob_matches(pattern, text) : equal_ignoring_case(pattern, text);
}

bool app_matches(std::string_view pattern, const Candidate& candidate) {
  if (is_glob(pattern)) return glob_matches(pattern, candidate.app_id) || glob_matches(pattern, candidate.app_name);
  return contains(candidate.app_id, pattern) || contains(candidate.app_name, pattern);
}

// A port ends a host: `example.test:8443`, `[::1]:8443`. An IPv6 address without brackets has colons, but no port.
std::string_view without_port(std::string_view host) {
  const auto colon = host.rfind(':');
  if (colon == std::string_view::npos) return host;
  const bool bracketed = host.starts_with('[');
  if (bracketed ? host[colon - 1] != ']' : host.find(':') != colon) return host;
  return host.substr(0, colon);
}

std::string_view without_brackets(std::string_view host) {
  return host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
}

bool host_matches(std::string_view pattern, std::string_view host) {
  if (host.empty()) return false;
  // A pattern that names a port is held against the host with its port.
  const bool with_port = without_port(pattern).size() != pattern.size();
  if (!with_port) host = without_brackets(without_port(host));
  if (!with_port) pattern = without_brackets(pattern);
  if (is_glob(pattern)) return glob_matches(pattern, host);
  if (pattern.starts_with('.')) pattern.remove_prefix(1);
  if (host.size() <= pattern.size()) return equal_ignoring_case(pattern, host);
  const auto above = host.size() - pattern.size();
  return host[above - 1] == '.' && equal_ignoring_case(pattern, host.substr(above));
}

}  // namespace

std::string_view name(Kind kind) {
  using enum Kind;
  switch (kind) {
    case exchange: return "exchange";
    case connection: return "connection";
    case dns: return "dns";
    case hint: return "hint";
  }
  unreachable_state();
}

Result<Kind> parse_kind(std::string_view text) {
  using enum Kind;
  for (const Kind kind : {exchange, connection, dns, hint}) {
    if (name(kind) == text) return kind;
  }
  return fail(Error::Kind::malformed, fmt::format("kind \"{}\": one of exchange, connection, dns, hint", text));
}

std::optional<Kind> kind_of(const proto::Record& record) {
  switch (record.kind_case()) {
    case proto::Record::kExchange: return Kind::exchange;
    case proto::Record::kConnection: return Kind::connection;
    case proto::Record::kDns: return Kind::dns;
    case proto::Record::kHint: return Kind::hint;
    case proto::Record::KIND_NOT_SET: return std::nullopt;
  }
  return std::nullopt;  // a kind that a later program added
}

std::optional<Candidate> candidate(const proto::Record& record) {
  const auto kind = kind_of(record);
  if (!kind) return std::nullopt;
  Candidate found{.kind = *kind,
                  .time = {},
                  .device = {},
                  .app_id = {},
                  .app_name = {},
                  .klass = {},
                  .host = {},
                  .server_name = {},
                  .action = {}};
  const auto fill = [&](const auto& message) {
    found.time = from_micros(message.time());
    found.device = message.device();
  };
  const auto fill_app = [&](const proto::App& app) {
    found.app_id = app.id();
    found.app_name = app.name();
  };
  switch (*kind) {
    case Kind::exchange:
      fill(record.exchange());
      fill_app(record.exchange().app());
      found.klass = record.exchange().class_();
      found.host = record.exchange().host();
      found.action = record.exchange().action();
      break;
    case Kind::connection:
      fill(record.connection());
      fill_app(record.connection().app());
      found.host = record.connection().host();
      found.server_name = record.connection().sni();
      found.action = record.connection().treatment();
      break;
    case Kind::dns:
      fill(record.dns());
      fill_app(record.dns().app());
      found.host = record.dns().query();
      found.action = record.dns().action();
      break;
    case Kind::hint:
      fill(record.hint());
      found.app_id = record.hint().app();
      break;
  }
  return found;
}

bool matches(const Filter& filter, const Candidate& candidate) {
  if (filter.kind && *filter.kind != candidate.kind) return false;
  if (filter.since && candidate.time < *filter.since) return false;
  if (filter.until && candidate.time >= *filter.until) return false;
  if (filter.device && !text_matches(*filter.device, candidate.device)) return false;
  if (filter.klass && !text_matches(*filter.klass, candidate.klass)) return false;
  if (filter.action && !text_matches(*filter.action, candidate.action)) return false;
  if (filter.app && !app_matches(*filter.app, candidate)) return false;
  return !filter.host || host_matches(*filter.host, candidate.host) ||
         host_matches(*filter.host, candidate.server_name);
}

}  // namespace tollgate::store
