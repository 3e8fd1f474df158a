// The inside of H2Session: nghttp2's session, and the callbacks by which it talks to us. Private to the room.
#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/free_with.h"
#include "gateway/http/h2_head.h"
#include "gateway/http/h2_session.h"
#include "gateway/http/h2_streams.h"

namespace tollgate::http {

// A graceful end by a server (RFC 9113 §6.8): notice, one round trip, the real GOAWAY.
//
//   no ──go_away(NO_ERROR)──▶ notice_queued ──notice in a frame──▶ round_trip ──PING answered──▶ last_named
//   no ──go_away(NO_ERROR) of a client──────────────────────────────────────────────────────────▶ last_named
//   any ──go_away with an error─────────────────────────────────────────────────────────────────▶ ended
enum class GoingAway : std::uint8_t { no, notice_queued, round_trip, last_named, ended };

struct H2Session::State {
  State(Role its_role, H2Visitor& its_visitor, const H2Limits& its_limits);

  // What nghttp2 calls. Built once; every session copies it.
  static const nghttp2_session_callbacks* callbacks();
  static const nghttp2_data_provider* content();  // one for all streams: read_content looks the stream up

  // Writes the frames that nghttp2 itself has queued during a receive into `control`, so that a connection error, which
  // nghttp2 shows by its GOAWAY only, is known at once. DATA stays where it is.
  void write_control();
  // Counts a frame that carries nothing.
  void idle_frame(const char* kind);
  // Ends the connection: nghttp2 ignores what comes, and sends a GOAWAY.
  void fail_connection(std::uint32_t code, Error::Kind kind, const char* reason);
  void submit_trailers(H2Stream& stream);
  void resume(H2Stream& stream);
  void submit_reset(H2Stream& stream, std::uint32_t code);

  Role role;
  H2Visitor& visitor;
  H2Limits limits;
  std::unique_ptr<nghttp2_session, FreeWith<nghttp2_session_del>> session;
  H2Streams streams;
  PassedOver passed_over;  // server session
  H2Block block;
  FrameAllowance idle_frames;
  std::size_t continuations = 0;  // frames of the header block that is being received
  GoingAway going_away = GoingAway::no;
  std::optional<StreamId> peer_last_stream;  // of the peer's GOAWAY
  std::unique_ptr<Error> failure;            // of the connection, for ever
  ByteQueue control;
  ByteQueue* out = nullptr;  // during write_to()
  std::size_t high_mark = 0;

 private:
  // The trampolines. None may throw: the frames above are C.
  static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* header, void* self) noexcept;
  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* self) noexcept;
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t flags, void* self) noexcept;
  static int on_invalid_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                               std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                               std::uint8_t flags, void* self) noexcept;
  static int on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* self) noexcept;
  static int on_invalid_frame_recv(nghttp2_session*, const nghttp2_frame* frame, int error, void* self) noexcept;
  static int on_data_chunk_recv(nghttp2_session*, std::uint8_t flags, std::int32_t id, const std::uint8_t* data,
                                std::size_t size, void* self) noexcept;
  static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t code, void* self) noexcept;
  static int on_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* self) noexcept;
  static int on_frame_not_send(nghttp2_session*, const nghttp2_frame* frame, int error, void* self) noexcept;
  static ssize_t read_content(nghttp2_session*, std::int32_t id, std::uint8_t* buffer, std::size_t length,
                              std::uint32_t* flags, nghttp2_data_source* source, void* self) noexcept;
  static int send_data(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* header, std::size_t length,
                       nghttp2_data_source* source, void* self) noexcept;

  void head_received(const nghttp2_frame& frame);
  void request_received(H2Stream& stream, EndStream end);
  void response_received(H2Stream& stream, EndStream end);
  void data_received(const nghttp2_frame& frame);
  void settings_received(const nghttp2_frame& frame);
  void ping_received(const nghttp2_frame& frame);
  void goaway_received(const nghttp2_frame& frame);
  void end_received(H2Stream& stream);
  void head_sent(const nghttp2_frame& frame);
  void end_sent(H2Stream& stream);
  void goaway_sent(const nghttp2_frame& frame);
};

}  // namespace tollgate::http
