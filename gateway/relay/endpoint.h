// One side of a relayed connection as plaintext: a TCP stream, with or without TLS on it.
//
// Reading: the handler is offered plaintext and says how much it took; the rest is kept (at most `inbox_limit`, then
// reading stops) and offered again in front of what comes next, or when offer_again() asks. pause() and resume() are
// for back-pressure: paused, nothing is read, decrypted or offered.
// Writing: write() any time; it is encrypted and sent at the end of the turn. above_high_mark() tells the one who fills
// it to pause the other side; on_drained() to resume it.
// Ends keep their kind: a close_notify or FIN, a FIN without close_notify, a reset. See EndKind.
//
// Threads: the loop's. Any callback may make the owner retire the endpoint; none destroys it at once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "gateway/base/byte_queue.h"
#include "gateway/base/bytes.h"
#include "gateway/base/result.h"
#include "gateway/net/stream.h"
#include "gateway/tls/session.h"

namespace tollgate::relay {

enum class EndKind : std::uint8_t {
  clean,      // close_notify under TLS, FIN on plain TCP
  truncated,  // a FIN under TLS without close_notify: somebody on the way may have cut it
  reset,      // RST, or TLS that broke
};

class Endpoint;

class EndpointHandler {
 public:
  virtual ~EndpointHandler() = default;
  // Returns how many bytes were taken.
  virtual std::size_t on_plaintext(Endpoint& from, ByteView bytes) = 0;
  virtual void on_ended(Endpoint& from, EndKind how) = 0;
  virtual void on_drained(Endpoint& to) = 0;
  // finish() is done: what was written and the FIN have left. Of interest to whoever closes.
  virtual void on_finished(Endpoint&) {}
  // The TLS handshake went on, or failed (see Endpoint::tls()->failure()).
  virtual void on_handshake(Endpoint& with, Result<tls::Progress> progress) = 0;
};

// Plaintext kept for a handler that does not take it. A request head at its limit and what was pipelined after it fits.
inline constexpr std::size_t inbox_limit = 256 * kibibyte;

class Endpoint final : public net::Retirable, private net::StreamHandler, private net::TurnWork {
 public:
  Endpoint(net::Loop& loop, Descriptor socket, EndpointHandler& handler);
  ~Endpoint() override;
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  void start();  // begins to read
  // Another handler from now on. It is offered, at the end of the turn, what the former did not take, and told of an
  // end that has come already.
  void hand_over(EndpointHandler& handler);

  // From here on the stream speaks TLS. `received` is what the peer sent of it already.
  void start_tls(std::unique_ptr<tls::Session> session, ByteView received);
  tls::Session* tls() { return tls_.get(); }
  const tls::Session* tls() const { return tls_.get(); }

  void write(ByteView plaintext);
  void write(std::string_view text) { write(as_bytes(text)); }
  bool above_high_mark() const { return stream_.above_high_mark(); }

  void pause();
  void resume();
  void offer_again();  // at the end of this turn
  ByteView inbox() const { return inbox_.view(); }
  // Takes what was offered and not taken, for a handler that comes next.
  Bytes take_inbox() { return inbox_.take(); }

  // Ends our direction the way `how` says, after what was written: close_notify and FIN, FIN alone, or a reset at once.
  void finish(EndKind how);
  bool finished() const { return finished_; }
  bool flushed() const { return stream_.finished(); }  // finish() is done
  bool ended() const { return ended_; }                // the peer's direction
  EndKind end_kind() const { return end_kind_; }
  bool dead() const { return dead_; }  // reset by either side: nothing more happens

  ByteCount wire_in() const { return stream_.bytes_in(); }
  ByteCount wire_out() const { return stream_.bytes_out(); }
  int error() const { return error_; }  // errno of a reset, or 0
  int descriptor() const { return stream_.descriptor(); }

 private:
  void on_bytes(ByteView bytes) override;
  void on_end() override;
  void on_failed(int error) override;
  void on_drained() override;
  void on_finished() override;
  void on_turn_end() override;

  void handshake();
  void pump_tls(ByteView ciphertext);
  void encrypt();
  void offer(ByteView bytes);
  void tell_end(EndKind how);

  net::Loop& loop_;
  EndpointHandler* handler_;
  std::unique_ptr<tls::Session> tls_;
  ByteQueue inbox_;
  ByteQueue plain_out_;  // small writes of one turn, encrypted together
  bool paused_ = false;
  bool started_ = false;
  bool handshaking_ = false;
  bool offer_wanted_ = false;
  bool finished_ = false;
  bool ended_ = false;
  EndKind end_kind_ = EndKind::clean;
  bool end_unheard_ = false;  // by the present handler
  bool dead_ = false;
  bool fin_seen_ = false;  // plain TCP: told when everything before it was offered
  int error_ = 0;
  net::Stream stream_;
};

}  // namespace tollgate::relay
