// What nghttp2 tells H2Session: frames received, frames sent, content wanted.
#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <new>
#include <utility>

#include "gateway/http/h2_state.h"

namespace tollgate::http {

namespace {

// 16 KiB each: what a header list at its limit takes, and some for those who cut smaller.
constexpr std::size_t most_continuations = 16;

constexpr std::array<std::uint8_t, 8> drain_ping{'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'};

std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

EndStream end_of(const nghttp2_frame& frame) {
  return (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 ? EndStream::yes : EndStream::no;
}

bool is_ack(const nghttp2_frame& frame) { return (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0; }

}  // namespace

const nghttp2_session_callbacks* H2Session::State::callbacks() {
  using Owned = std::unique_ptr<nghttp2_session_callbacks, FreeWith<nghttp2_session_callbacks_del>>;
  static const Owned shared = [] {
    nghttp2_session_callbacks* made = nullptr;
    if (nghttp2_session_callbacks_new(&made) != 0) throw std::bad_alloc();
    nghttp2_session_callbacks_set_on_begin_frame_callback(made, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(made, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(made, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame_recv);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(made, on_invalid_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data_chunk_recv);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(made, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(made, on_frame_not_send);
    nghttp2_session_callbacks_set_send_data_callback(made, send_data);
    return Owned(made);
  }();
  return shared.get();
}

const nghttp2_data_provider* H2Session::State::content() {
  static const nghttp2_data_provider provider{{.ptr = nullptr}, read_content};
  return &provider;
}

// Received.

int H2Session::State::on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* header, void* self) noexcept {
  auto& state = *static_cast<State*>(self);
  state.continuations = header->type == NGHTTP2_CONTINUATION ? state.continuations + 1 : 0;
  if (state.continuations > most_continuations) {
    state.fail_connection(NGHTTP2_ENHANCE_YOUR_CALM, Error::Kind::refused, "CONTINUATION frames");
  } else if (header->type == NGHTTP2_HEADERS && state.passed_over.contains(header->stream_id)) {
    state.fail_connection(NGHTTP2_PROTOCOL_ERROR, Error::Kind::malformed, "a stream identifier that was passed over");
  }
  // Here nghttp2 would go on with the frame; this makes it stop.
  return state.failure ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

int H2Session::State::on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* self) noexcept {
  auto& state = *static_cast<State*>(self);
  H2Stream* stream = state.streams.find(frame->hd.stream_id);
  if (stream == nullptr && state.role == Role::server) {
    stream = &state.streams.open(frame->hd.stream_id);
    stream->opened = true;
    state.passed_over.opened(frame->hd.stream_id);
  }
  state.block.begin(stream != nullptr ? stream->informational : 0);
  return 0;
}

int H2Session::State::on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                                std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t,
                                void* self) noexcept {
  auto& state = *static_cast<State*>(self);
  if (state.block.add(text_of(name, name_size), text_of(value, value_size), state.limits.max_header_list)) return 0;
  // The rest of the block is still decoded, for the compression context (RFC 9113 §10.5.1), but no longer kept.
  if (H2Stream* stream = state.streams.find(frame->hd.stream_id)) {
    state.submit_reset(*stream, NGHTTP2_ENHANCE_YOUR_CALM);
  }
  state.idle_frame("header lists over the limit");
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

int H2Session::State::on_invalid_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t*, std::size_t,
                                        const std::uint8_t*, std::size_t, std::uint8_t, void*) noexcept {
  // Without this nghttp2 drops the line and goes on; RFC 9113 §8.2.1 wants the whole message treated as malformed.
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

int H2Session::State::on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* self) noexcept {
  auto& state = *static_cast<State*>(self);
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS: state.head_received(*frame); break;
    case NGHTTP2_DATA: state.data_received(*frame); break;
    case NGHTTP2_SETTINGS: state.settings_received(*frame); break;
    case NGHTTP2_PING: state.ping_received(*frame); break;
    case NGHTTP2_GOAWAY: state.goaway_received(*frame); break;
    case NGHTTP2_PRIORITY: state.idle_frame("PRIORITY frames"); break;
    case NGHTTP2_RST_STREAM:
      if (H2Stream* stream = state.streams.find(frame->hd.stream_id)) stream->reset_by_peer = true;
      state.idle_frame("RST_STREAM frames");
      break;
    default: break;  // WINDOW_UPDATE is nghttp2's own business
  }
  return 0;
}

void H2Session::State::head_received(const nghttp2_frame& frame) {
  H2Stream* stream = streams.find(frame.hd.stream_id);
  if (stream == nullptr) return;
  const EndStream end = end_of(frame);
  if (role == Role::server && frame.headers.cat == NGHTTP2_HCAT_REQUEST) {
    request_received(*stream, end);
  } else if (block.status()) {
    response_received(*stream, end);
  } else {
    visitor.on_trailers(stream->id, block.take_trailers());
  }
  if (end == EndStream::yes) end_received(*stream);
}

void H2Session::State::request_received(H2Stream& stream, EndStream end) {
  RequestHead head = block.take_request();
  if (!request_fault(head).empty()) {
    submit_reset(stream, NGHTTP2_PROTOCOL_ERROR);
    idle_frame("malformed requests");
    return;
  }
  stream.announced = true;
  visitor.on_request(stream.id, std::move(head), end);
}

void H2Session::State::response_received(H2Stream& stream, EndStream end) {
  constexpr std::uint16_t least_status = 100;  // nghttp2 wants three digits and no more (RFC 9110 §15)
  if (block.status() < least_status) {
    submit_reset(stream, NGHTTP2_PROTOCOL_ERROR);
    idle_frame("malformed responses");
    return;
  }
  stream.informational = is_informational(*block.status()) ? block.octets() : 0;
  visitor.on_response(stream.id, block.take_response(), end);
}

void H2Session::State::data_received(const nghttp2_frame& frame) {
  H2Stream* stream = streams.find(frame.hd.stream_id);
  if (stream == nullptr) return;
  const EndStream end = end_of(frame);
  if (frame.hd.length == frame.data.padlen && end == EndStream::no) {
    visitor.on_data(stream->id, {});
    idle_frame("empty DATA frames");
  }
  if (end == EndStream::yes) end_received(*stream);
}

void H2Session::State::end_received(H2Stream& stream) {
  stream.peer_ended = true;
  // The visitor may have reset the stream when it saw the head: then it is not told more.
  if (stream.announced && !stream.reset_code) visitor.on_end(stream.id);
}

void H2Session::State::settings_received(const nghttp2_frame& frame) {
  if (is_ack(frame)) return;
  idle_frame("SETTINGS frames");
  if (!failure) visitor.on_settings();
}

void H2Session::State::ping_received(const nghttp2_frame& frame) {
  if (!is_ack(frame)) {
    idle_frame("PING frames");
    return;
  }
  const auto* data = frame.ping.opaque_data;
  if (going_away != GoingAway::round_trip || !std::equal(drain_ping.begin(), drain_ping.end(), data)) return;
  going_away = GoingAway::last_named;
  nghttp2_submit_goaway(session.get(), NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session.get()),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

void H2Session::State::goaway_received(const nghttp2_frame& frame) {
  peer_last_stream = frame.goaway.last_stream_id;
  idle_frame("GOAWAY frames");
  if (failure) return;
  visitor.on_goaway(frame.goaway.last_stream_id, frame.goaway.error_code,
                    text_of(frame.goaway.opaque_data, frame.goaway.opaque_data_len));
}

int H2Session::State::on_invalid_frame_recv(nghttp2_session*, const nghttp2_frame*, int, void* self) noexcept {
  static_cast<State*>(self)->idle_frame("stream errors");
  return 0;
}

int H2Session::State::on_data_chunk_recv(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                                         std::size_t size, void* self) noexcept {
  auto& state = *static_cast<State*>(self);
  H2Stream* stream = state.streams.find(id);
  if (stream == nullptr || !stream->announced || stream->reset_code) {
    nghttp2_session_consume_connection(state.session.get(), size);
    return 0;
  }
  stream->unconsumed += size;
  state.visitor.on_data(id, {data, size});
  return 0;
}

int H2Session::State::on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t code, void* self) noexcept {
  auto& state = *static_cast<State*>(self);
  const H2Stream* stream = state.streams.find(id);
  if (stream == nullptr) return 0;
  // Nobody will consume this any more, and the connection's window would shrink for ever.
  if (stream->unconsumed > 0) nghttp2_session_consume_connection(state.session.get(), stream->unconsumed);
  const bool left_out = state.role == Role::client && state.peer_last_stream && id > *state.peer_last_stream &&
                        code == NGHTTP2_REFUSED_STREAM;
  const bool by_peer = stream->reset_by_peer || left_out;
  // Where the peer's END_STREAM has overtaken our RST_STREAM, nghttp2 takes it for a regular end.
  if (!by_peer && stream->reset_code) code = *stream->reset_code;
  const bool tell = stream->announced && !state.failure;
  state.streams.close(id);
  if (tell) state.visitor.on_close(id, code, by_peer);
  return 0;
}

// Sent.

int H2Session::State::on_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* self) noexcept {
  auto& state = *static_cast<State*>(self);
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS: state.head_sent(*frame); break;
    case NGHTTP2_GOAWAY: state.goaway_sent(*frame); break;
    case NGHTTP2_DATA:
      if (end_of(*frame) == EndStream::yes) {
        if (H2Stream* stream = state.streams.find(frame->hd.stream_id)) state.end_sent(*stream);
      }
      break;
    default: break;
  }
  return 0;
}

void H2Session::State::head_sent(const nghttp2_frame& frame) {
  H2Stream* stream = streams.find(frame.hd.stream_id);
  if (stream == nullptr) return;
  stream->opened = true;
  if (end_of(frame) == EndStream::yes) {
    end_sent(*stream);
  } else if (stream->sending == Sending::ends_with_trailers && stream->outbound.empty() && stream->empty_frames == 0) {
    submit_trailers(*stream);  // they were waiting for the head alone
  }
}

void H2Session::State::end_sent(H2Stream& stream) {
  stream.sending = Sending::ended;
  if (stream.reset_when_ended && !stream.peer_ended) submit_reset(stream, NGHTTP2_NO_ERROR);
}

void H2Session::State::goaway_sent(const nghttp2_frame& frame) {
  if (going_away == GoingAway::notice_queued) {
    going_away = GoingAway::round_trip;
    // Only now: PING is urgent to nghttp2 and would overtake the notice.
    nghttp2_submit_ping(session.get(), NGHTTP2_FLAG_NONE, drain_ping.data());
  }
  if (frame.goaway.error_code == NGHTTP2_NO_ERROR || failure || going_away == GoingAway::ended) return;
  // nghttp2 has found a connection error; this frame is where it says so.
  const bool flood = frame.goaway.error_code == NGHTTP2_ENHANCE_YOUR_CALM;
  failure =
      std::make_unique<Error>(Error{flood ? Error::Kind::refused : Error::Kind::malformed,
                                    "HTTP/2 connection error " + h2_error_name(frame.goaway.error_code) + ": " +
                                        std::string(text_of(frame.goaway.opaque_data, frame.goaway.opaque_data_len))});
}

int H2Session::State::on_frame_not_send(nghttp2_session*, const nghttp2_frame* frame, int error, void* self) noexcept {
  auto& state = *static_cast<State*>(self);
  // A request that cannot be sent is closed by nghttp2. A response or trailers would leave the stream hanging.
  if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat == NGHTTP2_HCAT_REQUEST) return 0;
  if (error == NGHTTP2_ERR_STREAM_CLOSED || error == NGHTTP2_ERR_STREAM_CLOSING) return 0;
  if (H2Stream* stream = state.streams.find(frame->hd.stream_id)) state.submit_reset(*stream, NGHTTP2_INTERNAL_ERROR);
  return 0;
}

