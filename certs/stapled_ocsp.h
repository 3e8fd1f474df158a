// What a stapled OCSP response says about an origin's certificate (RFC 6960, RFC 6066 §8).
#pragma once

#include <openssl/x509.h>

#include "gateway/base/bytes.h"
#include "gateway/base/clock.h"
#include "gateway/base/result.h"

namespace tollgate::certs {

// Judges `response` (a DER OCSPResponse) for `leaf`, which `issuer` has signed. Nothing is kept.
//
// Only a response that the issuer signed, or a responder with a certificate from this very issuer for OCSPSigning
// (RFC 6960 §4.2.2.2), counts, and of that only what it says about this certificate. Whatever does not count is as good
// as absent, and so is one past its nextUpdate: stapling is voluntary, and an origin with a broken responder is not a
// bad one. But "revoked" is not undone by time, so an old response that says so still counts (except certificateHold,
// which can be lifted: RFC 5280 §5.3.1). Errors: refused  the certificate is revoked; the sentence says since when.
Status check_stapled_ocsp(ByteView response, X509* leaf, X509* issuer, WallTime now);

}  // namespace tollgate::certs
