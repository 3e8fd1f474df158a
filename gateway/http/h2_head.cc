#include "gateway/http/h2_head.h"

#include <cassert>
#include <utility>

#include "gateway/base/address.h"
#include "gateway/base/names.h"

namespace tollgate::http {

namespace {

constexpr std::size_t octets_a_line = 32;  // RFC 9113 §6.5.2

// Whether two authorities name one server, where the default port may be written or left out.
bool same_authority(std::string_view a, std::string_view b, std::string_view scheme) {
  if (equal_ignoring_case(a, b)) return true;
  const std::uint16_t default_port = scheme == "http" ? 80 : 443;
  const auto left = Authority::parse(a, default_port);
  const auto right = Authority::parse(b, default_port);
  return left && right && *left == *right;
}

}  // namespace

void H2Block::begin(std::size_t octets) {
  // Heads are moved out of here, which leaves them valid but unspecified, and a refused block is not moved at all.
  request_ = {};
  status_.reset();
  octets_ = octets;
}

bool H2Block::add(std::string_view name, std::string_view value, std::size_t limit) {
  octets_ += name.size() + value.size() + octets_a_line;
  if (octets_ > limit) return false;
  if (name.starts_with(':')) {
    add_pseudo(name, value);
  } else {
    request_.fields.add(name, value);
  }
  return true;
}

void H2Block::add_pseudo(std::string_view name, std::string_view value) {
  if (name == ":method") {
    request_.method = value;
  } else if (name == ":path") {
    request_.target = value;
  } else if (name == ":scheme") {
    request_.scheme = value;
  } else if (name == ":authority") {
    request_.authority = value;
  } else if (name == ":protocol") {
    request_.protocol = value;
  } else if (name == ":status") {
    assert(value.size() == 3);
    std::uint16_t status = 0;
    for (const char digit : value) status = static_cast<std::uint16_t>(status * 10 + (digit - '0'));
    status_ = status;
  }
}

RequestHead H2Block::take_request() { return std::move(request_); }

ResponseHead H2Block::take_response() {
  ResponseHead head;
  head.status = status_.value_or(0);
  head.fields = std::move(request_.fields);
  return head;
}

Fields H2Block::take_trailers() { return std::move(request_.fields); }

std::string_view request_fault(const RequestHead& head) {
  if (head.authority.find('@') != std::string::npos) return "userinfo in :authority (RFC 9113 section 8.3.1)";
  const bool plain_connect = head.method == "CONNECT" && head.protocol.empty();
  const bool asterisk = head.method == "OPTIONS" && head.target == "*";
  if (!plain_connect && !asterisk && !head.target.starts_with('/')) {
    return ":path in no form that a request target has (RFC 9113 section 8.3.1)";
  }
  if (const auto host = head.fields.find("host")) {
    if (host->find('@') != std::string_view::npos) return "userinfo in Host (RFC 9110 section 7.2)";
    if (!head.authority.empty() && !same_authority(head.authority, *host, head.scheme)) {
      return "Host contradicts :authority (RFC 9113 section 8.3.1)";
    }
  }
  return {};
}

H2Lines::H2Lines(const RequestHead& head) {
  reserve(head.fields.size() + 5);
  add(":method", head.method);
  if (!head.scheme.empty()) add(":scheme", head.scheme);
  if (!head.authority.empty()) add(":authority", head.authority);
  if (!head.target.empty()) add(":path", head.target);
  if (!head.protocol.empty()) add(":protocol", head.protocol);
  add(head.fields);
}

H2Lines::H2Lines(const ResponseHead& head)
    : status_{static_cast<char>('0' + head.status / 100 % 10), static_cast<char>('0' + head.status / 10 % 10),
              static_cast<char>('0' + head.status % 10)} {
  reserve(head.fields.size() + 1);
  add(":status", {status_.data(), status_.size()});
  add(head.fields);
}

H2Lines::H2Lines(const Fields& trailers) {
  reserve(trailers.size());
  add(trailers);
}

void H2Lines::reserve(std::size_t lines) {
  if (lines > few_.size()) many_.resize(lines);
}

void H2Lines::add(std::string_view name, std::string_view value) {
  // nghttp2 takes them for mutable but does not change them.
  const nghttp2_nv line{const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(name.data())),
                        const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(value.data())), name.size(),
                        value.size(), NGHTTP2_NV_FLAG_NONE};
  (many_.empty() ? few_.data() : many_.data())[size_++] = line;
}

void H2Lines::add(const Fields& fields) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const FieldLine line = fields.at(i);
    add(line.name, line.value);
  }
}

}  // namespace tollgate::http
