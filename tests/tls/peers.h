// Two TLS sides in memory, and what carries bytes between them.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/tls/contexts.h"
#include "gateway/tls/session.h"
#include "tests/tls/pki.h"

namespace tollgate::tls::test {

// An origin as origins are: any OpenSSL server. `set_up` may change anything.
struct Origin {
  explicit Origin(const Credentials& credentials, const std::vector<const Credentials*>& intermediates = {})
      : context(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX_set_security_level(context.get(), 0);
    SSL_CTX_use_certificate(context.get(), credentials.certificate.get());
    SSL_CTX_use_PrivateKey(context.get(), credentials.key.get());
    for (const auto* intermediate : intermediates)
      SSL_CTX_add1_chain_cert(context.get(), intermediate->certificate.get());
    SSL_CTX_set_session_id_context(context.get(), as_bytes("origin").data(), 6);
    SSL_CTX_set_alpn_select_cb(context.get(), select_alpn, this);
    SSL_CTX_set_options(context.get(), SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
  }
  Origin(const Origin&) = delete;
  Origin& operator=(const Origin&) = delete;

  Origin& versions(int lowest, int highest) {
    SSL_CTX_set_min_proto_version(context.get(), lowest);
    SSL_CTX_set_max_proto_version(context.get(), highest);
    return *this;
  }
  // Staples it where the client asks for it.
  Origin& staple(Bytes response) {
    stapled = std::move(response);
    SSL_CTX_set_tlsext_status_cb(context.get(), answer_status);
    SSL_CTX_set_tlsext_status_arg(context.get(), this);
    return *this;
  }
  SslHandle new_session() const {
    SslHandle ssl(SSL_new(context.get()));
    SSL_set_accept_state(ssl.get());
    return ssl;
  }

  static int select_alpn(SSL* /*ssl*/, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                         unsigned offered_size, void* origin) {
    const auto& wanted = static_cast<Origin*>(origin)->alpn;
    ByteCursor names(ByteView(offered, offered_size));
    while (const auto name = names.vector8()) {
      if (as_text(*name) != wanted) continue;
      *out = name->data();
      *out_size = static_cast<unsigned char>(name->size());
      return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
  }
  static int answer_status(SSL* ssl, void* origin) {
    const auto& response = static_cast<Origin*>(origin)->stapled;
    auto* copy = static_cast<unsigned char*>(OPENSSL_memdup(response.data(), response.size()));
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(response.size()));
    return SSL_TLSEXT_ERR_OK;
  }

  ContextHandle context;
  std::string alpn;
  Bytes stapled;
};

// An app on a phone: any OpenSSL client, which believes what `trust` believes.
struct App {
  explicit App(X509_STORE* store = nullptr) : context(SSL_CTX_new(TLS_client_method())) {
    if (store == nullptr) return;
    SSL_CTX_set1_verify_cert_store(context.get(), store);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  }
  SslHandle new_session(std::string_view name, const std::vector<std::string>& alpn = {},
                        SSL_SESSION* earlier = nullptr) const {
    SslHandle ssl(SSL_new(context.get()));
    SSL_set_connect_state(ssl.get());
    SSL_set_tlsext_host_name(ssl.get(), std::string(name).c_str());
    Bytes protocols;
    for (const auto& protocol : alpn) {
      protocols.push_back(static_cast<std::uint8_t>(protocol.size()));
      protocols.insert(protocols.end(), protocol.begin(), protocol.end());
    }
    SSL_set_alpn_protos(ssl.get(), protocols.data(), static_cast<unsigned>(protocols.size()));
    if (earlier != nullptr) SSL_set_session(ssl.get(), earlier);
    return ssl;
  }
  ContextHandle context;
};

// What `from` has to say goes to `to`.
inline void carry(Session& from, Session& to) { to.receive(from.outgoing().take()); }

struct Handshake {
  Result<Progress> client = Progress::want_bytes;
  Result<Progress> server = Progress::want_bytes;
  bool done() const { return client && server && *client == Progress::done && *server == Progress::done; }
};

// Drives both sides until nothing moves any more.
inline Handshake shake_hands(Session& client, Session& server) {
  Handshake handshake;
  for (int flight = 0; flight < 10; ++flight) {
    handshake.client = client.handshake();
    carry(client, server);
    handshake.server = server.handshake();
    carry(server, client);
  }
  return handshake;
}

// Reads all there is; the state that ended it is the second.
struct Heard {
  std::string text;
  ReadOutcome::State state;
};
inline Heard listen(Session& session) {
  Heard heard{};
  std::array<std::uint8_t, 5000> buffer{};
  while (true) {
    const auto outcome = session.read(buffer);
    heard.state = outcome.state;
    if (outcome.state != ReadOutcome::State::data) return heard;
    heard.text += as_text(ByteView(buffer).first(outcome.count));
  }
}

}  // namespace tollgate::tls::test
