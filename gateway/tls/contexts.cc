#include "gateway/tls/contexts.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include "gateway/tls/attachment.h"

namespace tollgate::tls {
namespace {

constexpr std::size_t remembered_origins = 1000;
constexpr std::size_t remembered_sessions_each = 4;
// How long a verification may be leaned on: revocation and changes of trust must show within a day.
constexpr std::chrono::hours verification_holds{24};

// The ones every current peer has. X25519 first: it is the cheapest, and what phones send a key share for.
constexpr const char* groups = "X25519:P-256:P-384:P-521";
constexpr const char* tls13_suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
// Leaves are P-256, so towards clients only ECDSA suites can ever be chosen.
constexpr const char* client_facing_suites =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305";
// What phones still accept from old servers, in their order of preference, and nothing below SECLEVEL 2.
constexpr const char* origin_facing_suites =
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES:RSA+AESGCM:RSA+AES:!aNULL:!eNULL:!PSK:!SRP:!AESCCM@SECLEVEL=2";

tl::unexpected<Error> openssl_refused(std::string_view what) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return fail(Error::Kind::io, fmt::format("TLS: {}: {}", what, reason != nullptr ? reason : "out of memory"));
}

// What both directions share.
Result<ContextHandle> make_context(const SSL_METHOD* method, const char* tls12_suites) {
  ERR_clear_error();
  ContextHandle context(SSL_CTX_new(method));
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(context.get(), tls12_suites) != 1 ||
      SSL_CTX_set_ciphersuites(context.get(), tls13_suites) != 1 ||
      SSL_CTX_set1_groups_list(context.get(), groups) != 1) {
    return openssl_refused("a context cannot be made");
  }
  SSL_CTX_set_security_level(context.get(), 2);
  // The machine's openssl.cnf may have set others; these are all that we stand for.
  SSL_CTX_clear_options(context.get(), SSL_CTX_get_options(context.get()));
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
  // An idle session gives its two record buffers of 17 KiB back. AUTO_RETRY: a ticket or a KeyUpdate in front of data
  // is no reason to come back empty-handed.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
  return context;
}

Result<Bytes> alpn_wire_format(const std::vector<std::string>& protocols) {
  Bytes out;
  for (const auto& protocol : protocols) {
    if (protocol.empty() || protocol.size() > 255) {
      return fail(Error::Kind::malformed, "ALPN: a protocol's name has 1 to 255 bytes");
    }
    out.push_back(static_cast<std::uint8_t>(protocol.size()));
    out.insert(out.end(), protocol.begin(), protocol.end());
  }
  return out;
}

// --- towards origins ---

// What a client session knows of resumption.
struct Resumption {
  ResumptionCache* cache;
  WallClock clock;
  std::string key;
  WallTime usable_until;    // of the session that is offered
  WallTime verified_until;  // of the session that is offered, and once settled, of this one
  bool settled = false;     // the handshake has got to where either it verified or it resumed
};

WallTime end_of_validity(const X509* certificate) {
  std::tm time{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) != 1) return {};
  return WallTime(Seconds(timegm(&time)));
}

// Frees all but the first of a list that belongs to somebody else.
void keep_first(STACK_OF(X509) * certificates) {
  while (sk_X509_num(certificates) > 1) X509_free(sk_X509_pop(certificates));
}

// Notes how long the verification holds: a full one until the first certificate of the chain expires, a resumed one as
// long as it did. Then lets go of what only the verification needed and OpenSSL would keep as long as the connection,
// and with each remembered session: of an idle connection's 34 KB (three RSA-2048 certificates, 1.5 kB OCSP response),
// 11 KB.
void settle(SSL* ssl, Resumption& resumption) {
  if (resumption.settled) return;
  resumption.settled = true;
  if (SSL_session_reused(ssl) != 1) {
    const STACK_OF(X509)* chain = SSL_get0_verified_chain(ssl);
    resumption.verified_until = resumption.clock() + verification_holds;
    for (int i = 0; i < sk_X509_num(chain); ++i) {
      resumption.verified_until = std::min(resumption.verified_until, end_of_validity(sk_X509_value(chain, i)));
    }
  }
  keep_first(SSL_get0_verified_chain(ssl));
  keep_first(SSL_get_peer_cert_chain(ssl));
  SSL_set_tlsext_status_ocsp_resp(ssl, nullptr, 0);
}

