#include "gateway/relay/address_guard.h"

#include <fmt/format.h>

#include <algorithm>

namespace tollgate::relay {
namespace {
constexpr Seconds own_addresses_hold{10};
}

AddressGuard::AddressGuard(std::vector<IpAddress> (*own_addresses)())
    : own_addresses_(own_addresses), own_(own_addresses()), asked_(mono_now()) {}

std::string AddressGuard::refusal(const SocketAddress& to, LocalAddresses local, MonoTime now) {
  if (now - asked_ > own_addresses_hold) {
    own_ = own_addresses_();
    asked_ = now;
  }
  const IpAddress& ip = to.ip;
  const bool own = std::find(own_.begin(), own_.end(), ip) != own_.end();
  const bool here = own || ip.is_loopback() || ip.is_unspecified();
  if (here && std::find(own_ports_.begin(), own_ports_.end(), to.port) != own_ports_.end()) {
    return fmt::format("{} is the gateway itself", to.text());
  }
  if (local == LocalAddresses::permitted || std::find(named_.begin(), named_.end(), ip) != named_.end()) return {};
  const std::string_view why = ip.is_loopback()      ? "a loopback address"
                               : ip.is_link_local()  ? "a link-local address"
                               : ip.is_unspecified() ? "an unspecified address"
                               : ip.is_multicast()   ? "a multicast address"
                               : own                 ? "an address of the gateway itself"
                                                     : "";
  if (why.empty()) return {};
  return fmt::format("{} is {}; upstream.resolve or upstream.allow_loopback permits it", ip.text(), why);
}

}  // namespace tollgate::relay
