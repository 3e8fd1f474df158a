// RFC 9113 §8: requests as HTTP messages. What is malformed is a stream error (§8.1.1).
#pragma once

#include "tests/http/h2_cases.h"

namespace tollgate::http::test {

inline H2Case malformed(std::string name, const Bytes& bytes) {
  return {std::move(name), preface() + bytes, Answer::stream_error, Code::protocol_error};
}
inline H2Case malformed_head(std::string name, const Lines& lines) {
  return malformed(std::move(name), headers(1, block(lines)));
}
inline H2Case malformed_with(std::string name, const Lines& more) {
  return malformed(std::move(name), headers(1, request_block("GET", more)));
}
inline H2Case answered(std::string name, const Bytes& bytes) {
  return {std::move(name), preface() + bytes, Answer::response};
}

inline std::vector<H2Case> field_cases() {
  using namespace std::string_view_literals;
  return {
      malformed_with("8.2.1: a field name in upper case", {{"X-Upper", "1"}}),
      malformed_with("8.2.1: a field name with a space", {{"x y", "1"}}),
      malformed_with("8.2.1: a field name with a colon", {{"x:y", "1"}}),
      malformed_with("8.2.1: a field name with CR", {{"x\r", "1"}}),
      malformed_with("8.2.1: a field name above ASCII", {{"x\xc3\xa9", "1"}}),
      malformed_with("8.2.1: an empty field name", {{"", "1"}}),
      malformed_with("8.2.1: a field value with CR", {{"x", "a\rb"}}),
      malformed_with("8.2.1: a field value with LF", {{"x", "a\nb"}}),
      malformed_with("8.2.1: a field value with CRLF and another field", {{"x", "a\r\nhost: other.test"}}),
      malformed_with("8.2.1: a field value with NUL", {{"x", "a\0b"sv}}),
      malformed_with("8.2.1: a field value that starts with a space", {{"x", " a"}}),
      malformed_with("8.2.1: a field value that ends with a tab", {{"x", "a\t"}}),
      malformed_with("8.2.2: connection", {{"connection", "keep-alive"}}),
      malformed_with("8.2.2: keep-alive", {{"keep-alive", "3"}}),
      malformed_with("8.2.2: proxy-connection", {{"proxy-connection", "keep-alive"}}),
      malformed_with("8.2.2: transfer-encoding", {{"transfer-encoding", "chunked"}}),
      malformed_with("8.2.2: upgrade", {{"upgrade", "websocket"}}),
      malformed_with("8.2.2: te other than trailers", {{"te", "trailers, deflate"}}),
      answered("8.2.2: te of trailers", headers(1, request_block("GET", {{"te", "trailers"}}))),
      answered("8.2.3: cookie crumbs", headers(1, request_block("GET", {{"cookie", "a=1"}, {"cookie", "b=2"}}))),
      answered("8.2.1: an empty field value", headers(1, request_block("GET", {{"x", ""}}))),
      answered("8.2.1: a field value above ASCII", headers(1, request_block("GET", {{"x", "\xc3\xa9"}}))),
  };
}

inline std::vector<H2Case> pseudo_field_cases() {
  constexpr std::pair<std::string_view, std::string_view> method{":method", "GET"}, scheme{":scheme", "https"},
      authority{":authority", "origin.test"}, path{":path", "/"};
  return {
      malformed_head("8.3: an unknown pseudo-header field", {method, scheme, authority, path, {":who", "me"}}),
      malformed_head("8.3: a pseudo-header field of responses", {method, scheme, authority, path, {":status", "200"}}),
      malformed_head("8.3: a pseudo-header field after a field", {method, scheme, authority, {"x", "1"}, path}),
      malformed("8.3: a pseudo-header field in trailers", post(1) + headers(1, block({{":method", "GET"}}))),
      malformed_head("8.3.1: no :method", {scheme, authority, path}),
      malformed_head("8.3.1: no :scheme", {method, authority, path}),
      malformed_head("8.3.1: no :path", {method, scheme, authority}),
      malformed_head("8.3.1: neither :authority nor Host", {method, scheme, path}),
      malformed_head("8.3.1: :method twice", {method, method, scheme, authority, path}),
      malformed_head("8.3.1: :scheme twice", {method, scheme, scheme, authority, path}),
      malformed_head("8.3.1: :path twice", {method, scheme, authority, path, path}),
      malformed_head("8.3.1: :authority twice", {method, scheme, authority, authority, path}),
      malformed_head("8.3.1: an empty :path", {method, scheme, authority, {":path", ""}}),
      malformed_head("8.3.1: an empty :method", {{":method", ""}, scheme, authority, path}),
      malformed_head("8.3.1: a :method that is no token", {{":method", "GET /x HTTP/1.1"}, scheme, authority, path}),
      malformed_head("8.3.1: a :path without a slash", {method, scheme, authority, {":path", "index.html"}}),
      malformed_head("8.3.1: an absolute-form :path", {method, scheme, authority, {":path", "https://other.test/"}}),
      malformed_head("8.3.1: a :path with a space", {method, scheme, authority, {":path", "/ HTTP/1.1"}}),
      malformed_head("8.3.1: a :path without a slash under another scheme",
                     {method, {":scheme", "ftp"}, authority, {":path", "x"}}),
      malformed_head("8.3.1: the asterisk with GET", {method, scheme, authority, {":path", "*"}}),
      malformed_head("8.3.1: userinfo in :authority", {method, scheme, {":authority", "me:secret@origin.test"}, path}),
      malformed_head("8.3.1: userinfo in Host", {method, scheme, path, {"host", "me@origin.test"}}),
      malformed_head("8.3.1: Host contradicts :authority", {method, scheme, authority, path, {"host", "other.test"}}),
      malformed_head("8.3.1: Host contradicts the port of :authority",
                     {method, scheme, authority, path, {"host", "origin.test:444"}}),
      malformed_head("8.3.1: Host twice", {method, scheme, path, {"host", "origin.test"}, {"host", "origin.test"}}),
      answered("8.3.1: the asterisk with OPTIONS",
               headers(1, block({{":method", "OPTIONS"}, scheme, authority, {":path", "*"}}))),
      answered("8.3.1: Host in the place of :authority",
               headers(1, block({method, scheme, path, {"host", "origin.test"}}))),
      answered("8.3.1: Host as :authority, with the default port",
               headers(1, block({method, scheme, authority, path, {"host", "Origin.test:443"}}))),
  };
}

inline std::vector<H2Case> message_cases() {
  return {
      malformed("8.1: a second head in the place of trailers", post(1) + headers(1, block({{"x", "1"}}), end_headers)),
      answered("8.1: trailers", post(1) + data(1, "x") + headers(1, block({{"x-sum", "1"}}))),
      malformed("8.1.1: content-length of more than came",
                post(1, {{"content-length", "5"}}) + data(1, "four", end_stream)),
      malformed("8.1.1: content-length of less than came", post(1, {{"content-length", "3"}}) + data(1, "four")),
      malformed("8.1.1: content-length of less than came, in two frames",
                post(1, {{"content-length", "3"}}) + data(1, "fo") + data(1, "ur", end_stream)),
      malformed("8.1.1: content-length without content", headers(1, request_block("POST", {{"content-length", "1"}}))),
      malformed("8.1.1: content-length that is no number", post(1, {{"content-length", "+4"}})),
      malformed("8.1.1: content-length that overflows", post(1, {{"content-length", "18446744073709551616"}})),
      malformed("8.1.1: content-length twice", post(1, {{"content-length", "4"}, {"content-length", "4"}})),
      answered("8.1.1: content-length that fits",
               post(1, {{"content-length", "4"}}) + data(1, "fo") + data(1, "ur", end_stream)),
      malformed("8.5: CONNECT with a :path", headers(1, request_block("CONNECT"), end_headers)),
      malformed("8.5: CONNECT without :authority", headers(1, block({{":method", "CONNECT"}}), end_headers)),
      answered("8.5: CONNECT is told, to be refused",
               headers(1, block({{":method", "CONNECT"}, {":authority", "origin.test:443"}}), end_headers)),
      malformed("8.5 (8441 4): an extended CONNECT that we have not offered",
                headers(1, request_block("CONNECT") + block({{":protocol", "websocket"}}), end_headers)),
  };
}

}  // namespace tollgate::http::test
