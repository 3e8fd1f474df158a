// Bytes from one side to the other, untouched: connections that are passed through, and what is not HTTP.
#pragma once

#include "gateway/relay/relay.h"

namespace tollgate::relay {

class Tunnel final : public Relay {
 public:
  Tunnel(RelayContext context, Endpoint& client, Endpoint& origin);

  std::size_t on_plaintext(Endpoint& from, ByteView bytes) override;
  void on_ended(Endpoint& from, EndKind how) override;
  void on_drained(Endpoint& to) override;
  void drain() override;
  void abort(std::string_view why) override;

 private:
  RelayContext context_;
  Endpoint& client_;
  Endpoint& origin_;
};

}  // namespace tollgate::relay