void remember(SSL* ssl, const SSL_SESSION* session) {
  auto* resumption = Attachment<Resumption>::of(ssl);
  if (resumption == nullptr || SSL_get_verify_result(ssl) != X509_V_OK || SSL_SESSION_is_resumable(session) != 1)
    return;
  settle(ssl, *resumption);
  const WallTime now = resumption->clock();
  // RFC 8446 §4.6.1: a lifetime of 0 is a ticket to be discarded. TLS 1.2's 0 leaves the choice to us.
  const auto hint = Seconds(SSL_SESSION_get_ticket_lifetime_hint(session));
  if (hint == Seconds(0) && SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION) return;
  const Seconds lifetime = hint > Seconds(0) ? hint : Seconds(SSL_SESSION_get_timeout(session));
  WallTime usable_until = std::min(now + lifetime, resumption->verified_until);
  // A TLS 1.2 session that comes back is as old as it was, whether or not its ticket was renewed.
  if (SSL_session_reused(ssl) == 1 && SSL_version(ssl) == TLS1_2_VERSION) {
    usable_until = std::min(usable_until, resumption->usable_until);
  }
  // A copy: OpenSSL may yet change the connection's own, and that without a lock.
  SessionHandle copy(SSL_SESSION_dup(session));
  if (!copy || usable_until <= now) return;
  resumption->cache->store(resumption->key, {std::move(copy), usable_until, resumption->verified_until});
}

// Called for each TLS 1.3 ticket, and once after a full TLS 1.2 handshake. 0: the reference stays OpenSSL's.
int on_new_session(SSL* ssl, SSL_SESSION* session) noexcept {
  remember(ssl, session);
  return 0;
}

// While the chain is still there, how long it holds is noted for the tickets to come. And of a TLS 1.2 session that was
// resumed well nobody else tells us; it is stored again.
void on_client_progress(const SSL* reported, int where, int /*value*/) noexcept {
  auto* resumption = Attachment<Resumption>::of(reported);
  if ((where & SSL_CB_HANDSHAKE_DONE) == 0 || resumption == nullptr) return;
  SSL* ssl = const_cast<SSL*>(reported);  // OpenSSL's type for it; the object is not
  settle(ssl, *resumption);
  if (SSL_session_reused(ssl) == 1 && SSL_version(ssl) == TLS1_2_VERSION) remember(ssl, SSL_get_session(ssl));
}

// -1 suspends the handshake: only the app could have a certificate to show.
int on_certificate_request(SSL* /*ssl*/, X509** /*certificate*/, EVP_PKEY** /*key*/) noexcept { return -1; }

// Everything a resumed session takes on trust from the one before.
std::string resumption_key(const Host& host, std::uint16_t port, const Bytes& alpn) {
  return fmt::format("{}|{}|{}", host.uri_text(), port, as_text(alpn));
}

bool offer_earlier_session(SSL* ssl, ResumptionCache& cache, WallClock clock, std::string key) {
  auto earlier = cache.take(key, clock());
  auto resumption = std::make_unique<Resumption>(Resumption{&cache, clock, std::move(key), {}, {}});
  if (earlier) {
    if (SSL_set_session(ssl, earlier->session.get()) != 1) return false;
    resumption->usable_until = earlier->usable_until;
    resumption->verified_until = earlier->verified_until;
  }
  return Attachment<Resumption>::attach(ssl, std::move(resumption));
}

// --- towards clients ---

// What a server session answers.
struct Answer {
  std::string alpn;
};

