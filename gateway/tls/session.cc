#include "gateway/tls/session.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "certs/trust.h"
#include "gateway/base/unreachable.h"

namespace tollgate::tls {
namespace {

using BioMethodHandle = std::unique_ptr<BIO_METHOD, FreeWith<BIO_meth_free>>;

// Alerts by which a peer says that it does not believe a certificate (RFC 8446 §6.2).
bool is_about_certificate(std::uint8_t alert) {
  return (alert >= SSL_AD_BAD_CERTIFICATE && alert <= SSL_AD_CERTIFICATE_UNKNOWN) || alert == SSL_AD_UNKNOWN_CA;
}

std::string_view reason_text(unsigned long error) {
  const char* text = ERR_reason_error_string(error);
  return text != nullptr ? text : "it made no sense";
}

}  // namespace

// --- OpenSSL's side of the buffers: a BIO that never fails, and never shows the transport's end. OpenSSL would take
// the end for an error that spoils both directions; we tell truncation apart, and writing goes on. ---

struct Session::Transport {
  static Session& session(BIO* bio) { return *static_cast<Session*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* out, std::size_t size, std::size_t* count) noexcept {
    BIO_clear_retry_flags(bio);
    *count = session(bio).take_ciphertext({reinterpret_cast<std::uint8_t*>(out), size});
    if (*count > 0) return 1;
    BIO_set_retry_read(bio);
    return -1;
  }

  static int write(BIO* bio, const char* data, std::size_t size, std::size_t* count) noexcept {
    session(bio).outgoing_.append(std::string_view(data, size));
    *count = size;
    return 1;
  }

