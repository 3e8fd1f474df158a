// From a host and port to a connected socket: fixed answers, DNS, the address guard, then the addresses in turn.
// One operation at a time; destruction cancels.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "gateway/base/address.h"
#include "gateway/net/connector.h"
#include "gateway/relay/environment.h"

namespace tollgate::relay {

class OriginDialer {
 public:
  using Resolved = std::function<void(Result<std::vector<SocketAddress>>)>;
  using Dialled = std::function<void(Result<net::Connected>)>;

  explicit OriginDialer(Environment& environment) : environment_(environment) {}
  ~OriginDialer();
  OriginDialer(const OriginDialer&) = delete;
  OriginDialer& operator=(const OriginDialer&) = delete;

  // The addresses of `to` that clients may reach. May call back before it returns.
  // Errors: refused (none of its addresses may be reached), not_found, unreachable.
  void resolve(const Authority& to, Resolved done);
  // Connects to the first that answers. Calls back later. Errors: unreachable.
  void connect(std::vector<SocketAddress> addresses, Dialled done);
  void cancel();

 private:
  Result<std::vector<SocketAddress>> permitted(const std::vector<IpAddress>& found, std::uint16_t port,
                                               AddressGuard::LocalAddresses local) const;

  Environment& environment_;
  std::unique_ptr<net::Lookup> lookup_;
  std::unique_ptr<net::Connector> connector_;
};

}  // namespace tollgate::relay
