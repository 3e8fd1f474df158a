#include "certs/private_key.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include <memory>

#include "certs/x509_facts.h"
#include "gateway/base/free_with.h"

namespace tollgate::certs {
namespace {

using PlainHandle = std::unique_ptr<PKCS8_PRIV_KEY_INFO, FreeWith<PKCS8_PRIV_KEY_INFO_free>>;
using EncryptedHandle = std::unique_ptr<X509_SIG, FreeWith<X509_SIG_free>>;

// What OWASP asks of PBKDF2-HMAC-SHA256; OpenSSL's own default, 2048, is from 2000.
constexpr int rounds = 600'000;

// One block of a PEM file: its label and DER, wiped when it goes.
struct PemBlock {
  char* label = nullptr;
  char* header = nullptr;
  unsigned char* der = nullptr;
  long size = 0;

  PemBlock() = default;
  PemBlock(const PemBlock&) = delete;
  PemBlock& operator=(const PemBlock&) = delete;
  ~PemBlock() {
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_clear_free(der, static_cast<std::size_t>(size));
  }
};

PlainHandle decrypt(const PemBlock& block, ByteView passphrase) {
  const unsigned char* der = block.der;
  const EncryptedHandle encrypted(d2i_X509_SIG(nullptr, &der, block.size));
  if (!encrypted) return nullptr;
  return PlainHandle(PKCS8_decrypt(encrypted.get(), as_text(passphrase).data(), static_cast<int>(passphrase.size())));
}

tl::unexpected<Error> no_key(const std::string& place) {
  ERR_clear_error();
  return fail(Error::Kind::malformed,
              fmt::format("{}: no PKCS#8 private key in it (BEGIN PRIVATE KEY or BEGIN ENCRYPTED PRIVATE KEY): restore "
                          "it from a backup",
                          place));
}

}  // namespace

Result<Secret> private_key_pem(EVP_PKEY& key, const Passphrase& passphrase) {
  const BioHandle out(BIO_new(BIO_s_mem()));  // wipes its memory when freed
  const PlainHandle plain(EVP_PKEY2PKCS8(&key));
  bool written = false;
  if (out && plain && passphrase.empty()) {
    written = PEM_write_bio_PKCS8_PRIV_KEY_INFO(out.get(), plain.get()) == 1;
  } else if (out && plain) {
    const ByteView secret = passphrase.bytes();
    // -1: PBES2 with the cipher given, whose PRF is HMAC-SHA-256; no salt given: a random one.
    const EncryptedHandle encrypted(PKCS8_encrypt(-1, EVP_aes_256_cbc(), as_text(secret).data(),
                                                  static_cast<int>(secret.size()), nullptr, 0, rounds, plain.get()));
    written = encrypted && PEM_write_bio_PKCS8(out.get(), encrypted.get()) == 1;
  }
  if (!written) return fail(Error::Kind::io, fmt::format("cannot encode the private key: {}", openssl_complaint()));
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return Secret(std::string_view(text, static_cast<std::size_t>(size)));
}

Result<KeyHandle> parse_private_key(const Secret& pem, const Passphrase& passphrase, const std::string& place) {
  const BioHandle in(BIO_new_mem_buf(pem.bytes().data(), static_cast<int>(pem.bytes().size())));
  PemBlock block;
  if (!in || PEM_read_bio(in.get(), &block.label, &block.header, &block.der, &block.size) != 1) return no_key(place);
  const std::string_view label(block.label);
  PlainHandle plain;
  if (label == PEM_STRING_PKCS8INF) {
    const unsigned char* der = block.der;
    plain.reset(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &der, block.size));
  } else if (label == PEM_STRING_PKCS8) {
    if (passphrase.empty()) {
      return fail(Error::Kind::refused, fmt::format("{}: it is encrypted: give its passphrase", place));
    }
    plain = decrypt(block, passphrase.bytes());
    if (!plain) {
      ERR_clear_error();
      return fail(Error::Kind::refused, fmt::format("{}: the passphrase is wrong, or the file is damaged", place));
    }
  }
  KeyHandle key(plain ? EVP_PKCS82PKEY(plain.get()) : nullptr);
  if (!key) return no_key(place);
  return key;
}

}  // namespace tollgate::certs
