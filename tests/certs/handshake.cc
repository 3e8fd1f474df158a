#include "tests/certs/handshake.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "certs/handles.h"
#include "gateway/base/free_with.h"

namespace tollgate::certs::test {
namespace {

using ContextHandle = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using SslHandle = std::unique_ptr<SSL, FreeWith<SSL_free>>;

void must(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("cannot set up the handshake: ") + what);
}

int give_staple(SSL* ssl, void* argument) {
  const auto& staple = *static_cast<const Bytes*>(argument);
  if (staple.empty()) return SSL_TLSEXT_ERR_NOACK;
  void* copy = OPENSSL_memdup(staple.data(), staple.size());  // OpenSSL frees it
  SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(staple.size()));
  return SSL_TLSEXT_ERR_OK;
}

ContextHandle origin_context(const Specimen& specimen) {
  ContextHandle context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX_set_security_level(context.get(), 0);
  must(SSL_CTX_use_certificate(context.get(), specimen.leaf.certificate.get()) == 1, "certificate");
  must(SSL_CTX_use_PrivateKey(context.get(), specimen.leaf.key.get()) == 1, "key");
  for (const SharedX509& certificate : specimen.chain) {
    must(SSL_CTX_add1_chain_cert(context.get(), certificate.get()) == 1, "chain");
  }
  SSL_CTX_set_mode(context.get(), SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_tlsext_status_cb(context.get(), give_staple);
  SSL_CTX_set_tlsext_status_arg(context.get(), const_cast<Bytes*>(&specimen.staple));
  return context;
}

}  // namespace

Outcome shake_hands(const Trust& trust, const Specimen& specimen, int version, Expecting expecting) {
  const ContextHandle origin_side = origin_context(specimen);
  const ContextHandle client_side(SSL_CTX_new(TLS_client_method()));
  must(SSL_CTX_set_min_proto_version(client_side.get(), version) == 1, "version");
  must(SSL_CTX_set_max_proto_version(client_side.get(), version) == 1, "version");
  must(trust.install(client_side.get()).has_value(), "install");
  const SslHandle origin(SSL_new(origin_side.get()));
  const SslHandle client(SSL_new(client_side.get()));
  BIO* origin_end = nullptr;
  BIO* client_end = nullptr;
  must(BIO_new_bio_pair(&origin_end, 0, &client_end, 0) == 1, "pipe");
  SSL_set_bio(origin.get(), origin_end, origin_end);
  SSL_set_bio(client.get(), client_end, client_end);
  SSL_set_accept_state(origin.get());
  SSL_set_connect_state(client.get());
  if (expecting == Expecting::the_host) {
    must(Trust::expect(client.get(), Host::parse(specimen.host).value()).has_value(), "host");
  }
  bool over = false;
  for (int turn = 0; turn < 50 && !over; ++turn) {
    for (SSL* side : {client.get(), origin.get()}) {
      ERR_clear_error();
      const int result = SSL_do_handshake(side);
      over = over || (result <= 0 && SSL_get_error(side, result) == SSL_ERROR_SSL);
    }
    over = over || (SSL_is_init_finished(client.get()) != 0 && SSL_is_init_finished(origin.get()) != 0);
  }
  ERR_clear_error();
  Outcome outcome;
  outcome.completed = SSL_is_init_finished(client.get()) != 0 && SSL_is_init_finished(origin.get()) != 0;
  outcome.verify_result = SSL_get_verify_result(client.get());
  if (const auto* failure = certificate_failure(client.get())) outcome.failure = *failure;
  return outcome;
}

AnchorFile::AnchorFile(const std::vector<SharedX509>& anchors) : AnchorFile(std::string_view()) {
  const BioHandle out(BIO_new_file(path_.c_str(), "w"));
  for (const SharedX509& anchor : anchors) must(PEM_write_bio_X509(out.get(), anchor.get()) == 1, "anchors");
}

AnchorFile::AnchorFile(std::string_view content)
    : path_((std::filesystem::temp_directory_path() / "tollgate-anchors-XXXXXX").string()) {
  const int file = ::mkstemp(path_.data());
  must(file >= 0, "temporary file");
  const bool written = ::write(file, content.data(), content.size()) == static_cast<ssize_t>(content.size());
  ::close(file);
  must(written, "temporary file");
}

AnchorFile::~AnchorFile() {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

}  // namespace tollgate::certs::test
