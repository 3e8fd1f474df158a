// What the gateway says in an origin's place, and how records name the host of an exchange.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/base/address.h"
#include "gateway/http/message.h"

namespace tollgate::relay {

// A whole HTTP/1.1 response after which the connection is closed: text/plain, `what` as its one line.
std::string answer(std::uint16_t status, std::string_view what, std::string_view request_method);

// An authority as records have it: with its port only where it is not the scheme's.
std::string recorded_host(const Authority& authority, std::string_view scheme);
// Whom a request is for: :authority or Host, and where it has neither, `fallback`.
Authority requested_authority(const http::RequestHead& head, std::string_view scheme, const Authority& fallback);

}  // namespace tollgate::relay
