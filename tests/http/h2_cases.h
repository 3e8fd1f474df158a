// Conformance of the server role, as h2spec checks it: what a client sends, and the frame that must answer. Data, so
// that the same cases can be played to a session in memory and to a program over a socket.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/http/h2_frames.h"

namespace tollgate::http::test {

enum class Answer {
  connection_error,  // GOAWAY with `code`; the connection is over
  stream_error,      // RST_STREAM with `code` on `stream`; other streams go on
  response,          // the request on `stream` is answered, and other streams go on
  ignored,           // no RST_STREAM, no GOAWAY; other streams go on
};

struct H2Case {
  std::string name;  // with the section of RFC 9113 that wants it
  Bytes bytes;       // from the client's first octet on, its preface included
  Answer answer;
  Code code = Code::no_error;
  std::uint32_t stream = 1;
};

// A case whose answer leaves the connection alive is followed by this request, which must be answered.
inline constexpr std::uint32_t probe_stream = 999;
inline Bytes probe() { return get(probe_stream); }

}  // namespace tollgate::http::test
