#include "gateway/http/h2_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <limits>
#include <new>
#include <utility>

#include "gateway/http/h2_state.h"

namespace tollgate::http {

namespace {

// Control frames that receive() has written and the peer has not read.
constexpr std::size_t most_control_bytes = std::size_t{64} * 1024;

// SETTINGS and PING acknowledgements that the peer has not read. Past this it is not reading at all.
constexpr std::size_t most_unread_acks = 1000;
// on_begin_frame limits CONTINUATION frames. nghttp2 1.52 counts a frame once for each piece in which its header comes,
// so that its answer would depend on how the network cuts: its limit (8) only has to be out of the way.
constexpr std::size_t most_continuation_pieces = 1000;

using Options = std::unique_ptr<nghttp2_option, FreeWith<nghttp2_option_del>>;

Options options_for(const H2Limits& limits) {
  nghttp2_option* made = nullptr;
  if (nghttp2_option_new(&made) != 0) throw std::bad_alloc();
  nghttp2_option_set_no_auto_window_update(made, 1);
  nghttp2_option_set_no_closed_streams(made, 1);
  nghttp2_option_set_max_outbound_ack(made, most_unread_acks);
  nghttp2_option_set_max_continuations(made, most_continuation_pieces);
  // Ours counts resets too, with a clock that is an input, and says why it ends a connection: out of its way.
  constexpr std::uint64_t never = std::numeric_limits<std::uint32_t>::max();
  nghttp2_option_set_stream_reset_rate_limit(made, never, never);
  // A head that one side may send must fit on the other.
  nghttp2_option_set_max_send_header_block_length(made, std::max(64U * 1024, 2 * limits.max_header_list));
  return Options(made);
}

}  // namespace

H2Session::State::State(Role its_role, H2Visitor& its_visitor, const H2Limits& its_limits)
    : role(its_role),
      visitor(its_visitor),
      limits(its_limits),
      idle_frames(its_limits.idle_frames_burst, its_limits.idle_frames_rate, its_limits.now()) {
  nghttp2_session* made = nullptr;
  const Options options = options_for(limits);
  const int failed = role == Role::server ? nghttp2_session_server_new2(&made, callbacks(), this, options.get())
                                          : nghttp2_session_client_new2(&made, callbacks(), this, options.get());
  if (failed != 0) throw std::bad_alloc();
  session.reset(made);
  const nghttp2_settings_entry for_role =
      role == Role::server
          ? nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.max_concurrent_streams}
          : nghttp2_settings_entry{NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
  const std::array<nghttp2_settings_entry, 3> settings{
      for_role,
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.stream_window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits.max_header_list},
  };
  nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(made, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<std::int32_t>(limits.connection_window));
}

void H2Session::State::write_control() {
  while (control.size() < most_control_bytes && nghttp2_session_get_outbound_queue_size(session.get()) > 0) {
    const std::uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session.get(), &data);
    if (size <= 0) return;
    control.append(ByteView(data, static_cast<std::size_t>(size)));
  }
}

void H2Session::State::idle_frame(const char* kind) {
  if (failure || idle_frames.take(limits.now())) return;
  fail_connection(NGHTTP2_ENHANCE_YOUR_CALM, Error::Kind::refused, kind);
}

void H2Session::State::fail_connection(std::uint32_t code, Error::Kind kind, const char* reason) {
  if (failure) return;
  const std::string_view verb = kind == Error::Kind::refused ? "the peer floods us: " : "";
  failure = std::make_unique<Error>(
      Error{kind, fmt::format("HTTP/2 connection error {}: {}{}", h2_error_name(code), verb, reason)});
  nghttp2_session_terminate_session(session.get(), code);
}

void H2Session::State::submit_trailers(H2Stream& stream) {
  assert(stream.trailers);
  const H2Lines lines(*stream.trailers);
  stream.sending = Sending::handed_over;
  nghttp2_submit_trailer(session.get(), stream.id, lines.data(), lines.size());
  stream.trailers.reset();
}

