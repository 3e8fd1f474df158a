// Private keys in PEM: PKCS#8 (RFC 5958), encrypted with PBES2 when there is a passphrase (RFC 8018 §6.2).
#pragma once

#include <string>

#include "certs/handles.h"
#include "certs/secret.h"
#include "gateway/base/result.h"

namespace tollgate::certs {

// With a passphrase: AES-256-CBC, PBKDF2 with HMAC-SHA-256 and 600,000 rounds, some 0.2 s. Errors: io.
Result<Secret> private_key_pem(EVP_PKEY& key, const Passphrase& passphrase);

// `place` names the file in errors. A key that is not encrypted is read whatever the passphrase.
// Errors: malformed  no PKCS#8 key in it
//         refused    it is encrypted, and the passphrase is missing or wrong
Result<KeyHandle> parse_private_key(const Secret& pem, const Passphrase& passphrase, const std::string& place);

}  // namespace tollgate::certs
