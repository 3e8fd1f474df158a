// One HTTP/2 connection (RFC 9113) as one side of it sees it: nghttp2 behind our message model. Sans-I/O: bytes in by
// receive(), bytes out by write_to(), everything in between told to a Visitor.
//
// The gateway mirrors streams one to one between a server session (towards the client) and a client session (towards
// the origin). Flow control is the caller's: what arrives is not acknowledged until consume() says that the other side
// has taken it, so a slow reader stalls exactly its own stream.
//
// Threads: one. A Visitor may call submit_*, send_data, send_trailers, reset, consume, go_away and ping on any session
// from inside a callback, but neither receive() nor write_to() (nghttp2 forbids it) and must not destroy the session.
// A Visitor must not throw: its caller is a C library, so an exception ends the process.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/base/byte_queue.h"
#include "gateway/base/bytes.h"
#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/http/message.h"

namespace tollgate::http {

using StreamId = std::int32_t;  // RFC 9113 §5.1.1; 0 is the connection

enum class EndStream : std::uint8_t { no, yes };

// What the session has seen. The order of calls for one stream is the order on the wire. After a connection error
// nothing more is said about any stream: whoever holds the session ends them all.
class H2Visitor {
 public:
  virtual ~H2Visitor() = default;
  // Server session: a request has begun. The head is valid: nghttp2 checked RFC 9113 §8.2 and §8.3, and we that the
  // target has a form, that :authority has no userinfo and that Host agrees with it. A request that fails this, or is
  // larger than we take, is answered with RST_STREAM, and nothing is said of it here. A plain CONNECT has method and
  // authority only (RFC 9113 §8.5).
  virtual void on_request(StreamId stream, RequestHead head, EndStream end) = 0;
  // Client session: a response head; informational ones (1xx) come first and never end the stream.
  virtual void on_response(StreamId stream, ResponseHead head, EndStream end) = 0;
  // A view that dies with the call. Empty: an empty DATA frame without END_STREAM. What is not empty holds window until
  // consume().
  virtual void on_data(StreamId stream, ByteView data) = 0;
  virtual void on_trailers(StreamId stream, Fields trailers) = 0;
  // The peer's END_STREAM, exactly once, after head, data and trailers; also where `end` of the head said so already.
  virtual void on_end(StreamId stream) = 0;
  // The stream is over and its state is freed: after both ends, or a RST_STREAM sent or received. `code` is the error
  // code that ended it (NO_ERROR after a regular end), `by_peer` whether the peer sent the RST_STREAM, or a GOAWAY that
  // leaves the stream out (REFUSED_STREAM: it may be retried elsewhere). NO_ERROR by the peer without on_end, or while
  // our side was open: RFC 9113 §8.1, the rest of the request is not wanted.
  virtual void on_close(StreamId stream, std::uint32_t code, bool by_peer) = 0;
  // `count` bytes of what send_data() queued have been put into frames by write_to().
  virtual void on_drained(StreamId stream, std::size_t count) = 0;
  // `debug` may be anything: print it with care, if at all.
  virtual void on_goaway(StreamId last_stream, std::uint32_t code, std::string_view debug) = 0;
  // The peer's SETTINGS have arrived (again).
  virtual void on_settings() = 0;
};

struct H2Limits {
  std::uint32_t max_concurrent_streams = 100;
  std::uint32_t stream_window = 256 * 1024;  // bytes the peer may send ahead of consume(), a stream
  std::uint32_t connection_window =
      1024 * 1024;  // and all streams together: bounds what a stalled peer can make us hold
  // Octets as RFC 9113 §6.5.2 counts them (names, values, 32 a line), announced and enforced: a head, a trailer
  // section, or all the informational heads of a stream together.
  std::uint32_t max_header_list = 128 * 1024;
  // Frames that cost us work and carry nothing: RST_STREAM, SETTINGS, PING, PRIORITY, GOAWAY, empty DATA, refused heads
  // and other stream errors. So many at once, and so many a second after that. nghttp2's own limit (1000 and 33) ends
  // connections of browsers that cancel a page of images now and then.
  std::uint32_t idle_frames_burst = 4000;
  std::uint32_t idle_frames_rate = 200;
  MonoTime (*now)() = &mono_now;  // asked only when such a frame arrives
};

class H2Session {
 public:
  enum class Role : std::uint8_t { server, client };

  // Queues the connection preface and SETTINGS. `visitor` must outlive the session.
  H2Session(Role role, H2Visitor& visitor, const H2Limits& limits);
  ~H2Session();  // tells the visitor nothing
  H2Session(const H2Session&) = delete;
  H2Session& operator=(const H2Session&) = delete;

  // Feeds what the peer sent. Errors: malformed  a connection error; a GOAWAY with its code is queued, write it and
  // close. refused  the peer floods us (resets, SETTINGS, PING, empty DATA, CONTINUATION); likewise. Once it has failed
  // it fails for ever. A peer that has left 64 KiB of our control frames unread is told of a connection error by
  // write_to() only: alive() is false then.
  Status receive(ByteView bytes);
  // Appends what is to be sent, until there is nothing or `out` has reached `high_mark` bytes. It passes the mark by
  // one frame at most (16 KiB of content, or one header block).
  void write_to(ByteQueue& out, std::size_t high_mark);

  // Whether either side still has something to do; false after GOAWAY and the last stream: close the connection.
  bool alive() const;
  bool wants_write() const;

  // Client session. Opens a stream; the id is the caller's to map. Errors: refused  the peer has sent GOAWAY or ids ran
  // out: nothing was sent, so it may be retried on another connection. Streams past the peer's
  // SETTINGS_MAX_CONCURRENT_STREAMS wait in here for their turn.
  Result<StreamId> submit_request(const RequestHead& head, EndStream end);
  // Server session. 1xx any number of times, then one final head. A stream that is gone is ignored.
  void submit_informational(StreamId stream, const ResponseHead& head);
  void submit_response(StreamId stream, const ResponseHead& head, EndStream end);

  // Both, after the head; a stream that is gone, or that we have ended, is ignored. Queues content; `end` puts
  // END_STREAM on its last frame. Empty data without end is an empty DATA frame.
  void send_data(StreamId stream, ByteView data, EndStream end);
  void send_trailers(StreamId stream, const Fields& trailers);  // after the queued data; ends our side
  // RST_STREAM at once; what is queued is dropped. NO_ERROR is the exception: once our side has been ended it waits for
  // the END_STREAM, because it says that the response is complete (RFC 9113 §8.1).
  void reset(StreamId stream, std::uint32_t code);
  // Lets the peer send `count` more bytes on the stream (and the connection): call when the other side drained them.
  // What is still outstanding when a stream closes is given back to the connection by itself.
  void consume(StreamId stream, std::size_t count);
  // GOAWAY. NO_ERROR is graceful, streams in flight finish: a server session announces it first, goes on taking streams
  // for one round trip (a PING), then names the last one it has taken (RFC 9113 §6.8). alive() turns false when the
  // last stream is gone. Any other code ends the connection with the frame.
  void go_away(std::uint32_t code);
  void ping();

  std::size_t queued(StreamId stream) const;   // bytes of send_data() not yet in frames
  std::size_t streams() const;                 // open now, those that wait for their turn included
  bool peer_enables_connect_protocol() const;  // SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441)
  // Server: announces it to the client, once the origin has.
  void enable_connect_protocol();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// RFC 9113 §7, as text: `CANCEL`, `REFUSED_STREAM`, … and `0x1234` for those nobody knows.
std::string h2_error_name(std::uint32_t code);

}  // namespace tollgate::http
