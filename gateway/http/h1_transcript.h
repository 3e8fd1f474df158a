// Whole messages out of a reader's events: what tests and fuzz targets compare. Not for traffic, as it holds
// everything.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/byte_queue.h"
#include "gateway/base/bytes.h"
#include "gateway/base/result.h"
#include "gateway/http/h1_events.h"
#include "gateway/http/h1_reader.h"
#include "gateway/http/h1_writer.h"

namespace tollgate::http {

template <class Head>
struct Message {
  Head head;
  Framing framing;
  std::string content;
  Fields trailers;
  bool complete = false;  // H1End has come
  bool operator==(const Message&) const = default;
};

// What a reader made of some bytes. Two are equal when no peer could tell the difference.
template <class Head>
struct Transcript {
  std::vector<Message<Head>> messages;
  std::optional<Error::Kind> error;
  std::string unread;  // what was given and not consumed; empty after an error
  bool operator==(const Transcript&) const = default;
};

// How bytes arrive: says how many come next, at least 1.
using Pieces = std::function<std::size_t()>;
inline Pieces in_one_piece() {
  return [] { return ~std::size_t{0}; };
}
inline Pieces in_pieces_of(std::size_t size) {
  return [size] { return size; };
}
// Two pieces.
inline Pieces cut_at(std::size_t size) {
  return [next = size]() mutable { return std::exchange(next, ~std::size_t{0}); };
}

// Sizes from 1 to 23 that the bytes themselves decide, so that a finding can be replayed.
inline Pieces in_pieces_by(ByteView bytes) {
  return [bytes, at = std::size_t{0}]() mutable {
    const std::uint8_t byte = bytes[at++ % bytes.size()];
    return static_cast<std::size_t>(1 + byte % 23);
  };
}

// The message as h1_writer.h writes it, its content under the framing it was read with.
template <class Head>
void write_message(ByteQueue& out, const Message<Head>& message) {
  write_head(out, message.head);
  if (std::holds_alternative<Chunked>(message.framing)) {
    write_chunk(out, as_bytes(message.content));
    write_last_chunk(out, message.trailers);
  } else {
    out.append(message.content);
  }
}

// Feeds a reader `bytes` in those pieces, each time exactly what it may look at (in memory of its own, so that a
// sanitizer sees a look past it), and keeps what it says.
template <class Head, class Reader>
class TranscriptRecorder {
 public:
  explicit TranscriptRecorder(Reader& reader) : reader_(reader) {}

  // False: the reader has refused.
  bool feed(std::string_view piece) {
    transcript_.unread.append(piece);
    while (true) {
      const Bytes exact(transcript_.unread.begin(), transcript_.unread.end());
      auto step = reader_.read(exact);
      if (!step) return refuse(step.error().kind);
      const bool more = !std::holds_alternative<H1NeedMore>(step->event);
      std::visit([this](auto&& event) { this->keep(std::forward<decltype(event)>(event)); }, std::move(step->event));
      transcript_.unread.erase(0, step->consumed);
      if (!more) return true;
    }
  }
  bool refuse(Error::Kind kind) {
    transcript_.error = kind;
    transcript_.unread.clear();
    return false;
  }
  void keep(H1NeedMore /*nothing to keep*/) {}
  void keep(H1RequestHead&& event) {
    transcript_.messages.push_back({std::move(event.head), event.framing, {}, {}, {}});
  }
  void keep(H1ResponseHead&& event) {
    transcript_.messages.push_back({std::move(event.head), event.framing, {}, {}, {}});
  }
  void keep(H1Data event) { transcript_.messages.back().content.append(as_text(event.bytes)); }
  void keep(H1End&& event) {
    transcript_.messages.back().trailers = std::move(event.trailers);
    transcript_.messages.back().complete = true;
  }
  Transcript<Head>& transcript() { return transcript_; }

 private:
  Reader& reader_;
  Transcript<Head> transcript_;
};

inline Transcript<RequestHead> read_requests(std::string_view bytes, const Pieces& next_size = in_one_piece(),
                                             const H1Limits& limits = {}) {
  H1RequestReader reader(limits);
  TranscriptRecorder<RequestHead, H1RequestReader> recorder(reader);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::string_view piece = bytes.substr(at, next_size());
    if (!recorder.feed(piece)) break;
    at += piece.size();
  }
  return std::move(recorder.transcript());
}

// What an origin sends in answer to one request of that method, and then closes.
inline Transcript<ResponseHead> read_response(std::string_view bytes, std::string_view request_method = "GET",
                                              const Pieces& next_size = in_one_piece(), const H1Limits& limits = {}) {
  H1ResponseReader reader(limits);
  reader.begin(request_method);
  TranscriptRecorder<ResponseHead, H1ResponseReader> recorder(reader);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::string_view piece = bytes.substr(at, next_size());
    if (!recorder.feed(piece)) return std::move(recorder.transcript());
    at += piece.size();
  }
  auto closed = reader.close();
  if (!closed) {
    recorder.refuse(closed.error().kind);
  } else if (auto* end = std::get_if<H1End>(&*closed)) {
    recorder.keep(std::move(*end));
  }
  return std::move(recorder.transcript());
}

}  // namespace tollgate::http
