// IP addresses and what kind they are; nothing here opens a socket.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "gateway/base/bytes.h"
#include "gateway/base/names.h"
#include "gateway/base/result.h"

namespace tollgate {

// An IPv4 or IPv6 address. A v4-mapped IPv6 address (::ffff:1.2.3.4) is the IPv4 address, so that no spelling slips
// past a check. Zone ids are not kept.
class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0
  static IpAddress v4(std::array<std::uint8_t, 4> bytes);
  static IpAddress v6(std::array<std::uint8_t, 16> bytes);
  // Strict dotted quad, or RFC 4291 text, without brackets. Errors: malformed.
  static Result<IpAddress> parse(std::string_view text);

  bool is_v4() const;
  ByteView bytes() const;    // 4 or 16, network order
  std::string text() const;  // `1.2.3.4`, `2001:db8::1`

  bool is_unspecified() const;
  bool is_loopback() const;    // 127/8, ::1
  bool is_link_local() const;  // 169.254/16 (with the cloud metadata address), fe80::/10
  bool is_multicast() const;   // 224/4, ff00::/8, and 255.255.255.255

  auto operator<=>(const IpAddress&) const = default;

 private:
  std::array<std::uint8_t, 16> bytes_{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
};

struct SocketAddress {
  IpAddress ip;
  std::uint16_t port = 0;
  std::string text() const;  // `1.2.3.4:443`, `[2001:db8::1]:443`
  // Errors: malformed.
  static Result<SocketAddress> parse(std::string_view text);
  auto operator<=>(const SocketAddress&) const = default;
};

// The host of an authority (RFC 3986 §3.2.2): a name or a literal, never anything in between.
class Host {
 public:
  Host(HostName name) : value_(std::move(name)) {}
  Host(IpAddress address) : value_(address) {}
  // `example.test`, `1.2.3.4`, `[::1]` (brackets are required around IPv6). Errors: malformed.
  static Result<Host> parse(std::string_view text);

  const HostName* name() const { return std::get_if<HostName>(&value_); }
  const IpAddress* address() const { return std::get_if<IpAddress>(&value_); }
  std::string text() const;      // without brackets, for records
  std::string uri_text() const;  // with brackets where RFC 3986 wants them
  auto operator<=>(const Host&) const = default;

 private:
  std::variant<HostName, IpAddress> value_;
};

// host ":" port of a request target or Host field (RFC 9110 §7.2).
struct Authority {
  Host host;
  std::uint16_t port = 0;
  // `example.test:443`, `[::1]:80`, `example.test` (then default_port; 0 means a port is required). Userinfo is
  // refused. Errors: malformed.
  static Result<Authority> parse(std::string_view text, std::uint16_t default_port);
  std::string text() const;  // with port, brackets where needed
  auto operator<=>(const Authority&) const = default;
};

}  // namespace tollgate
