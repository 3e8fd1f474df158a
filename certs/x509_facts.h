// Facts read off certificates, in our types, and safe to show: what a stranger wrote is made printable first.
#pragma once

#include <openssl/asn1.h>
#include <openssl/x509.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/bytes.h"
#include "gateway/base/clock.h"

namespace tollgate::certs {

std::optional<WallTime> to_wall_time(const ASN1_TIME* time);  // nothing when it is no valid time
std::string date_text(WallTime time);                         // `2026-01-02`

std::string serial_text(const X509& certificate);  // lower-case hexadecimal
// The last CN; else the whole name on one line; `an unnamed authority` when it is empty.
std::string name_text(const X509_NAME* name);
std::string subject_text(const X509& certificate);
std::string issuer_text(const X509& certificate);
Bytes der_of(const X509& certificate);
std::string sha256_fingerprint(ByteView der);  // `5E:D0:…`

// The hosts a certificate is for: its dNSName and iPAddress subjectAltNames, in their order.
std::vector<std::string> hosts_of(const X509& certificate);

// Printable ASCII of at most 80 characters; other bytes become \xNN.
std::string printable(std::string_view text);

// OpenSSL's last complaint on this thread, whose error queue is emptied.
std::string openssl_complaint();

}  // namespace tollgate::certs
