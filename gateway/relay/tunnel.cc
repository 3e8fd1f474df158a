#include "gateway/relay/tunnel.h"

namespace tollgate::relay {

Tunnel::Tunnel(RelayContext context, Endpoint& client, Endpoint& origin)
    : context_(context), client_(client), origin_(origin) {}

std::size_t Tunnel::on_plaintext(Endpoint& from, ByteView bytes) {
  const bool up = &from == &client_;
  Endpoint& to = up ? origin_ : client_;
  context_.connection.moved(up ? bytes.size() : 0, up ? 0 : bytes.size(), mono_now());
  to.write(bytes);
  if (to.above_high_mark()) from.pause();
  return bytes.size();
}

void Tunnel::on_ended(Endpoint& from, EndKind how) {
  if (how == EndKind::reset) {
    context_.host.on_relay_over(how, how);
    return;
  }
  Endpoint& to = &from == &client_ ? origin_ : client_;
  to.finish(how);
  if (client_.ended() && origin_.ended()) context_.host.on_relay_over(how, how);
}

void Tunnel::on_drained(Endpoint& to) { (&to == &client_ ? origin_ : client_).resume(); }

// A tunnel has no place where it could be cut without loss: it gets the whole of the drain time.
void Tunnel::drain() {}

void Tunnel::abort(std::string_view why) { context_.connection.error(why); }

}  // namespace tollgate::relay