  static long control(BIO* /*bio*/, int command, long /*number*/, void* /*argument*/) noexcept {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static const BIO_METHOD* method() {
    static const BioMethodHandle made = [] {
      BioMethodHandle handle(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tollgate buffers"));
      BIO_meth_set_read_ex(handle.get(), read);
      BIO_meth_set_write_ex(handle.get(), write);
      BIO_meth_set_ctrl(handle.get(), control);
      return handle;
    }();
    return made.get();
  }
};

Session::Session(SslHandle ssl) : ssl_(std::move(ssl)) {
  BIO* bio = BIO_new(Transport::method());
  BIO_set_data(bio, this);
  SSL_set_bio(ssl_.get(), bio, bio);  // one for both directions; the SSL owns it
}

Session::~Session() = default;

void Session::receive(ByteView ciphertext) {
  const bool listening = !failure_ && (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) == 0;
  if (listening) incoming_.append(ciphertext);
}

void Session::receive_end() { ended_ = true; }

std::size_t Session::take_ciphertext(std::span<std::uint8_t> out) {
  const ByteView source = incoming_.empty() ? lent_ : incoming_.view();
  const std::size_t count = std::min(out.size(), source.size());
  std::copy_n(source.begin(), count, out.begin());
  if (incoming_.empty()) {
    lent_ = lent_.subspan(count);
  } else {
    incoming_.consume(count);
  }
  return count;
}

Result<Progress> Session::handshake() {
  if (!failure_ && !handshake_done_) {
    ERR_clear_error();  // the queue is the thread's: another session may have left something there
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) {
      handshake_done_ = true;
    } else {
      const int error = SSL_get_error(ssl_.get(), result);
      if (error == SSL_ERROR_WANT_X509_LOOKUP) return Progress::wants_client_certificate;
      if (error == SSL_ERROR_WANT_READ && !ended_) return Progress::want_bytes;
      fail_with(error);
    }
  }
  if (!failure_) return Progress::done;
  switch (failure_->cause) {
    case Failure::Cause::certificate:
    case Failure::Cause::peer_alert: return fail(Error::Kind::refused, failure_->what);
    case Failure::Cause::protocol: return fail(Error::Kind::malformed, failure_->what);
    case Failure::Cause::truncated: return fail(Error::Kind::io, failure_->what);
  }
  unreachable_state();
}

ReadOutcome Session::read(std::span<std::uint8_t> out) {
  assert(handshake_done_ && !out.empty());
  if (failure_) return {ReadOutcome::State::failed};
  std::size_t count = 0;
  while (count < out.size()) {
    std::size_t taken = 0;
    ERR_clear_error();
    const int result = SSL_read_ex(ssl_.get(), out.data() + count, out.size() - count, &taken);
    if (result != 1) {
      // What was read comes first; OpenSSL says the same again next time, and failure_ stays.
      const ReadOutcome outcome = read_outcome(SSL_get_error(ssl_.get(), result));
      return count > 0 ? ReadOutcome{ReadOutcome::State::data, count} : outcome;
    }
    count += taken;
  }
  return {ReadOutcome::State::data, count};
}

ReadOutcome Session::read_outcome(int ssl_error) {
  if (ssl_error == SSL_ERROR_WANT_READ) {
    return {ended_ ? ReadOutcome::State::truncated : ReadOutcome::State::want_bytes};
  }
  incoming_.clear();
  if (ssl_error == SSL_ERROR_ZERO_RETURN) return {ReadOutcome::State::close_notify};
  fail_with(ssl_error);
  return {ReadOutcome::State::failed};
}

ReadOutcome Session::read_from(ByteView& ciphertext, std::span<std::uint8_t> out) {
  lent_ = ciphertext;
  const ReadOutcome outcome = read(out);
  const ByteView rest = std::exchange(lent_, {});
  ciphertext = outcome.state == ReadOutcome::State::data ? rest : ByteView();
  return outcome;
}

Status Session::write(ByteView plaintext) {
  if (failure_) return fail(Error::Kind::io, failure_->what);
  if (!handshake_done_) return fail(Error::Kind::io, "written before the TLS handshake was done");
  if ((SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) {
    return fail(Error::Kind::io, "written after close_notify");
  }
  if (plaintext.empty()) return {};
  std::size_t written = 0;
  ERR_clear_error();
  const int result = SSL_write_ex(ssl_.get(), plaintext.data(), plaintext.size(), &written);
  if (result == 1) return {};  // all of it: outgoing_ takes what it is given
  fail_with(SSL_get_error(ssl_.get(), result));
  return fail(Error::Kind::io, failure_->what);
}

void Session::shutdown() {
  if (!handshake_done_ || failure_ || (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());  // sends; waiting for the peer's is read()'s
}

std::size_t Session::unread() const { return incoming_.size() + static_cast<std::size_t>(SSL_pending(ssl_.get())); }

void Session::fail_with(int ssl_error) {
  // The last error in the queue is TLS's; those before it are the details of libraries below.
  failure_ = ssl_error == SSL_ERROR_WANT_READ ? ended_early() : describe(ERR_peek_last_error());
  ERR_clear_error();
}

std::string_view Session::peer() const { return SSL_is_server(ssl_.get()) == 1 ? "app" : "server"; }

Failure Session::ended_early() const {
  return {Failure::Cause::truncated, 0,
          fmt::format("the {} closed the connection before the TLS handshake was done", peer())};
}

Failure Session::describe(unsigned long error) const {
  if (const auto* refused = certs::certificate_failure(ssl_.get())) {
    return {Failure::Cause::certificate, 0, refused->sentence};
  }
  const int reason = ERR_GET_REASON(error);
  if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
    const auto alert = static_cast<std::uint8_t>(reason - SSL_AD_REASON_OFFSET);
    return {Failure::Cause::peer_alert, alert,
            fmt::format("the {} {}: it sent the alert \"{}\" ({})", peer(),
                        is_about_certificate(alert) ? "does not trust the certificate it was shown" : "gave up",
                        SSL_alert_desc_string_long(alert), alert)};
  }
  return {Failure::Cause::protocol, 0, fmt::format("the {}'s TLS cannot be used: {}", peer(), reason_text(error))};
}

std::string Session::version() const { return SSL_get_version(ssl_.get()); }

std::string Session::alpn() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return std::string(as_text({name, size}));
}

bool Session::resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

}  // namespace tollgate::tls