void H2Session::State::resume(H2Stream& stream) {
  if (!stream.deferred) return;
  stream.deferred = false;
  nghttp2_session_resume_data(session.get(), stream.id);
}

void H2Session::State::submit_reset(H2Stream& stream, std::uint32_t code) {
  if (stream.reset_code) return;
  stream.reset_code = code;
  stream.outbound.clear();
  stream.trailers.reset();
  nghttp2_submit_rst_stream(session.get(), NGHTTP2_FLAG_NONE, stream.id, code);
}

H2Session::H2Session(Role role, H2Visitor& visitor, const H2Limits& limits)
    : state_(std::make_unique<State>(role, visitor, limits)) {}

H2Session::~H2Session() = default;

Status H2Session::receive(ByteView bytes) {
  State& state = *state_;
  if (state.failure) return tl::unexpected<Error>(*state.failure);
  nghttp2_session* session = state.session.get();
  const std::size_t queued = nghttp2_session_get_outbound_queue_size(session);
  const ssize_t taken = nghttp2_session_mem_recv(session, bytes.data(), bytes.size());
  // nghttp2 queues a GOAWAY for what it finds wrong, except for these.
  switch (taken) {
    case NGHTTP2_ERR_FLOODED:
      state.fail_connection(NGHTTP2_ENHANCE_YOUR_CALM, Error::Kind::refused, "answers to SETTINGS or PING left unread");
      break;
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
      state.fail_connection(NGHTTP2_PROTOCOL_ERROR, Error::Kind::malformed, "no client connection preface");
      break;
    default:
      if (taken < 0) {
        state.fail_connection(NGHTTP2_INTERNAL_ERROR, Error::Kind::io, nghttp2_strerror(static_cast<int>(taken)));
      }
  }
  if (nghttp2_session_get_outbound_queue_size(session) > queued) state.write_control();
  if (state.failure) return tl::unexpected<Error>(*state.failure);
  return {};
}

void H2Session::write_to(ByteQueue& out, std::size_t high_mark) {
  State& state = *state_;
  if (!state.control.empty() && out.size() < high_mark) {
    const std::size_t size = std::min(state.control.size(), high_mark - out.size());
    out.append(state.control.view().first(size));
    state.control.consume(size);
  }
  state.out = &out;
  state.high_mark = high_mark;
  while (out.size() < high_mark) {
    const std::uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(state.session.get(), &data);
    if (size < 0) {
      state.fail_connection(NGHTTP2_INTERNAL_ERROR, Error::Kind::io, nghttp2_strerror(static_cast<int>(size)));
    }
    if (size <= 0) break;
    out.append(ByteView(data, static_cast<std::size_t>(size)));
  }
  state.out = nullptr;
}

bool H2Session::alive() const { return wants_write() || nghttp2_session_want_read(state_->session.get()) != 0; }

bool H2Session::wants_write() const {
  return !state_->control.empty() || nghttp2_session_want_write(state_->session.get()) != 0;
}

Result<StreamId> H2Session::submit_request(const RequestHead& head, EndStream end) {
  State& state = *state_;
  assert(state.role == Role::client);
  if (state.failure || state.going_away != GoingAway::no ||
      nghttp2_session_check_request_allowed(state.session.get()) == 0) {
    return fail(Error::Kind::refused, "the HTTP/2 connection takes no new streams");
  }
  const H2Lines lines(head);
  const StreamId id = nghttp2_submit_request(state.session.get(), nullptr, lines.data(), lines.size(),
                                             end == EndStream::yes ? nullptr : State::content(), nullptr);
  if (id < 0) return fail(Error::Kind::refused, nghttp2_strerror(id));
  H2Stream& stream = state.streams.open(id);
  stream.announced = true;
  if (end == EndStream::yes) stream.sending = Sending::handed_over;
  return id;
}

void H2Session::submit_informational(StreamId stream, const ResponseHead& head) {
  if (state_->streams.find(stream) == nullptr) return;
  const H2Lines lines(head);
  nghttp2_submit_headers(state_->session.get(), NGHTTP2_FLAG_NONE, stream, nullptr, lines.data(), lines.size(),
                         nullptr);
}

