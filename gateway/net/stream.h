// A connected TCP socket on a loop: bytes in by callback, bytes out by a queue that leaves at the end of the turn.
// Threads: the loop's.
#pragma once

#include <cstdint>

#include "gateway/base/byte_queue.h"
#include "gateway/base/bytes.h"
#include "gateway/base/units.h"
#include "gateway/net/loop.h"

namespace tollgate::net {

// Above `high` the one who fills a stream stops; on_drained() says when it is below `low` again.
inline constexpr std::size_t stream_high_mark = 256 * kibibyte;
inline constexpr std::size_t stream_low_mark = stream_high_mark / 2;

// Any of these may make its owner retire the stream.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  virtual void on_bytes(ByteView bytes) = 0;  // valid during the call; the loop's scratch
  virtual void on_end() = 0;                  // the peer's FIN: nothing more to read, writing still works
  virtual void on_failed(int error) = 0;      // errno: ECONNRESET, ETIMEDOUT, EPIPE, …; the stream is dead
  virtual void on_drained() = 0;              // the queue has sunk below the low mark, from above the high one
  virtual void on_finished() = 0;             // everything queued and then our FIN have left
};

class Stream : private TurnWork {
 public:
  // Takes a connected, non-blocking socket; reading is off until read_on(). `handler` outlives the stream.
  Stream(Loop& loop, Descriptor socket, StreamHandler& handler);
  ~Stream() override;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void read_on();
  void read_off();

  // Fill it, then call send(): it leaves at the end of the turn, in as few calls as the socket takes.
  ByteQueue& out() { return out_; }
  void send();
  bool above_high_mark() const { return out_.size() > stream_high_mark; }

  void finish();  // FIN, once the queue is empty
  void reset();   // RST at once; the queue is dropped; no more callbacks
  bool finished() const { return fin_sent_; }
  bool ended() const { return ended_; }  // the peer's FIN has been seen

  ByteCount bytes_in() const { return bytes_in_; }
  ByteCount bytes_out() const { return bytes_out_; }
  int descriptor() const { return socket_.get(); }

 private:
  void on_readable();
  void on_turn_end() override;  // flush
  bool write_some();            // false: the stream failed
  void fail_with(int error);

  Loop& loop_;
  StreamHandler& handler_;
  Descriptor socket_;
  ByteQueue out_;
  ByteCount bytes_in_ = 0;
  ByteCount bytes_out_ = 0;
  bool was_high_ = false;
  bool fin_wanted_ = false;
  bool fin_sent_ = false;
  bool ended_ = false;
  bool dead_ = false;
  Watch readable_;  // last: cancelled first
  Watch writable_;
};

}  // namespace tollgate::net
