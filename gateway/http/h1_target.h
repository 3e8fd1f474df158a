// Request targets, split and checked (RFC 9112 §3.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/address.h"
#include "gateway/base/result.h"
#include "gateway/http/message.h"

namespace tollgate::http {

enum class TargetForm : std::uint8_t {
  origin,     // /path?query
  absolute,   // http://host/path?query: to a proxy
  authority,  // host:port: CONNECT, and only there
  asterisk,   // *: OPTIONS, and only there
};
std::string_view name(TargetForm form);

// Views into the target that was split: valid as long as that is.
struct TargetParts {
  TargetForm form = TargetForm::origin;
  std::string_view scheme;             // absolute-form: `http` or `https`, lower-case however it was sent
  std::optional<Authority> authority;  // absolute- and authority-form; the port is the scheme's where there is none
  std::string_view path;               // origin- and absolute-form; may be empty in the latter
  std::string_view query;              // without the `?`
  bool has_query = false;              // `/?` has one, and it is empty
};

// Splits `target` as a request of `method` has it: CONNECT has authority-form and nothing else does; `*` is for
// OPTIONS. Errors: malformed  no form, or not this method's; a scheme but http and https; userinfo; an authority that
// is none.
Result<TargetParts> parse_target(std::string_view method, std::string_view target);

// The target a request with these parts has when it is sent to the origin itself (RFC 9112 §3.2.1, §3.2.4): `/` for an
// empty path, but `*` for an OPTIONS that has neither path nor query. Authority-form has none: not to be asked.
std::string target_for_origin(std::string_view method, const TargetParts& parts);

// Whether target and Host go together (RFC 9112 §3.2, §3.2.2): HTTP/1.1 has exactly one Host, HTTP/1.0 at most one; it
// is a host with or without a port, never empty; and it names the target's authority where the target has one. There a
// missing port is the scheme's default, and after CONNECT, where CFNetwork leaves it out, the target's.
// Errors: malformed.
Status check_target(const RequestHead& head);

}  // namespace tollgate::http
