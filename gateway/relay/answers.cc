#include "gateway/relay/answers.h"

#include <fmt/format.h>

#include "gateway/http/h1_writer.h"
#include "gateway/record/redact.h"

namespace tollgate::relay {
namespace {

constexpr std::size_t what_limit = 500;

// RFC 9110 §15; only what the gateway itself answers.
std::string_view reason_phrase(std::uint16_t status) {
  switch (status) {
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 408: return "Request Timeout";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 504: return "Gateway Timeout";
    default: return "Bad Gateway";
  }
}

std::uint16_t usual_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

}  // namespace

std::string answer(std::uint16_t status, std::string_view what, std::string_view request_method) {
  const std::string body = fmt::format("tollgate: {}\n", record::recorded_text(what, what_limit));
  return http::simple_response(status, reason_phrase(status), body, http::AfterResponse::close, request_method);
}

std::string recorded_host(const Authority& authority, std::string_view scheme) {
  return authority.port == usual_port(scheme) ? authority.host.uri_text() : authority.text();
}

Authority requested_authority(const http::RequestHead& head, std::string_view scheme, const Authority& fallback) {
  const std::string_view named = head.authority.empty() ? head.fields.find("host").value_or("") : head.authority;
  const auto parsed = Authority::parse(named, usual_port(scheme));
  return parsed ? *parsed : fallback;
}

}  // namespace tollgate::relay