int on_alpn_offered(SSL* ssl, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned offered_size, void* /*argument*/) noexcept {
  const auto* answer = Attachment<Answer>::of(ssl);
  if (answer == nullptr || answer->alpn.empty()) return SSL_TLSEXT_ERR_NOACK;
  ByteCursor names(ByteView(offered, offered_size));
  while (const auto name = names.vector8()) {
    if (as_text(*name) != answer->alpn) continue;
    *out = name->data();
    *out_size = static_cast<unsigned char>(name->size());
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

using SessionIdContext = std::array<std::uint8_t, SHA256_DIGEST_LENGTH>;
static_assert(SHA256_DIGEST_LENGTH <= SSL_MAX_SID_CTX_LENGTH);

SessionIdContext session_id_context(std::string_view device, std::string_view server_name) {
  const std::string both = fmt::format("{} {}{}", device.size(), device, server_name);  // no two pairs read the same
  SessionIdContext out{};
  SHA256(reinterpret_cast<const std::uint8_t*>(both.data()), both.size(), out.data());
  return out;
}

}  // namespace

Result<std::unique_ptr<ClientContext>> ClientContext::create(const std::shared_ptr<const certs::Trust>& trust,
                                                             WallClock clock) {
  auto context = make_context(TLS_client_method(), origin_facing_suites);
  if (!context) return fail(context);
  if (const auto installed = trust->install(context->get()); !installed) return fail(installed);
  SSL_CTX_set_client_cert_cb(context->get(), on_certificate_request);
  SSL_CTX_set_session_cache_mode(context->get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context->get(), on_new_session);
  SSL_CTX_set_info_callback(context->get(), on_client_progress);
  auto sessions = std::make_unique<ResumptionCache>(remembered_origins, remembered_sessions_each);
  return std::unique_ptr<ClientContext>(new ClientContext(std::move(*context), std::move(sessions), clock));
}

Result<SslHandle> ClientContext::new_session(const Host& host, std::uint16_t port,
                                             const std::vector<std::string>& alpn) const {
  const auto protocols = alpn_wire_format(alpn);
  if (!protocols) return fail(protocols);
  ERR_clear_error();
  SslHandle ssl(SSL_new(context_.get()));
  if (!ssl) return openssl_refused("a session cannot be made");
  SSL_set_connect_state(ssl.get());
  if (const auto expected = certs::Trust::expect(ssl.get(), host); !expected) return fail(expected);
  const bool named = host.name() == nullptr || SSL_set_tlsext_host_name(ssl.get(), host.name()->text().c_str()) == 1;
  // The exception among OpenSSL's functions: 0 is success.
  const bool offered = SSL_set_alpn_protos(ssl.get(), protocols->data(), static_cast<unsigned>(protocols->size())) == 0;
  if (!named || !offered ||
      !offer_earlier_session(ssl.get(), *sessions_, clock_, resumption_key(host, port, *protocols))) {
    return openssl_refused("a session cannot be made");
  }
  return ssl;
}

Result<std::unique_ptr<ServerContext>> ServerContext::create() {
  auto context = make_context(TLS_server_method(), client_facing_suites);
  if (!context) return fail(context);
  // Our order, with the cheapest first, except for phones that put ChaCha20 first because they have no AES unit.
  SSL_CTX_set_options(context->get(), SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_session_cache_mode(context->get(), SSL_SESS_CACHE_OFF);  // tickets are stateless and need none
  SSL_CTX_set_max_early_data(context->get(), 0);
  SSL_CTX_set_num_tickets(context->get(), 1);
  SSL_CTX_set_alpn_select_cb(context->get(), on_alpn_offered, nullptr);
  return std::unique_ptr<ServerContext>(new ServerContext(std::move(*context)));
}

Result<SslHandle> ServerContext::new_session(const certs::Leaf& leaf, std::string_view alpn, std::string_view device,
                                             std::string_view server_name) const {
  ERR_clear_error();
  SslHandle ssl(SSL_new(context_.get()));
  if (!ssl) return openssl_refused("a session cannot be made");
  SSL_set_accept_state(ssl.get());
  const auto tickets_for = session_id_context(device, server_name);
  if (SSL_use_cert_and_key(ssl.get(), leaf.certificate.get(), leaf.key.get(), nullptr, 1) != 1 ||
      SSL_set_session_id_context(ssl.get(), tickets_for.data(), static_cast<unsigned>(tickets_for.size())) != 1 ||
      !Attachment<Answer>::attach(ssl.get(), std::make_unique<Answer>(Answer{std::string(alpn)}))) {
    return openssl_refused("a session cannot be made");
  }
  return ssl;
}

}  // namespace tollgate::tls
