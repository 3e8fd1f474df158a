// HTTP/1.1 messages, written (RFC 9112). Lines keep their order, the case of their names and the reason phrase; the
// white space around a value is one SP before it. Nothing is added: what the head says must fit how the content is
// written. Heads must be valid, as a reader's are: no control but HTAB anywhere (asserted), since a CR LF would end the
// line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/base/byte_queue.h"
#include "gateway/base/bytes.h"
#include "gateway/http/message.h"

namespace tollgate::http {

// Start line, field lines and the empty line, in the head's own HTTP version.
void write_head(ByteQueue& out, const RequestHead& head);
void write_head(ByteQueue& out, const ResponseHead& head);

// Content in the chunked transfer coding (RFC 9112 §7.1). Empty data writes nothing: a chunk of size 0 would be the
// end.
void write_chunk(ByteQueue& out, ByteView data);
// The end: last-chunk and trailer section.
void write_last_chunk(ByteQueue& out, const Fields& trailers = {});

// An answer of the gateway's own: `body` as text/plain with its Content-Length. `request_method` is what it answers:
// HEAD gets no body. Connection: close is announced where the connection ends with it, as it does after whatever was
// malformed or timed out.
enum class AfterResponse : std::uint8_t { keep_alive, close };
std::string simple_response(std::uint16_t status, std::string_view reason, std::string_view body, AfterResponse after,
                            std::string_view request_method = "GET");

}  // namespace tollgate::http
