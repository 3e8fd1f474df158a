// Trust: whom the gateway believes when an origin shows its certificate, and how it checks (RFC 5280 §6, RFC 9525).
//
// What is checked: a whole chain to a trust anchor, dates, basicConstraints and key usage of every issuer, name
// constraints, purpose serverAuth, key and digest strength of SECLEVEL 2 (112 bits) all along the chain, the host (SAN
// only, never the CN; a wildcard stands for one whole left-most label), and a stapled OCSP response that says revoked.
// What is not: a missing intermediate is not fetched (the chain fails), CRLs and OCSP responders are not asked.
//
// Use, in the client role:
//     trust->install(context);              // once a SSL_CTX
//     Trust::expect(ssl, host);             // each SSL, before its handshake
//     … SSL_do_handshake fails …
//     if (const CertificateFailure* failure = certificate_failure(ssl)) log(failure->sentence);
// An SSL that was never told whom to expect refuses every certificate.
//
// Threads: immutable once made. What install() puts into the SSL_CTX does not need the Trust object to live on.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include "certs/handles.h"
#include "gateway/base/address.h"
#include "gateway/base/result.h"

namespace tollgate::certs {

class Trust {
 public:
  using Pointer = std::shared_ptr<const Trust>;

  // The machine's trust anchors, read once and whole (some 20 ms): the file that SSL_CERT_FILE names, else the first
  // that exists of OpenSSL's own cert.pem and the bundles of Debian, Fedora, SUSE and Alpine. Errors: as from_file();
  // not_found when there is none of these files.
  static Result<Pointer> system();

  // Anchors from a PEM file with one or more certificates (upstream.ca_file).
  // Errors: not_found  no such file      io  it cannot be read
  //         malformed  no certificate in it, or one that cannot be read
  static Result<Pointer> from_file(const std::filesystem::path& path);

  // Makes `context` verify the origins it meets, and ask them to staple OCSP. Sets SSL_VERIFY_PEER, the trust store,
  // the verification and the status callbacks: they are then ours. Errors: io  OpenSSL is out of memory.
  Status install(SSL_CTX* context) const;

  // Which host the certificate must be for. Does not set SNI. Errors: io  OpenSSL is out of memory.
  static Status expect(SSL* ssl, const Host& host);

  X509_STORE* store() const { return store_.get(); }
  std::size_t anchors() const { return anchors_; }
  const std::filesystem::path& source() const { return source_; }  // the file they came from

 private:
  Trust(StoreHandle store, std::size_t anchors, std::filesystem::path source)
      : store_(std::move(store)), anchors_(anchors), source_(std::move(source)) {}

  StoreHandle store_;
  std::size_t anchors_;
  std::filesystem::path source_;
};

// Why an origin's certificate was refused.
struct CertificateFailure {
  int error = 0;         // X509_V_ERR_…
  int depth = 0;         // 0 the origin's own certificate, 1 its issuer's, …
  std::string sentence;  // `the server's certificate expired on 2026-01-02`
};

// The finding of the handshake on `ssl`, or nullptr when verification did not fail (or did not happen yet). Belongs to
// `ssl`, and lives as long.
const CertificateFailure* certificate_failure(const SSL* ssl);

}  // namespace tollgate::certs
