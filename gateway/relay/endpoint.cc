#include "gateway/relay/endpoint.h"

#include <utility>

namespace tollgate::relay {
namespace {
// Writes of this size are encrypted where they are; smaller ones of a turn share records, which costs a copy and saves
// an AEAD operation and a record header each.
constexpr std::size_t encrypt_at_once = 8 * kibibyte;
}  // namespace

Endpoint::Endpoint(net::Loop& loop, Descriptor socket, EndpointHandler& handler)
    : loop_(loop), handler_(&handler), stream_(loop, std::move(socket), *this) {}

Endpoint::~Endpoint() = default;

void Endpoint::start() {
  started_ = true;
  if (!paused_) stream_.read_on();
}

void Endpoint::start_tls(std::unique_ptr<tls::Session> session, ByteView received) {
  tls_ = std::move(session);
  handshaking_ = true;
  if (!received.empty()) tls_->receive(received);
  handshake();
}

void Endpoint::handshake() {
  auto progress = tls_->handshake();
  stream_.out().append(std::move(tls_->outgoing()));
  stream_.send();
  if (!progress || *progress != tls::Progress::want_bytes) handshaking_ = false;
  const bool done = progress && *progress == tls::Progress::done;
  handler_->on_handshake(*this, std::move(progress));
  if (done && !ended_) offer_again();
}

void Endpoint::on_bytes(ByteView bytes) {
  if (!tls_) {
    offer(bytes);
    return;
  }
  if (handshaking_) {
    tls_->receive(bytes);
    handshake();
  } else if (tls_->handshake_done()) {
    pump_tls(bytes);
  }  // else it has failed: what a peer still says has no meaning
}

void Endpoint::on_end() {
  if (!tls_) {
    fin_seen_ = true;
    if (!paused_) tell_end(EndKind::clean);
    return;
  }
  tls_->receive_end();
  if (handshaking_) {
    handshake();
  } else if (tls_->handshake_done()) {
    pump_tls({});
  } else {
    tell_end(EndKind::truncated);
  }
}

void Endpoint::on_failed(int error) {
  error_ = error;
  finished_ = dead_ = true;
  tell_end(EndKind::reset);
}

void Endpoint::on_drained() { handler_->on_drained(*this); }

void Endpoint::on_finished() { handler_->on_finished(*this); }

void Endpoint::tell_end(EndKind how) {
  if (std::exchange(ended_, true)) return;
  end_kind_ = how;
  handler_->on_ended(*this, how);
}

void Endpoint::hand_over(EndpointHandler& handler) {
  handler_ = &handler;
  end_unheard_ = ended_;
  offer_again();
}

void Endpoint::offer(ByteView bytes) {
  if (!inbox_.empty() || paused_) {
    inbox_.append(bytes);
    if (paused_) return;
    inbox_.consume(handler_->on_plaintext(*this, inbox_.view()));
  } else {
    const std::size_t taken = handler_->on_plaintext(*this, bytes);
    inbox_.append(bytes.subspan(taken));
  }
  if (inbox_.size() > inbox_limit) stream_.read_off();
}

// `ciphertext` is what has just been read; what is not decrypted now is kept by the session.
void Endpoint::pump_tls(ByteView ciphertext) {
  const std::span<std::uint8_t> scratch = loop_.plain_scratch();
  while (!paused_ && !ended_ && !handshaking_ && inbox_.size() <= inbox_limit) {
    const tls::ReadOutcome outcome = tls_->read_from(ciphertext, scratch);
    using State = tls::ReadOutcome::State;
    if (outcome.state == State::data) {
      offer(scratch.first(outcome.count));
      continue;
    }
    // Reading may have answered something by itself: an alert, a key update.
    if (!tls_->outgoing().empty()) encrypt();
    if (outcome.state == State::want_bytes) return;
    if (outcome.state == State::close_notify) tell_end(EndKind::clean);
    if (outcome.state == State::truncated) tell_end(EndKind::truncated);
    if (outcome.state == State::failed) tell_end(EndKind::reset);
    return;
  }
  if (!ciphertext.empty()) tls_->receive(ciphertext);
}

void Endpoint::write(ByteView plaintext) {
  if (finished_) return;
  if (!tls_) {
    stream_.out().append(plaintext);
    stream_.send();
    return;
  }
  if (plain_out_.empty() && plaintext.size() >= encrypt_at_once) {
    (void)tls_->write(plaintext);
    encrypt();
    return;
  }
  plain_out_.append(plaintext);
  if (plain_out_.size() >= encrypt_at_once) {
    encrypt();
  } else {
    loop_.mark(*this, net::TurnStage::pump);
  }
}

void Endpoint::encrypt() {
  if (!plain_out_.empty()) {
    // A session that has failed cannot write; its end is told by the reading side.
    (void)tls_->write(plain_out_.view());
    plain_out_.clear();
  }
  if (tls_->outgoing().empty()) return;
  stream_.out().append(std::move(tls_->outgoing()));
  stream_.send();
}

void Endpoint::pause() {
  paused_ = true;
  stream_.read_off();
}

void Endpoint::resume() {
  if (!std::exchange(paused_, false)) return;
  offer_again();
}

void Endpoint::offer_again() {
  offer_wanted_ = true;
  loop_.mark(*this, net::TurnStage::pump);
}

void Endpoint::on_turn_end() {
  if (tls_ && !finished_) encrypt();
  if (!std::exchange(offer_wanted_, false) || paused_) return;
  if (!inbox_.empty()) inbox_.consume(handler_->on_plaintext(*this, inbox_.view()));
  if (std::exchange(end_unheard_, false) && !dead_) handler_->on_ended(*this, end_kind_);
  if (ended_) return;
  if (tls_ && tls_->handshake_done()) pump_tls({});
  if (paused_ || ended_) return;
  if (fin_seen_ && !tls_) {
    tell_end(EndKind::clean);
    return;
  }
  if (started_ && inbox_.size() <= inbox_limit) stream_.read_on();
}

void Endpoint::finish(EndKind how) {
  if (how == EndKind::reset) {
    finished_ = ended_ = dead_ = true;
    stream_.reset();
    return;
  }
  if (finished_) return;
  if (tls_) {
    encrypt();
    if (how == EndKind::clean) {
      tls_->shutdown();
      encrypt();
    }
  }
  finished_ = true;
  stream_.finish();
}

}  // namespace tollgate::relay
