#include "gateway/http/h1_writer.h"

#include <fmt/format.h>

#include <cassert>

#include "gateway/http/h1_chars.h"

namespace tollgate::http {
namespace {

constexpr std::size_t line_overhead = 4;  // ": " and CR LF
constexpr std::size_t usual_start_line = 64;

[[maybe_unused]] bool fits_a_line(std::string_view text) { return find_control(as_bytes(text), 0) == text.size(); }

void append_fields(std::string& text, const Fields& fields) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto [name, value] = fields.at(i);
    text.append(name).append(": ").append(value).append("\r\n");
  }
  text.append("\r\n");
}

// Gathered in one piece: the queue then grows once.
std::string start_text(const Fields& fields, std::size_t start_line) {
  std::string text;
  text.reserve(start_line + fields.text_size() + fields.size() * line_overhead + line_overhead);
  return text;
}

[[maybe_unused]] bool fit_lines(const Fields& fields) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto [name, value] = fields.at(i);
    if (!is_token(name) || !fits_a_line(value)) return false;
  }
  return true;
}

}  // namespace

void write_head(ByteQueue& out, const RequestHead& head) {
  assert(is_token(head.method) && fits_a_line(head.target) && head.minor <= 1 && fit_lines(head.fields));
  std::string text = start_text(head.fields, head.method.size() + head.target.size() + usual_start_line);
  text.append(head.method).append(" ").append(head.target);
  text.append(head.minor == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  append_fields(text, head.fields);
  out.append(text);
}

void write_head(ByteQueue& out, const ResponseHead& head) {
  assert(fits_a_line(head.reason) && head.status >= 100 && head.status <= 999 && head.minor <= 1);
  assert(fit_lines(head.fields));
  std::string text = start_text(head.fields, head.reason.size() + usual_start_line);
  text.append(head.minor == 0 ? "HTTP/1.0 " : "HTTP/1.1 ").append(fmt::format_int(head.status).str());
  text.append(" ").append(head.reason).append("\r\n");  // the SP is there without a reason too (RFC 9112 §4)
  append_fields(text, head.fields);
  out.append(text);
}

void write_chunk(ByteQueue& out, ByteView data) {
  if (data.empty()) return;
  fmt::memory_buffer size_line;
  fmt::format_to(std::back_inserter(size_line), "{:x}\r\n", data.size());
  out.append(std::string_view(size_line.data(), size_line.size()));
  out.append(data);
  out.append("\r\n");
}

void write_last_chunk(ByteQueue& out, const Fields& trailers) {
  assert(fit_lines(trailers));
  std::string text = start_text(trailers, usual_start_line);
  text.append("0\r\n");
  append_fields(text, trailers);
  out.append(text);
}

std::string simple_response(std::uint16_t status, std::string_view reason, std::string_view body, AfterResponse after,
                            std::string_view request_method) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\n"
      "Content-Type: text/plain; charset=utf-8\r\n"
      "Content-Length: {}\r\n"
      "{}\r\n{}",
      status, reason, body.size(), after == AfterResponse::close ? "Connection: close\r\n" : "",
      request_method == "HEAD" ? "" : body);
}

}  // namespace tollgate::http
