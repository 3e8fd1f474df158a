#include "gateway/relay/origin_dialer.h"

#include <utility>

namespace tollgate::relay {

OriginDialer::~OriginDialer() { cancel(); }

void OriginDialer::resolve(const Authority& to, Resolved done) {
  const config::Config& config = *environment_.shared.config;
  using Local = AddressGuard::LocalAddresses;
  const Local local = config.upstream_allow_loopback ? Local::permitted : Local::refused;
  if (const IpAddress* literal = to.host.address()) {
    done(permitted({*literal}, to.port, local));
    return;
  }
  const HostName& name = *to.host.name();
  if (const config::FixedAnswer* fixed = config::match(config.upstream_resolve, name)) {
    done(permitted({fixed->address}, to.port, local));
    return;
  }
  lookup_ = environment_.resolver.resolve(
      name, [this, port = to.port, local, done = std::move(done)](Result<std::vector<IpAddress>> found) {
        if (!found) {
          done(fail(found));
        } else {
          done(permitted(*found, port, local));
        }
      });
}

Result<std::vector<SocketAddress>> OriginDialer::permitted(const std::vector<IpAddress>& found, std::uint16_t port,
                                                           AddressGuard::LocalAddresses local) const {
  std::vector<SocketAddress> addresses;
  std::string refusal;
  for (const IpAddress& ip : found) {
    const SocketAddress address{ip, port};
    std::string why = environment_.guard.refusal(address, local, mono_now());
    if (why.empty()) {
      addresses.push_back(address);
    } else {
      refusal = std::move(why);
    }
  }
  if (!addresses.empty()) return addresses;
  environment_.counters.add(Counter::destinations_refused);
  return fail(Error::Kind::refused, std::move(refusal));
}

void OriginDialer::connect(std::vector<SocketAddress> addresses, Dialled done) {
  cancel();
  connector_ = std::make_unique<net::Connector>(environment_.loop, std::move(addresses),
                                                environment_.shared.config->limits_upstream_connect, std::move(done));
}

void OriginDialer::cancel() {
  lookup_.reset();
  if (!connector_) return;
  connector_->cancel();
  environment_.loop.retire(std::move(connector_));
}

}  // namespace tollgate::relay
