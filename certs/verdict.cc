#include "certs/verdict.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <vector>

#include "certs/x509_facts.h"

namespace tollgate::certs {
namespace {

// {who} the certificate at fault, {subject} its name, {issuer} its issuer's; the other facts are its own too. {hosts}
// are the leaf's.
struct Phrase {
  int error;
  std::string_view text;
};

constexpr std::string_view wrong_host = "the server's certificate {hosts}, not for {host}";
constexpr std::string_view unknown_issuer =
    "{who} was issued by \"{issuer}\", which this machine doesn't know: either that authority isn't trusted here, or "
    "the "
    "server didn't send the certificates in between";
constexpr std::string_view namesake =
    "{who} was issued by another authority of the name \"{issuer}\" than the one whose certificate the server sent";
constexpr std::string_view bad_signature =
    "{who} claims to be issued by \"{issuer}\", but the signature is not that authority's: it was altered or forged";
constexpr std::string_view not_an_authority =
    "the server's certificate depends on one of \"{subject}\" that isn't allowed to issue certificates";
constexpr std::string_view unreadable = "{who} is malformed: a field in it cannot be read";
constexpr std::string_view constraint_unreadable =
    "an authority behind the server's certificate limits the names it may vouch for in a way this machine can't check";

constexpr auto phrases = std::to_array<Phrase>({
    {X509_V_ERR_CERT_HAS_EXPIRED, "{who} expired on {not_after}"},
    {X509_V_ERR_CERT_NOT_YET_VALID,
     "{who} is not valid before {not_before} (if that is past, this machine's clock is wrong)"},
    {X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD, unreadable},
    {X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD, unreadable},
    {X509_V_ERR_HOSTNAME_MISMATCH, wrong_host},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, wrong_host},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "the server's certificate is self-signed: no authority vouches for it"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
     "the server's certificate was issued by \"{subject}\", an authority that this machine doesn't trust"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, unknown_issuer},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, unknown_issuer},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, unknown_issuer},
    {X509_V_ERR_CERT_UNTRUSTED, unknown_issuer},
    {X509_V_ERR_AKID_SKID_MISMATCH, namesake},
    {X509_V_ERR_AKID_ISSUER_SERIAL_MISMATCH, namesake},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, bad_signature},
    {X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE, bad_signature},
    {X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY, unreadable},
    {X509_V_ERR_UNSUPPORTED_SIGNATURE_ALGORITHM, "{who} is signed in a way that this machine doesn't know"},
    {X509_V_ERR_INVALID_CA, not_an_authority},
    {X509_V_ERR_INVALID_NON_CA, not_an_authority},
    {X509_V_ERR_KEYUSAGE_NO_CERTSIGN, not_an_authority},
    {X509_V_ERR_PATH_LENGTH_EXCEEDED,
     "there are more authorities between the server's certificate and \"{subject}\" than that one allows"},
    {X509_V_ERR_INVALID_PURPOSE, "{who} is not meant for servers"},
    {X509_V_ERR_CERT_REJECTED, "{who} is not meant for servers"},
    {X509_V_ERR_PERMITTED_VIOLATION,
     "the server's certificate {hosts}, which an authority behind it isn't allowed to vouch for"},
    {X509_V_ERR_EXCLUDED_VIOLATION,
     "the server's certificate {hosts}, which an authority behind it is forbidden to vouch for"},
    {X509_V_ERR_SUBTREE_MINMAX, constraint_unreadable},
    {X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE, constraint_unreadable},
    {X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX, constraint_unreadable},
    {X509_V_ERR_UNSUPPORTED_NAME_SYNTAX, "the server's certificate {hosts}, and one of these is no proper host name"},
    {X509_V_ERR_EE_KEY_TOO_SMALL, "the server's certificate has a key that is too weak ({key})"},
    {X509_V_ERR_CA_KEY_TOO_SMALL, "{who} has a key that is too weak ({key})"},
    {X509_V_ERR_CA_MD_TOO_WEAK, "{who} is signed with {digest}, which is too weak: it can be forged"},
    {X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION,
     "{who} sets a condition that this machine doesn't know ({extension}) and that must not be ignored"},
    {X509_V_ERR_INVALID_EXTENSION, unreadable},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, "the server sent a chain of certificates that is too long"},
    {X509_V_ERR_CERT_REVOKED, "{who} was revoked"},
});

