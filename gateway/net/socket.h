// Sockets as values: opening, addresses, options. Non-blocking and close-on-exec, always.
#pragma once

#include <sys/socket.h>

#include <vector>

#include "gateway/base/address.h"
#include "gateway/base/descriptor.h"
#include "gateway/base/result.h"

namespace tollgate::net {

// A SocketAddress as the kernel takes it.
struct KernelAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};
KernelAddress to_kernel(const SocketAddress& address);
SocketAddress from_kernel(const KernelAddress& address);

// Who is at the two ends; 0.0.0.0:0 when the socket is not connected any more.
SocketAddress peer_address(int socket);
SocketAddress local_address(int socket);

// Small writes leave at once (the loop batches them), dead peers are noticed within minutes on idle connections.
void tune_stream(int socket);
// Closes with a reset instead of a FIN.
void reset_and_close(Descriptor socket);

// Starts a connection. Errors: unreachable, io.
Result<Descriptor> start_connecting(const SocketAddress& to);
// What came of it, once the socket is writable: 0 or errno.
int connect_error(int socket);

// A listening socket. `share` sets SO_REUSEPORT. Errors: io, naming the address, the reason and the remedy.
enum class Share : std::uint8_t { no, yes };
Result<Descriptor> listen_on(const SocketAddress& address, Share share);
// Whether anybody, be it another instance that shares its port, listens there already.
Status check_free(const SocketAddress& address);

// The addresses of this machine's interfaces now.
std::vector<IpAddress> interface_addresses();

}  // namespace tollgate::net
