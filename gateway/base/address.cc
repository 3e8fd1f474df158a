#include "gateway/base/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace tollgate {
namespace {

constexpr std::array<std::uint8_t, 12> v4_mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  if (text.empty() || text.size() > 5) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

}  // namespace

IpAddress IpAddress::v4(std::array<std::uint8_t, 4> bytes) {
  IpAddress address;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin() + 12);
  return address;
}

IpAddress IpAddress::v6(std::array<std::uint8_t, 16> bytes) {
  IpAddress address;
  address.bytes_ = bytes;
  return address;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
  // inet_pton() would take what stands before a NUL for the whole.
  const std::string terminated = text.find('\0') == std::string_view::npos ? std::string(text) : std::string();
  std::array<std::uint8_t, 4> four{};
  if (inet_pton(AF_INET, terminated.c_str(), four.data()) == 1) return v4(four);
  std::array<std::uint8_t, 16> sixteen{};
  if (inet_pton(AF_INET6, terminated.c_str(), sixteen.data()) == 1) return v6(sixteen);
  return fail(Error::Kind::malformed, fmt::format("\"{}\" is not an IP address", text.substr(0, 100)));
}

bool IpAddress::is_v4() const { return std::equal(v4_mapped.begin(), v4_mapped.end(), bytes_.begin()); }

ByteView IpAddress::bytes() const { return is_v4() ? ByteView(bytes_).subspan(12) : ByteView(bytes_); }

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes().data(), text.data(), text.size());
  return text.data();
}

bool IpAddress::is_unspecified() const {
  const ByteView b = bytes();
  return is_v4() ? b[0] == 0 : std::all_of(b.begin(), b.end(), [](std::uint8_t x) { return x == 0; });
}

bool IpAddress::is_loopback() const {
  const ByteView b = bytes();
  if (is_v4()) return b[0] == 127;
  return b[15] == 1 && std::all_of(b.begin(), b.end() - 1, [](std::uint8_t x) { return x == 0; });
}

bool IpAddress::is_link_local() const {
  const ByteView b = bytes();
  if (is_v4()) return b[0] == 169 && b[1] == 254;
  return b[0] == 0xfe && (b[1] & 0xc0U) == 0x80;
}

bool IpAddress::is_multicast() const {
  const ByteView b = bytes();
  if (!is_v4()) return b[0] == 0xff;
  return (b[0] & 0xf0U) == 0xe0 || (b[0] == 255 && b[1] == 255 && b[2] == 255 && b[3] == 255);
}

std::string SocketAddress::text() const {
  return ip.is_v4() ? fmt::format("{}:{}", ip.text(), port) : fmt::format("[{}]:{}", ip.text(), port);
}

Result<SocketAddress> SocketAddress::parse(std::string_view text) {
  const auto authority = Authority::parse(text, 0);
  if (!authority) return fail(authority);
  const IpAddress* ip = authority->host.address();
  if (ip == nullptr) {
    return fail(Error::Kind::malformed, fmt::format("\"{}\": an address and port, such as 127.0.0.1:8080", text));
  }
  return SocketAddress{*ip, authority->port};
}

Result<Host> Host::parse(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) {
    const auto ip = IpAddress::parse(text.substr(1, text.size() - 2));
    if (!ip) return fail(ip);
    if (text.find(':') == std::string_view::npos) {
      return fail(Error::Kind::malformed, fmt::format("\"{}\": brackets are for IPv6", text.substr(0, 100)));
    }
    return Host(*ip);
  }
  // A dotted quad ends in a digit; asking only then spares every other name a failed parse and its message.
  if (!text.empty() && text.back() >= '0' && text.back() <= '9' && text.find(':') == std::string_view::npos) {
    if (const auto ip = IpAddress::parse(text)) return Host(*ip);
  }
  auto name = HostName::parse(text);
  if (!name) return fail(name);
  return Host(std::move(*name));
}

std::string Host::text() const { return address() != nullptr ? address()->text() : std::get<HostName>(value_).text(); }

std::string Host::uri_text() const {
  return address() != nullptr && !address()->is_v4() ? fmt::format("[{}]", text()) : text();
}

Result<Authority> Authority::parse(std::string_view text, std::uint16_t default_port) {
  const auto bad = [&](std::string_view why) {
    return fail(Error::Kind::malformed, fmt::format("\"{}\" is not host:port: {}", text.substr(0, 300), why));
  };
  std::string_view host = text;
  std::uint16_t port = default_port;
  const auto colon = text.rfind(':');
  const auto bracket = text.rfind(']');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    host = text.substr(0, colon);
    const auto parsed = parse_port(text.substr(colon + 1));
    if (!parsed) return bad("the port is a number up to 65535");
    port = *parsed;
  } else if (default_port == 0) {
    return bad("the port is missing");
  }
  auto parsed = Host::parse(host);
  if (!parsed) return fail(parsed);
  return Authority{std::move(*parsed), port};
}

std::string Authority::text() const { return fmt::format("{}:{}", host.uri_text(), port); }

}  // namespace tollgate
