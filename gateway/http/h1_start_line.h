// Request lines and status lines (RFC 9112 §3, §4). Private to the room.
#pragma once

#include <string_view>

#include "gateway/base/result.h"
#include "gateway/http/message.h"

namespace tollgate::http {

// Both take a line without its CR LF that holds no control but HTAB, and fill in all of the head but its fields.
//
// method SP request-target SP HTTP-version, each separated by exactly one SP. The method is a token; one that is HEAD
// or CONNECT but for case is refused, as a peer that ignores case would frame the exchange differently. The target is
// visible ASCII without `#`; its form is judged by check_target(). The version is HTTP/1.0 or HTTP/1.1, in upper case.
// Errors: malformed.
Result<RequestHead> parse_request_line(std::string_view line);

// HTTP-version SP status-code [SP reason-phrase]. The status is 100 to 999: those from 600 on are in use, though not
// registered. The SP before a reason that is missing may be missing too, as it is from many origins.
// Errors: malformed.
Result<ResponseHead> parse_status_line(std::string_view line);

}  // namespace tollgate::http
