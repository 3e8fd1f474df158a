// The parts that the authority's own certificate and its leaves are assembled from (RFC 5280 §4). Each is true when
// OpenSSL took it; a false leaves the reason in its error queue.
#pragma once

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "certs/handles.h"
#include "gateway/base/address.h"
#include "gateway/base/bytes.h"
#include "gateway/base/clock.h"

namespace tollgate::certs {

enum class Critical : std::uint8_t { no, yes };

KeyHandle make_p256_key();  // nullptr when there is no randomness

bool set_random_serial(X509& certificate);  // 128 bits, positive (§4.1.2.2 allows 160)
// Both to the second; `not_after` is the last second that is covered.
bool set_validity(X509& certificate, WallTime not_before, WallTime not_after);
bool add_to_name(X509_NAME& name, int nid, std::string_view text);

bool add_basic_constraints_ca(X509& certificate, long path_length);
bool add_basic_constraints_end_entity(X509& certificate);
bool add_key_usage(X509& certificate, std::uint8_t bits);  // of the first octet: KU_DIGITAL_SIGNATURE …; critical
bool add_server_auth(X509& certificate);
bool add_subject_key_id(X509& certificate, ByteView key_id);
bool add_authority_key_id(X509& certificate, ByteView key_id);
bool add_subject_alt_name(X509& certificate, const Host& host, Critical critical);

// SHA-1 of the subjectPublicKey (§4.2.1.2 method 1): an identifier, not a safeguard.
Bytes key_id_of(const X509& certificate);

}  // namespace tollgate::certs
