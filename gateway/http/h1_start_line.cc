#include "gateway/http/h1_start_line.h"

#include <algorithm>
#include <optional>

#include "gateway/http/h1_chars.h"

namespace tollgate::http {
namespace {

constexpr std::size_t version_size = 8;  // HTTP/1.1

std::optional<std::uint8_t> parse_version(std::string_view text) {
  if (text == "HTTP/1.1") return 1;
  if (text == "HTTP/1.0") return 0;
  return std::nullopt;
}

// Any visible ASCII: browsers and SDKs send `|`, `{` or `"` unescaped, and nobody reads those as an end. A fragment is
// never sent (RFC 9112 §3.2), and octets above ASCII have no place in a URI.
bool is_target_character(char c) { return c > ' ' && c < 0x7f && c != '#'; }

bool imitates(std::string_view method, std::string_view known) { return method != known && same_name(method, known); }

}  // namespace

Result<RequestHead> parse_request_line(std::string_view line) {
  const auto malformed = [](const char* why) { return fail(Error::Kind::malformed, why); };
  const std::size_t method_end = line.find(' ');
  const std::size_t target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || method_end == target_end) {
    return malformed("the request line is not METHOD TARGET VERSION");
  }
  const std::string_view method = line.substr(0, method_end);
  const std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  const auto minor = parse_version(line.substr(target_end + 1));
  if (!minor) return malformed("the request line does not end in HTTP/1.1 or HTTP/1.0");
  if (!is_token(method)) return malformed("the method is not a token");
  if (imitates(method, "HEAD") || imitates(method, "CONNECT")) {
    return malformed("the method is HEAD or CONNECT in another case");
  }
  if (target.empty()) return malformed("the request target is empty");
  if (!std::all_of(target.begin(), target.end(), is_target_character)) {
    return malformed("the request target holds white space, a fragment, or what is not ASCII");
  }
  RequestHead head;
  head.method = method;
  head.target = target;
  head.minor = *minor;
  return head;
}

Result<ResponseHead> parse_status_line(std::string_view line) {
  const auto malformed = [](const char* why) { return fail(Error::Kind::malformed, why); };
  const auto minor = parse_version(line.substr(0, version_size));
  if (!minor) return malformed("the status line does not begin with HTTP/1.1 or HTTP/1.0");
  const std::string_view rest = line.substr(version_size);
  const std::string_view digits = rest.substr(0, 4);  // with the SP before them
  if (digits.size() < 4 || digits[0] != ' ' || !std::all_of(digits.begin() + 1, digits.end(), is_digit)) {
    return malformed("the status is not one space and three digits");
  }
  ResponseHead head;
  for (const char digit : digits.substr(1)) head.status = static_cast<std::uint16_t>(head.status * 10 + (digit - '0'));
  if (head.status < 100) return malformed("the status is below 100");
  const std::string_view reason = rest.substr(4);
  if (!reason.empty() && reason.front() != ' ') return malformed("the status has more than three digits");
  head.reason = reason.substr(reason.empty() ? 0 : 1);
  head.minor = *minor;
  return head;
}

}  // namespace tollgate::http
