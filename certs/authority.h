// The gateway's certificate authority: the one certificate that a phone is asked to trust, and its key.
//
// In `dir` (state.dir/ca, mode 0700): ca.pem, and ca.key (PKCS#8, mode 0600, AES-256 when there is a passphrase). After
// a rotation the former pairs stay beside them as ca-<serial>.pem and ca-<serial>.key.
//
// How the pair is put in place, so that a crash at any moment leaves a usable authority: both files are written and
// synced as ca.key.next and ca.pem.next; then the key takes its place, then the certificate. Between the two, ca.key
// matches ca.pem.next, and whoever opens the authority next finishes the move. Writers hold flock(2) on `dir`.
//
// Profile (RFC 5280 §4): P-256, ecdsa-with-SHA256, CA:TRUE pathlen 0 and keyCertSign + cRLSign, both critical, a random
// 128-bit serial, 10 years in all. It is backdated further than the leaves it signs, so that a leaf never begins first.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "certs/handles.h"
#include "certs/secret.h"
#include "gateway/base/bytes.h"
#include "gateway/base/clock.h"
#include "gateway/base/result.h"

namespace tollgate::certs {

// Immutable once opened: share it between threads freely.
class Authority {
 public:
  using Pointer = std::shared_ptr<const Authority>;

  // Makes a new authority in `dir`, which is made too (with missing parents, 0700).
  // Errors: refused  there is an authority, or a part of one, already: nothing is overwritten
  //         io       the folder or a file cannot be written
  static Result<Pointer> create(const std::filesystem::path& dir, const Passphrase& passphrase,
                                WallTime now = wall_now());

  // Loads and checks: the key matches the certificate, which is a CA and valid at `now`. Finishes an interrupted
  // create() or rotate(). A key that is not encrypted is opened whatever the passphrase.
  // Errors, each with its remedy:
  //   not_found  there is no authority in `dir`
  //   malformed  a file does not hold what it should, or the two do not belong together
  //   refused    ca.key is readable by others; passphrase missing or wrong; not a CA; expired or not yet valid
  //   io         a file cannot be read
  static Result<Pointer> open(const std::filesystem::path& dir, const Passphrase& passphrase,
                              WallTime now = wall_now());

  // open(), or create() when there is none.
  static Result<Pointer> open_or_create(const std::filesystem::path& dir, const Passphrase& passphrase,
                                        WallTime now = wall_now());

  // Puts a new authority in the place of the present one, which is kept beside it. The present one may have expired and
  // its passphrase may be lost; `passphrase` is the new one's. Phones must then be made to trust the new certificate.
  // Errors: not_found  there is none to rotate
  //         malformed  ca.pem cannot be read, so its pair cannot be named
  //         io         the folder or a file cannot be written
  static Result<Pointer> rotate(const std::filesystem::path& dir, const Passphrase& passphrase,
                                WallTime now = wall_now());

  // Owned by the authority.
  X509* certificate() const { return certificate_.get(); }
  EVP_PKEY* key() const { return key_.get(); }

  const std::string& pem() const { return pem_; }
  const Bytes& der() const { return der_; }
  // SHA-256 of the DER as phones show it: `5E:D0:…`.
  const std::string& fingerprint() const { return fingerprint_; }
  const std::string& common_name() const { return common_name_; }  // `tollgate myhost 5ed0aa 2026-11-22`
  const std::string& serial() const { return serial_; }            // lower-case hexadecimal
  WallTime not_before() const { return not_before_; }
  WallTime not_after() const { return not_after_; }
  const Bytes& subject_key_id() const { return subject_key_id_; }  // RFC 5280 §4.2.1.2; the leaves' AKI

 private:
  Authority() = default;
  // Takes a pair that belongs together and reads off the rest. Errors: refused  not a CA, or outside its dates.
  static Result<Pointer> from_pair(X509Handle certificate, KeyHandle key, const std::string& place, WallTime now);

  X509Handle certificate_;
  KeyHandle key_;
  std::string pem_;
  Bytes der_;
  std::string fingerprint_;
  std::string common_name_;
  std::string serial_;
  WallTime not_before_{};
  WallTime not_after_{};
  Bytes subject_key_id_;
};

}  // namespace tollgate::certs
