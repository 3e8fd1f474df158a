// A Relay carries what an open connection says from one side to the other, in one protocol. It owns neither endpoint.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/address.h"
#include "gateway/base/counters.h"
#include "gateway/base/units.h"
#include "gateway/relay/connection_log.h"
#include "gateway/relay/endpoint.h"
#include "gateway/relay/exchange_log.h"

namespace tollgate::relay {

// What a relay asks of the client connection that owns it.
class RelayHost {
 public:
  virtual ~RelayHost() = default;
  // Nothing is left to relay. The sides that were not finished yet are finished so; the relay is retired.
  virtual void on_relay_over(EndKind towards_client, EndKind towards_origin) = 0;
};

struct RelayContext {
  net::Loop& loop;
  ExchangeLog& exchanges;
  ConnectionLog& connection;
  Counters& counters;
  RelayHost& host;
};

class Relay : public EndpointHandler, public net::Retirable {
 public:
  // Finish what is under way, begin nothing new, then call on_relay_over().
  virtual void drain() = 0;
  // Ends everything now and records it as interrupted; on_relay_over() is not called.
  virtual void abort(std::string_view why) = 0;
  // Why the connection has waited too long for something that was begun, if it has. `head` is what a request head may
  // take from its first byte to its last.
  virtual std::optional<std::string_view> overdue(MonoTime /*now*/, Millis /*head*/) const { return std::nullopt; }

  void on_handshake(Endpoint&, Result<tls::Progress>) override {}  // done before there is a relay
};

}  // namespace tollgate::relay
