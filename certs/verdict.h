// What is wrong with a certificate, said so that the owner of a phone understands it.
#pragma once

#include <openssl/x509.h>

#include <string>
#include <string_view>

namespace tollgate::certs {

// What verification found. Nothing is owned.
struct Finding {
  int error = 0;                   // X509_V_ERR_…, also those of X509_check_issued
  int depth = 0;                   // of the certificate at fault: 0 is the leaf
  const X509* at_fault = nullptr;  // may be null: then less is said
  const X509* leaf = nullptr;      // may be null
  std::string_view host;           // whom we wanted to talk to
};

// One sentence without a full stop, with the facts that matter (dates, names, key sizes): `the server's certificate is
// for other.test, not for example.test`. Names out of certificates are printable ASCII, shortened; the rest is escaped.
std::string explain(const Finding& finding);

}  // namespace tollgate::certs