ssize_t H2Session::State::read_content(nghttp2_session*, std::int32_t id, std::uint8_t*, std::size_t length,
                                       std::uint32_t* flags, nghttp2_data_source*, void* self) noexcept {
  auto& state = *static_cast<State*>(self);
  // DATA goes straight into `out`, many frames a call to mem_send: this is where the high mark is kept.
  if (state.out == nullptr || state.out->size() >= state.high_mark) return NGHTTP2_ERR_PAUSE;
  H2Stream* stream = state.streams.find(id);
  assert(stream != nullptr);
  const std::size_t queued = stream->outbound.size();
  const bool nothing = queued == 0 && stream->empty_frames == 0;
  if (stream->sending == Sending::handed_over || (nothing && stream->sending != Sending::ends_with_data)) {
    stream->deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  *flags = NGHTTP2_DATA_FLAG_NO_COPY;
  const std::size_t taken = std::min(length, queued);
  if (taken == 0 && stream->empty_frames > 0) --stream->empty_frames;
  if (taken < queued || stream->empty_frames > 0) return static_cast<ssize_t>(taken);
  if (stream->sending == Sending::ends_with_data) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    stream->sending = Sending::handed_over;
  } else if (stream->sending == Sending::ends_with_trailers) {
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    state.submit_trailers(*stream);
  }
  return static_cast<ssize_t>(taken);
}

int H2Session::State::send_data(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* header, std::size_t length,
                                nghttp2_data_source*, void* self) noexcept {
  constexpr std::size_t frame_header_size = 9;
  auto& state = *static_cast<State*>(self);
  H2Stream* stream = state.streams.find(frame->hd.stream_id);
  assert(stream != nullptr && state.out != nullptr && frame->data.padlen == 0);
  state.out->append(ByteView(header, frame_header_size));
  state.out->append(stream->outbound.view().first(length));
  stream->outbound.consume(length);
  if (length > 0) state.visitor.on_drained(stream->id, length);
  return 0;
}

}  // namespace tollgate::http