void H2Session::submit_response(StreamId stream, const ResponseHead& head, EndStream end) {
  H2Stream* found = state_->streams.find(stream);
  if (found == nullptr || found->reset_code) return;
  const H2Lines lines(head);
  if (end == EndStream::yes) found->sending = Sending::handed_over;
  nghttp2_submit_response(state_->session.get(), stream, lines.data(), lines.size(),
                          end == EndStream::yes ? nullptr : State::content());
}

void H2Session::send_data(StreamId stream, ByteView data, EndStream end) {
  H2Stream* found = state_->streams.find(stream);
  if (found == nullptr || found->reset_code || found->sending != Sending::open) return;
  found->outbound.append(data);
  if (end == EndStream::yes) {
    found->sending = Sending::ends_with_data;
  } else if (data.empty()) {
    ++found->empty_frames;
  }
  state_->resume(*found);
}

void H2Session::send_trailers(StreamId stream, const Fields& trailers) {
  H2Stream* found = state_->streams.find(stream);
  if (found == nullptr || found->reset_code || found->sending != Sending::open) return;
  found->trailers = std::make_unique<Fields>(trailers);
  found->sending = Sending::ends_with_trailers;
  // With content before them they go when its last byte does. Without, they need no empty DATA frame to follow.
  if (found->opened && found->outbound.empty() && found->empty_frames == 0) state_->submit_trailers(*found);
}

void H2Session::reset(StreamId stream, std::uint32_t code) {
  H2Stream* found = state_->streams.find(stream);
  if (found == nullptr) return;
  const bool ending = found->sending != Sending::open && found->sending != Sending::ended;
  if (code == NGHTTP2_NO_ERROR && ending) {
    found->reset_when_ended = true;
  } else {
    state_->submit_reset(*found, code);
  }
}

void H2Session::consume(StreamId stream, std::size_t count) {
  H2Stream* found = state_->streams.find(stream);
  if (found == nullptr) return;
  count = std::min(count, found->unconsumed);
  found->unconsumed -= count;
  if (found->peer_ended) {
    nghttp2_session_consume_connection(state_->session.get(), count);  // the stream needs no window any more
  } else {
    nghttp2_session_consume(state_->session.get(), stream, count);
  }
}

void H2Session::go_away(std::uint32_t code) {
  State& state = *state_;
  if (state.failure) return;
  nghttp2_session* session = state.session.get();
  if (code != NGHTTP2_NO_ERROR) {
    state.going_away = GoingAway::ended;
    nghttp2_session_terminate_session(session, code);
  } else if (state.going_away == GoingAway::no && state.role == Role::server) {
    state.going_away = GoingAway::notice_queued;
    nghttp2_submit_shutdown_notice(session);
  } else if (state.going_away == GoingAway::no) {
    state.going_away = GoingAway::last_named;
    nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session), code, nullptr,
                          0);
  }
}

void H2Session::ping() { nghttp2_submit_ping(state_->session.get(), NGHTTP2_FLAG_NONE, nullptr); }

std::size_t H2Session::queued(StreamId stream) const {
  const H2Stream* found = state_->streams.find(stream);
  return found != nullptr ? found->outbound.size() : 0;
}

std::size_t H2Session::streams() const { return state_->streams.size(); }

bool H2Session::peer_enables_connect_protocol() const {
  return nghttp2_session_get_remote_settings(state_->session.get(), NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

void H2Session::enable_connect_protocol() {
  const nghttp2_settings_entry setting{NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1};
  nghttp2_submit_settings(state_->session.get(), NGHTTP2_FLAG_NONE, &setting, 1);
}

std::string h2_error_name(std::uint32_t code) {
  if (code <= NGHTTP2_HTTP_1_1_REQUIRED) return nghttp2_http2_strerror(code);
  return fmt::format("{:#x}", code);
}

}  // namespace tollgate::http
