// How the content after a head is delimited, and the refusal of heads that two readers could delimit differently
// (RFC 9112 §6). Private to the room; the readers apply it.
#pragma once

#include <string_view>

#include "gateway/base/result.h"
#include "gateway/http/h1_events.h"
#include "gateway/http/message.h"

namespace tollgate::http {

// Refused in every head, whether or not the message has content:
// - Content-Length beside Transfer-Encoding; more than one line of either, even if they agree
// - a Content-Length that is not 1 to 19 digits and below 2^63. Leading zeros are allowed, as in the grammar
// - a Transfer-Encoding that is not `chunked` (in any case, as the grammar has it), or that is in an HTTP/1.0 message
// - either name with `_` for `-`, which CGI-like origins take for the same field
// - a Connection that nominates either of them, or Host: the next hop would drop it and read another message; or that
// is
//   not a list of tokens, of which each hop would make something else
//
// A request without either field has no content. CONNECT has none at all (RFC 9110 §9.3.6); one with Content-Length
// above 0 or Transfer-Encoding is refused. Errors: malformed.
Result<Framing> request_framing(const RequestHead& head);

// RFC 9112 §6.3. No content after HEAD, in 1xx, 204 and 304, or in a 2xx to CONNECT, whatever the fields say. In 1xx
// and 204 (RFC 9110 §8.6, RFC 9112 §6.1 forbid both) `Content-Length: 0` is tolerated, because common, and anything
// more refused. Errors: malformed.
Result<Framing> response_framing(std::string_view request_method, const ResponseHead& head);

}  // namespace tollgate::http
