// What a worker lends to its connections. All of it outlives them; what a reload replaces is a shared_ptr to something
// immutable, taken when a connection needs it.
#pragma once

#include <memory>
#include <string>

#include "certs/leaf_mint.h"
#include "gateway/base/counters.h"
#include "gateway/base/id.h"
#include "gateway/config/config.h"
#include "gateway/net/loop.h"
#include "gateway/net/resolver.h"
#include "gateway/record/sink.h"
#include "gateway/relay/address_guard.h"
#include "gateway/relay/exchange_log.h"
#include "gateway/tls/contexts.h"

namespace tollgate::relay {

// Made once a process (and again by a reload), shared by the workers.
struct Shared {
  std::shared_ptr<const config::Config> config;
  std::shared_ptr<certs::LeafMint> mint;
  std::shared_ptr<tls::ClientContext> origins;  // towards origins
  std::shared_ptr<tls::ServerContext> clients;  // towards clients
};

struct Environment {
  net::Loop& loop;
  Shared shared;
  net::Resolver& resolver;
  record::RecordSink& sink;
  IdSource& ids;
  Counters& counters;
  AddressGuard& guard;
  ExchangeLog& exchanges;
};

}  // namespace tollgate::relay
