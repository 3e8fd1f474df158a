#include "gateway/net/socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include "gateway/base/free_with.h"

namespace tollgate::net {
namespace {

// Pending connections; the kernel caps it at net.core.somaxconn.
constexpr int backlog = 4096;

void set_option(int socket, int level, int option, int value) {
  setsockopt(socket, level, option, &value, sizeof value);
}

Descriptor open_socket(const IpAddress& family_of) {
  return Descriptor(
      ::socket(family_of.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
}

Result<Descriptor> bind_to(const SocketAddress& address, Share share) {
  const auto refused = [&](int error) {
    const std::string_view remedy = error == EADDRINUSE
                                        ? "; something else listens there: stop it or choose another port"
                                    : error == EACCES        ? "; ports below 1024 need root or CAP_NET_BIND_SERVICE"
                                    : error == EADDRNOTAVAIL ? "; no interface of this machine has this address"
                                                             : "";
    return fail(Error::Kind::io, fmt::format("cannot listen on {}: {}{}", address.text(),
                                             std::generic_category().message(error), remedy));
  };
  Descriptor socket = open_socket(address.ip);
  if (!socket) return refused(errno);
  set_option(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (share == Share::yes) set_option(socket.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  const KernelAddress kernel = to_kernel(address);
  if (::bind(socket.get(), kernel.get(), kernel.size) != 0) return refused(errno);
  if (::listen(socket.get(), backlog) != 0) return refused(errno);
  return socket;
}

}  // namespace

KernelAddress to_kernel(const SocketAddress& address) {
  KernelAddress kernel;
  const ByteView bytes = address.ip.bytes();
  if (address.ip.is_v4()) {
    auto* in = reinterpret_cast<sockaddr_in*>(&kernel.storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(address.port);
    std::memcpy(&in->sin_addr, bytes.data(), bytes.size());
    kernel.size = sizeof *in;
  } else {
    auto* in = reinterpret_cast<sockaddr_in6*>(&kernel.storage);
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(address.port);
    std::memcpy(&in->sin6_addr, bytes.data(), bytes.size());
    kernel.size = sizeof *in;
  }
  return kernel;
}

SocketAddress from_kernel(const KernelAddress& address) {
  if (address.storage.ss_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(&address.storage);
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &in->sin_addr, bytes.size());
    return {IpAddress::v4(bytes), ntohs(in->sin_port)};
  }
  if (address.storage.ss_family == AF_INET6) {
    const auto* in = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &in->sin6_addr, bytes.size());
    return {IpAddress::v6(bytes), ntohs(in->sin6_port)};
  }
  return {};
}

SocketAddress peer_address(int socket) {
  KernelAddress address;
  return getpeername(socket, address.get(), &address.size) == 0 ? from_kernel(address) : SocketAddress{};
}

SocketAddress local_address(int socket) {
  KernelAddress address;
  return getsockname(socket, address.get(), &address.size) == 0 ? from_kernel(address) : SocketAddress{};
}

void tune_stream(int socket) {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 120);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, 20);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, 6);
}

void reset_and_close(Descriptor socket) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

Result<Descriptor> start_connecting(const SocketAddress& to) {
  Descriptor socket = open_socket(to.ip);
  if (!socket)
    return fail(Error::Kind::io,
                fmt::format("no socket for {}: {}", to.text(), std::generic_category().message(errno)));
  tune_stream(socket.get());
  const KernelAddress kernel = to_kernel(to);
  if (::connect(socket.get(), kernel.get(), kernel.size) != 0 && errno != EINPROGRESS) {
    return fail(Error::Kind::unreachable, fmt::format("{}: {}", to.text(), std::generic_category().message(errno)));
  }
  return socket;
}

int connect_error(int socket) {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

Result<Descriptor> listen_on(const SocketAddress& address, Share share) { return bind_to(address, share); }

Status check_free(const SocketAddress& address) {
  if (address.port == 0) return {};
  const auto probe = bind_to(address, Share::no);
  if (!probe) return fail(probe);
  return {};
}

std::vector<IpAddress> interface_addresses() {
  std::vector<IpAddress> found;
  ifaddrs* raw = nullptr;
  if (getifaddrs(&raw) != 0) return found;
  const std::unique_ptr<ifaddrs, FreeWith<freeifaddrs>> list(raw);
  for (const ifaddrs* one = list.get(); one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    const int family = one->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    KernelAddress address;
    std::memcpy(&address.storage, one->ifa_addr, family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    found.push_back(from_kernel(address).ip);
  }
  return found;
}

}  // namespace tollgate::net
