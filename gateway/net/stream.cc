#include "gateway/net/stream.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "gateway/net/socket.h"

namespace tollgate::net {

Stream::Stream(Loop& loop, Descriptor socket, StreamHandler& handler)
    : loop_(loop),
      handler_(handler),
      socket_(std::move(socket)),
      readable_(loop, socket_.get(), Watch::For::reading, [this] { on_readable(); }),
      writable_(loop, socket_.get(), Watch::For::writing, [this] { send(); }) {}

Stream::~Stream() = default;

void Stream::read_on() {
  if (!dead_ && !ended_) readable_.enable();
}

void Stream::read_off() { readable_.disable(); }

void Stream::send() {
  if (!dead_) loop_.mark(*this, TurnStage::flush);
}

void Stream::finish() {
  if (std::exchange(fin_wanted_, true)) return;
  send();
}

void Stream::reset() {
  if (std::exchange(dead_, true)) return;
  readable_.disable();
  writable_.disable();
  out_.clear();
  reset_and_close(std::move(socket_));
}

void Stream::fail_with(int error) {
  if (std::exchange(dead_, true)) return;
  readable_.disable();
  writable_.disable();
  out_.clear();
  handler_.on_failed(error);
}

void Stream::on_readable() {
  const std::span<std::uint8_t> scratch = loop_.scratch();
  const ssize_t count = ::recv(socket_.get(), scratch.data(), scratch.size(), 0);
  if (count > 0) {
    bytes_in_ += static_cast<ByteCount>(count);
    handler_.on_bytes(scratch.first(static_cast<std::size_t>(count)));
  } else if (count == 0) {
    ended_ = true;
    readable_.disable();
    handler_.on_end();
  } else if (errno != EAGAIN && errno != EINTR) {
    fail_with(errno);
  }
}

bool Stream::write_some() {
  while (!out_.empty()) {
    const ByteView view = out_.view();
    const ssize_t count = ::send(socket_.get(), view.data(), view.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) {
      writable_.enable();
      return true;
    }
    if (count < 0) {
      fail_with(errno);
      return false;
    }
    bytes_out_ += static_cast<ByteCount>(count);
    out_.consume(static_cast<std::size_t>(count));
  }
  writable_.disable();
  return true;
}

void Stream::on_turn_end() {
  if (dead_) return;
  was_high_ = was_high_ || above_high_mark();
  if (!write_some()) return;
  if (out_.empty() && fin_wanted_ && !fin_sent_) {
    fin_sent_ = true;
    ::shutdown(socket_.get(), SHUT_WR);
    handler_.on_finished();
    return;
  }
  if (was_high_ && out_.size() <= stream_low_mark) {
    was_high_ = false;
    handler_.on_drained();
  }
}

}  // namespace tollgate::net
