// What an HTTP/2 session keeps for its streams, and how it counts frames that carry nothing. Private to the room.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "gateway/base/byte_queue.h"
#include "gateway/base/clock.h"
#include "gateway/http/h2_session.h"
#include "gateway/http/message.h"

namespace tollgate::http {

// How far our side of a stream is.
//
//   open ──send_data(end)──▶ ends_with_data ─────────┐ last byte taken
//     ├────send_trailers───▶ ends_with_trailers ─────┤
//     └────a head with end──────────────────────────▶ handed_over ──END_STREAM in a frame──▶ ended
enum class Sending : std::uint8_t { open, ends_with_data, ends_with_trailers, handed_over, ended };

struct H2Stream {
  StreamId id = 0;
  Sending sending = Sending::open;
  bool announced = false;                   // the visitor knows it
  bool opened = false;                      // nghttp2 knows it: a request head that waits for its turn is no stream yet
  bool deferred = false;                    // nghttp2 does not ask for content until it is told to
  bool peer_ended = false;                  // END_STREAM has arrived
  bool reset_by_peer = false;               // theirs has arrived
  bool reset_when_ended = false;            // RST_STREAM (NO_ERROR) is to follow our END_STREAM
  std::optional<std::uint32_t> reset_code;  // our RST_STREAM is queued: nothing more is sent, and nothing more told
  std::uint32_t empty_frames = 0;           // empty DATA frames to be sent after `outbound`
  std::size_t unconsumed = 0;               // given to on_data and not yet to consume()
  std::size_t informational = 0;            // octets of the 1xx heads so far
  ByteQueue outbound;                       // content that is not in frames yet
  std::unique_ptr<Fields> trailers;         // to be sent after it
};

// Streams by id, in a vector sorted by it: ids only ever grow (RFC 9113 §5.1.1), there are a hundred at most, and
// neighbouring calls are about one stream. Pointers stay valid until close().
class H2Streams {
 public:
  H2Stream& open(StreamId id);
  H2Stream* find(StreamId id);
  void close(StreamId id);
  std::size_t size() const { return streams_.size(); }

 private:
  std::vector<std::unique_ptr<H2Stream>> streams_;
  H2Stream* last_found_ = nullptr;
};

// Stream identifiers that the peer has passed over: opening one of them later is a connection error (RFC 9113 §5.1.1),
// which nghttp2 does not tell from a stream that has been closed. Clients pass none over; the first eight gaps are
// kept.
class PassedOver {
 public:
  void opened(StreamId id);
  bool contains(StreamId id) const;

 private:
  struct Gap {
    StreamId first, last;
  };
  std::vector<Gap> gaps_;
  StreamId last_ = 0;
};

// A token bucket: `burst` at once, `rate` a second after that.
class FrameAllowance {
 public:
  FrameAllowance(std::uint32_t burst, std::uint32_t rate, MonoTime now)
      : burst_(burst), rate_(rate), left_(burst), then_(now) {}
  bool take(MonoTime now);

 private:
  double burst_, rate_, left_;
  MonoTime then_;
};

}  // namespace tollgate::http
