// What HTTP/1.1 heads mean for connection and exchange, beyond framing (RFC 9110, RFC 9112 §9).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/http/message.h"

namespace tollgate::http {

// Whether the sender lets the connection persist after this message (RFC 9112 §9.3): HTTP/1.1 unless it says `close`,
// HTTP/1.0 if it says `keep-alive`. A response UntilClose ends the connection whatever it says.
bool keeps_alive(const RequestHead& head);
bool keeps_alive(const ResponseHead& head);

// Whether the client waits for a 100 before it sends content (RFC 9110 §10.1.1). Never in HTTP/1.0.
bool expects_continue(const RequestHead& head);

// The one protocol that the head asks to switch to or, in a 101, switches to (RFC 9110 §7.8): the value of Upgrade
// where it is a single line with a single member, and Connection nominates it. Nothing where there is a choice: what
// would be switched to could not be judged beforehand (`Upgrade: websocket, h2c`). A view into the head. HTTP/1.0 has
// no Upgrade.
std::optional<std::string_view> upgrade_protocol(const RequestHead& head);
std::optional<std::string_view> upgrade_protocol(const ResponseHead& head);

// `text/html` of `Text/HTML; charset=utf-8` (RFC 9110 §8.3.1); empty where it is not type/subtype.
std::string media_type(std::string_view content_type);

enum class UpgradeFields : std::uint8_t {
  strip,  // what the client may not switch to, and every other message
  relay,  // an upgrade that goes on: Upgrade and its Connection option stay
};

// Removes what is meant for one hop, as an intermediary must (RFC 9110 §7.6.1), and leaves every other line where it
// is:
// - Keep-Alive, Proxy-Connection, Proxy-Authorization, and whatever Connection nominates
// - Upgrade, unless it is relayed
// - TE, but for `trailers` (RFC 9110 §10.1.4), which a peer that needs trailers asks for
// Connection keeps the options that still hold: close, keep-alive, and upgrade and TE where their field stayed. So a
// request looks to the origin as the app made it; the gateway's two connections live and end together.
// Never removed: Content-Length, Transfer-Encoding and Host, even if nominated.
void strip_hop_by_hop(Fields& fields, UpgradeFields upgrade);

}  // namespace tollgate::http
