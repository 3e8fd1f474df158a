// Which addresses a client may reach through the gateway. A proxy on a home network must not be a way into the machine
// it runs on: loopback, link-local (with the clouds' metadata address), unspecified, multicast and all of the gateway's
// own addresses are refused, after resolution, so that no spelling slips by.
// Threads: the worker's.
#pragma once

#include <string>
#include <vector>

#include "gateway/base/address.h"
#include "gateway/base/clock.h"

namespace tollgate::relay {

class AddressGuard {
 public:
  explicit AddressGuard(std::vector<IpAddress> (*own_addresses)());

  // The gateway's own listeners are never an origin, whatever the settings permit: that would be a loop, or a way to
  // the admin side.
  void add_own_port(std::uint16_t port) { own_ports_.push_back(port); }

  // Named by the owner of the gateway in upstream.resolve, so always reachable.
  void permit(std::vector<IpAddress> named) { named_ = std::move(named); }

  // Empty when clients may go there; else why not, in words. `local`: upstream.allow_loopback.
  enum class LocalAddresses : std::uint8_t { refused, permitted };
  std::string refusal(const SocketAddress& to, LocalAddresses local, MonoTime now);

 private:
  std::vector<IpAddress> (*own_addresses_)();
  std::vector<IpAddress> own_;  // interfaces come and go: asked again after a while
  MonoTime asked_;
  std::vector<std::uint16_t> own_ports_;
  std::vector<IpAddress> named_;
};

}  // namespace tollgate::relay
