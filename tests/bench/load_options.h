// What the load generator is asked to do.
#pragma once

#include <cstdint>
#include <string>

#include "gateway/base/address.h"
#include "gateway/base/units.h"

namespace tollgate::bench {

enum class Mode : std::uint8_t {
  keepalive,    // requests on connections that stay
  connections,  // a new connection for each request
  idle,         // one request on each connection, then silence for the duration
};

struct LoadOptions {
  SocketAddress to;         // where to connect
  std::string via_connect;  // `host:port` to CONNECT to first (`:port`: the server name's); empty: speak TLS at once
  std::string name = "a.test";  // server name and Host; with `names` > 1: `n<i>.NAME`
  std::string ca_file;          // what the certificate shown must chain to
  std::string path = "/";
  Mode mode = Mode::keepalive;
  bool http2 = false;
  bool resume = false;  // sessions, from connection to connection
  std::uint32_t names = 1;
  std::uint32_t connections = 1;
  std::uint32_t streams = 1;  // requests at once on an HTTP/2 connection
  ByteCount expected = 0;     // content of every response, bytes
  std::uint64_t count = 0;    // end after so many responses; 0: only the duration counts
  Millis duration{5000};      // in mode idle from the moment when all connections are open
};

}  // namespace tollgate::bench
