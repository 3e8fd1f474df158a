// ClientHello: what a TLS client says first, read before anyone has answered it.
// Sans-I/O: give it the connection's bytes from the first one on, as many as there are, as often as you like.
// RFC 8446 §4.1.2 (message) and §5.1 (records), RFC 6066 §3 (server_name), RFC 7301 §3.1 (ALPN), RFC 8701 (GREASE).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "gateway/base/bytes.h"
#include "gateway/base/names.h"
#include "gateway/base/result.h"
#include "gateway/base/units.h"

namespace tollgate::tls {

// Lists are in the client's order, with the GREASE values among them (is_grease() below).
struct ClientHello {
  // Absent: none was sent, or an IP literal, which RFC 6066 §3 forbids but clients send: the address they dialled says
  // as much. Any other text that is no host name makes the hello malformed: nobody could have decided on it.
  std::optional<HostName> server_name;
  std::vector<std::string> alpn;  // names we do not know are kept; empty: no extension
  std::uint16_t legacy_version = 0;
  std::vector<std::uint16_t> supported_versions;  // empty: no extension, so legacy_version is the highest offered
  std::vector<std::uint16_t> cipher_suites;
  std::vector<std::uint16_t> extensions;  // their types; none twice
  std::vector<std::uint16_t> signature_algorithms;
  bool has_encrypted_client_hello = false;  // or GREASE of it: nobody but the origin can tell (RFC 9849 §6.2)
  bool has_pre_shared_key = false;
  bool has_early_data = false;
  ByteCount wire_size = 0;  // all its records, their headers included
};

struct NeedMore {
  // No whole hello is shorter than this: more than was given, never more than the limit. That something is wrong may
  // show sooner, so it is worth asking again whenever there is more.
  ByteCount at_least = 0;
};

// Post-quantum hellos are 1.5 to 1.8 kB; ECH and session tickets may add some. What is larger than this is no client.
inline constexpr ByteCount client_hello_limit = 64 * kibibyte;

// Looks for one whole ClientHello at the start of `bytes`; what follows its last record is ignored. A hello may span
// records, and the network may cut anywhere. The result owns its memory. Pure: any thread, O(bytes).
// What can be known to be wrong is said at once, without waiting for the rest.
// Errors: malformed  not a handshake record, or not a ClientHello, or a length that contradicts the one around it, an
//                    extension sent twice, a server name that is none
//         too_large  it would take more than `limit`
Result<std::variant<ClientHello, NeedMore>> peek_client_hello(ByteView bytes, ByteCount limit = client_hello_limit);

// Whether a connection that starts so may become a ClientHello: false as soon as a byte says that it cannot. An SSLv2
// hello is not TLS (RFC 6176). Six bytes are all it looks at.
bool looks_like_tls(ByteView first_bytes);

// The values that clients strew in to keep others tolerant (RFC 8701 §2): 0x0a0a, 0x1a1a, … 0xfafa.
constexpr bool is_grease(std::uint16_t value) {
  return (value & 0x0f0fU) == 0x0a0a && (value >> 8U) == (value & 0xffU);
}

}  // namespace tollgate::tls