std::string list_of_hosts(const X509* leaf) {
  const std::vector<std::string> hosts = leaf != nullptr ? hosts_of(*leaf) : std::vector<std::string>();
  if (hosts.empty()) return "names no host (in subjectAltName, where hosts belong) and so is for none";
  constexpr std::size_t shown = 3;
  const auto last = hosts.begin() + static_cast<std::ptrdiff_t>(std::min(shown, hosts.size()));
  const std::string list = fmt::format("is for {}", fmt::join(hosts.begin(), last, ", "));
  return hosts.size() > shown ? fmt::format("{} and {} more", list, hosts.size() - shown) : list;
}

std::string who(const Finding& finding) {
  if (finding.depth == 0 || finding.at_fault == nullptr) return "the server's certificate";
  return fmt::format("the certificate of \"{}\", on which the server's depends,", subject_text(*finding.at_fault));
}

std::string date_or_unknown(const ASN1_TIME* time) {
  const auto wall = to_wall_time(time);
  return wall ? date_text(*wall) : "an unreadable date";
}

std::string key_text(const X509& certificate) {
  const EVP_PKEY* key = X509_get0_pubkey(&certificate);
  if (key == nullptr) return "unreadable";
  const char* type = EVP_PKEY_get0_type_name(key);
  return fmt::format("{}, {} bits", type != nullptr ? type : "unknown", EVP_PKEY_get_bits(key));
}

std::string digest_text(const X509& certificate) {
  int digest = NID_undef;
  // X509_get_signature_info has no const overload, and fills a cache under its own lock.
  if (X509_get_signature_info(const_cast<X509*>(&certificate), &digest, nullptr, nullptr, nullptr) != 1)
    return "an old digest";
  const char* name = OBJ_nid2sn(digest);
  return name != nullptr ? name : "an old digest";
}

std::string critical_extension_text(const X509& certificate) {
  for (int i = 0; i < X509_get_ext_count(&certificate); ++i) {
    X509_EXTENSION* extension = X509_get_ext(&certificate, i);
    if (X509_EXTENSION_get_critical(extension) == 0 || X509_supported_extension(extension) != 0) continue;
    std::array<char, 80> text{};
    OBJ_obj2txt(text.data(), static_cast<int>(text.size()), X509_EXTENSION_get_object(extension), 0);
    return text.data();
  }
  return "an extension";
}

}  // namespace

std::string explain(const Finding& finding) {
  const auto* phrase = std::find_if(phrases.begin(), phrases.end(),
                                    [&](const Phrase& candidate) { return candidate.error == finding.error; });
  if (phrase == phrases.end()) {
    return fmt::format("{} cannot be trusted: {}", who(finding), X509_verify_cert_error_string(finding.error));
  }
  const X509* at_fault = finding.at_fault != nullptr ? finding.at_fault : finding.leaf;
  const auto fact = [&](auto&& read) { return at_fault != nullptr ? read(*at_fault) : std::string("unknown"); };
  const auto not_before = [](const X509& x) { return date_or_unknown(X509_get0_notBefore(&x)); };
  const auto not_after = [](const X509& x) { return date_or_unknown(X509_get0_notAfter(&x)); };
  std::string sentence =
      fmt::format(fmt::runtime(phrase->text), fmt::arg("who", who(finding)), fmt::arg("host", finding.host),
                  fmt::arg("hosts", list_of_hosts(finding.leaf)), fmt::arg("subject", fact(subject_text)),
                  fmt::arg("issuer", fact(issuer_text)), fmt::arg("not_before", fact(not_before)),
                  fmt::arg("not_after", fact(not_after)), fmt::arg("key", fact(key_text)),
                  fmt::arg("digest", fact(digest_text)), fmt::arg("extension", fact(critical_extension_text)));
  ERR_clear_error();  // a stranger's unreadable field is not the next call's business
  return sentence;
}

}  // namespace tollgate::certs
