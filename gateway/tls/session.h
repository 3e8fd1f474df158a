// One TLS connection over byte buffers (RFC 8446, RFC 5246): OpenSSL without a socket. Ciphertext goes in by receive()
// or read_from(), comes out of outgoing(); plaintext goes in by write(), comes out by read(). A session that waits
// holds no record buffers.
//
//     receive() ─▶ handshake() ─▶ want_bytes: send outgoing(), receive more      done: read(), write(), shutdown()
//
// After every call but the plain getters there may be something in outgoing(): also after a
// failure, which leaves the alert for the peer there.
// Threads: one at a time.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "gateway/base/byte_queue.h"
#include "gateway/base/bytes.h"
#include "gateway/base/free_with.h"
#include "gateway/base/result.h"

namespace tollgate::tls {

using SslHandle = std::unique_ptr<SSL, FreeWith<SSL_free>>;

enum class Progress : std::uint8_t {
  want_bytes,                // give receive() more, after sending outgoing()
  done,                      // the handshake is finished
  wants_client_certificate,  // client role: the origin asked for a certificate, which only the app could give
};

// How a handshake or connection failed, for records and for people.
struct Failure {
  enum class Cause : std::uint8_t {
    certificate,  // the peer's certificate did not verify (client role)
    peer_alert,   // the peer sent a fatal alert: `alert` has its number
    protocol,     // what the peer sent is no TLS, breaks it, or offers nothing that both sides accept
    truncated,    // the transport ended before the handshake did
  } cause;
  std::uint8_t alert = 0;  // RFC 8446 §6
  std::string what;        // one sentence that an owner of a phone understands, and whose side failed
};

struct ReadOutcome {
  enum class State : std::uint8_t {
    data,          // `count` > 0 bytes were written to the caller's span
    want_bytes,    // nothing to read until receive()
    close_notify,  // the peer has ended its direction cleanly; ours still works (RFC 8446 §6.1)
    truncated,     // receive_end() was called without a close_notify: the framing above must judge; ours still works
    failed,        // see failure()
  } state;
  std::size_t count = 0;
};

class Session {
 public:
  // Takes an SSL made by a ClientContext or ServerContext (contexts.h); its state says which side it is.
  explicit Session(SslHandle ssl);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void receive(ByteView ciphertext);  // copies it; read_from() is the way without a copy
  void receive_end();                 // the transport's FIN

  // Drives the handshake. Once it failed it stays failed; failure() says how.
  // Errors: refused    the peer's certificate, or the peer sent an alert
  //         malformed  the peer's side of the protocol
  //         io         the transport ended
  Result<Progress> handshake();
  bool handshake_done() const { return handshake_done_; }

  // Fills as much of `out` (not empty) as there is plaintext for. Only after the handshake.
  ReadOutcome read(std::span<std::uint8_t> out);
  // The same, taking ciphertext first-hand from the front of `ciphertext` (after what receive() was given, if any) and
  // moving its start: for bulk, where receive()'s copy costs. Unless it returns data, it has taken everything. A caller
  // that stops earlier gives the rest to receive() before its buffer goes away.
  ReadOutcome read_from(ByteView& ciphertext, std::span<std::uint8_t> out);

  // Encrypts all of it into outgoing(), in records of 16 KiB. Errors: io  the handshake is not done, the session has
  // failed or was shut down.
  Status write(ByteView plaintext);
  // Queues close_notify, once. Reading goes on. Does nothing unless the handshake is done and nothing failed.
  void shutdown();

  ByteQueue& outgoing() { return outgoing_; }
  // Held and not yet given out by read(): ciphertext as received, and the rest of a record that is decrypted already.
  std::size_t unread() const;

  const Failure* failure() const { return failure_ ? &*failure_ : nullptr; }
  std::string version() const;  // `TLSv1.3`
  std::string alpn() const;     // chosen, or ""
  bool resumed() const;
  SSL* ssl() { return ssl_.get(); }

 private:
  struct Transport;  // the BIO's callbacks: OpenSSL's side of incoming_, lent_ and outgoing_

  std::size_t take_ciphertext(std::span<std::uint8_t> out);
  ReadOutcome read_outcome(int ssl_error);
  void fail_with(int ssl_error);
  Failure ended_early() const;
  Failure describe(unsigned long error) const;
  std::string_view peer() const;  // for people

  ByteQueue incoming_;
  ByteView lent_;  // the caller's, during read_from() only
  ByteQueue outgoing_;
  std::optional<Failure> failure_;
  bool handshake_done_ = false;
  bool ended_ = false;  // receive_end() was called
  SslHandle ssl_;       // its BIO points here
};

}  // namespace tollgate::tls
