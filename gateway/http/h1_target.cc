#include "gateway/http/h1_target.h"

#include <algorithm>
#include <cassert>

#include "gateway/base/unreachable.h"
#include "gateway/http/h1_chars.h"

namespace tollgate::http {
namespace {

constexpr std::uint16_t http_port = 80;
constexpr std::uint16_t https_port = 443;

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" ? https_port : http_port; }

void split_path(std::string_view text, TargetParts& parts) {
  const std::size_t mark = text.find('?');
  parts.path = text.substr(0, mark);
  parts.has_query = mark != std::string_view::npos;
  if (parts.has_query) parts.query = text.substr(mark + 1);
}

Result<TargetParts> parse_absolute(std::string_view target) {
  const std::size_t colon = target.find("://");
  if (colon == std::string_view::npos) {
    return fail(Error::Kind::malformed, "the request target is neither a path nor a URI");
  }
  TargetParts parts;
  parts.form = TargetForm::absolute;
  for (const std::string_view scheme : {"http", "https"}) {
    if (same_name(target.substr(0, colon), scheme)) parts.scheme = scheme;
  }
  if (parts.scheme.empty()) return fail(Error::Kind::malformed, "the request target's scheme is not http or https");
  const std::string_view rest = target.substr(colon + 3);
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  auto authority = Authority::parse(rest.substr(0, end), default_port(parts.scheme));
  if (!authority)
    return fail(Error::Kind::malformed, "the request target's authority is not a host with or without port");
  parts.authority = std::move(*authority);
  split_path(rest.substr(end), parts);
  return parts;
}

Result<TargetParts> parse_authority(std::string_view target) {
  auto authority = Authority::parse(target, 0);
  if (!authority || authority->port == 0) return fail(Error::Kind::malformed, "the target of CONNECT is not host:port");
  TargetParts parts;
  parts.form = TargetForm::authority;
  parts.authority = std::move(*authority);
  return parts;
}

// The default port for a Host that goes with these parts.
std::uint16_t host_port(const TargetParts& parts) {
  return parts.form == TargetForm::authority ? parts.authority->port : default_port(parts.scheme);
}

}  // namespace

std::string_view name(TargetForm form) {
  using enum TargetForm;
  switch (form) {
    case origin: return "origin-form";
    case absolute: return "absolute-form";
    case authority: return "authority-form";
    case asterisk: return "asterisk-form";
  }
  unreachable_state();
}

Result<TargetParts> parse_target(std::string_view method, std::string_view target) {
  if (method == "CONNECT") return parse_authority(target);
  if (target.starts_with('/')) {
    TargetParts parts;
    split_path(target, parts);
    return parts;
  }
  if (target == "*") {
    if (method != "OPTIONS") return fail(Error::Kind::malformed, "the request target * is for OPTIONS only");
    TargetParts parts;
    parts.form = TargetForm::asterisk;
    return parts;
  }
  return parse_absolute(target);
}

std::string target_for_origin(std::string_view method, const TargetParts& parts) {
  assert(parts.form != TargetForm::authority);
  const bool bare = parts.path.empty() && !parts.has_query;
  if (parts.form == TargetForm::asterisk || (bare && method == "OPTIONS")) return "*";
  std::string target(parts.path.empty() ? "/" : parts.path);
  if (parts.has_query) target.append("?").append(parts.query);
  return target;
}

Status check_target(const RequestHead& head) {
  const auto parts = parse_target(head.method, head.target);
  if (!parts) return fail(parts);
  const std::size_t hosts = head.fields.count("host");
  if (hosts > 1) return fail(Error::Kind::malformed, "more than one Host");
  if (hosts == 0) {
    if (head.minor == 0) return {};
    return fail(Error::Kind::malformed, "no Host");
  }
  const auto host = Authority::parse(*head.fields.find("host"), host_port(*parts));
  if (!host) return fail(Error::Kind::malformed, "Host is not a host with or without port");
  if (parts->authority && *parts->authority != *host) {
    return fail(Error::Kind::malformed, "Host contradicts the request target");
  }
  return {};
}

}  // namespace tollgate::http
