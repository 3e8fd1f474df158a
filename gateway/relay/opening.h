// What a connection turns out to be, by its first bytes: TLS, HTTP/1.x, HTTP/2 with prior knowledge, or something else
// that is only to be carried. Sans-I/O.
//
//   awaiting ──bytes──▶ (nothing clear yet) ──more bytes──▶ decided
//      └──timer: the server speaks first──▶ decided: Opaque
#pragma once

#include <string>
#include <variant>

#include "gateway/base/bytes.h"
#include "gateway/tls/client_hello.h"

namespace tollgate::relay {

struct OpeningUnclear {};  // ask again with more
struct OpeningTls {
  tls::ClientHello hello;
};
struct OpeningHttp1 {};
struct OpeningHttp2 {};   // the connection preface, RFC 9113 §3.4
struct OpeningOpaque {};  // no protocol that we read
struct OpeningBroken {    // TLS that nobody could answer
  std::string what;
};
using Opening = std::variant<OpeningUnclear, OpeningTls, OpeningHttp1, OpeningHttp2, OpeningOpaque, OpeningBroken>;

// Looks at all the bytes there are so far. Pure, O(bytes).
Opening recognise(ByteView bytes);

}  // namespace tollgate::relay
