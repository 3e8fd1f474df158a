// The two SSL_CTX of the gateway, made once a process and then only read: towards origins (verifying) and towards
// clients (with our leaves). Making one costs 0.1 ms; making a session from one some µs.
// A context outlives its sessions. Threads: after construction, any.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "certs/leaf_mint.h"
#include "certs/trust.h"
#include "gateway/base/address.h"
#include "gateway/base/clock.h"
#include "gateway/base/free_with.h"
#include "gateway/base/result.h"
#include "gateway/tls/resumption_cache.h"
#include "gateway/tls/session.h"

namespace tollgate::tls {

using ContextHandle = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using WallClock = WallTime (*)();

// Towards origins: TLS 1.2 and 1.3, SECLEVEL 2, verification of chain, name and stapled OCSP, session resumption.
class ClientContext {
 public:
  // `clock` says when remembered sessions end. Errors: io  OpenSSL is out of memory
  static Result<std::unique_ptr<ClientContext>> create(const std::shared_ptr<const certs::Trust>& trust,
                                                       WallClock clock = wall_now);

  // A session that will verify the origin as `host` and offer `alpn` (empty: no extension). SNI is sent when `host` is
  // a name. It resumes an earlier session with the same host, port and ALPN list where there is one, and remembers the
  // tickets it is given in this context by itself, unless its verification failed. A resumed session's certificate was
  // verified at most a day ago and has not expired since.
  // Errors: malformed  `alpn` has an empty or overlong name
  //         io         OpenSSL is out of memory
  Result<SslHandle> new_session(const Host& host, std::uint16_t port, const std::vector<std::string>& alpn) const;

 private:
  ClientContext(ContextHandle context, std::unique_ptr<ResumptionCache> sessions, WallClock clock)
      : clock_(clock), sessions_(std::move(sessions)), context_(std::move(context)) {}

  WallClock clock_;
  std::unique_ptr<ResumptionCache> sessions_;
  ContextHandle context_;
};

// Towards clients: TLS 1.2 and 1.3, ECDHE AEAD only, no compression, no renegotiation, no early data, stateless tickets
// that only the same device can use for the same name.
class ServerContext {
 public:
  // Errors: io  OpenSSL is out of memory
  static Result<std::unique_ptr<ServerContext>> create();

  // A session that shows `leaf`. `alpn`: what the origin chose ("" = none: the extension is left out; so too when the
  // client did not offer it). `device` (its address or name) and `server_name` keep tickets where they were given.
  // Errors: io  OpenSSL is out of memory, or refuses the leaf
  Result<SslHandle> new_session(const certs::Leaf& leaf, std::string_view alpn, std::string_view device,
                                std::string_view server_name) const;

 private:
  explicit ServerContext(ContextHandle context) : context_(std::move(context)) {}

  ContextHandle context_;
};

}  // namespace tollgate::tls
