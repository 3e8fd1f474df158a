#include "certs/stapled_ocsp.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include <memory>

#include "certs/x509_facts.h"
#include "gateway/base/free_with.h"

namespace tollgate::certs {
namespace {

void free_stack(STACK_OF(X509) * stack) { sk_X509_free(stack); }
using ResponseHandle = std::unique_ptr<OCSP_RESPONSE, FreeWith<OCSP_RESPONSE_free>>;
using BasicHandle = std::unique_ptr<OCSP_BASICRESP, FreeWith<OCSP_BASICRESP_free>>;
using IdHandle = std::unique_ptr<OCSP_CERTID, FreeWith<OCSP_CERTID_free>>;
using BorrowedStack = std::unique_ptr<STACK_OF(X509), FreeWith<free_stack>>;

constexpr std::chrono::minutes clock_skew{5};

BasicHandle parse(ByteView der) {
  const unsigned char* at = der.data();
  const ResponseHandle response(d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der.size())));
  if (!response || OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL) return nullptr;
  return BasicHandle(OCSP_response_get1_basic(response.get()));
}

bool valid_at(const X509& certificate, WallTime now) {
  const auto begin = to_wall_time(X509_get0_notBefore(&certificate));
  const auto end = to_wall_time(X509_get0_notAfter(&certificate));
  return begin && end && *begin <= now && now <= *end;
}

// RFC 6960 §4.2.2.2: the issuer itself, or who holds its certificate for OCSPSigning.
bool may_speak_for(X509& issuer, X509& signer, WallTime now) {
  if (X509_cmp(&signer, &issuer) == 0) return true;
  constexpr std::uint32_t none = 0;
  const bool appointed = (X509_get_extension_flags(&signer) & EXFLAG_XKUSAGE) != none &&
                         (X509_get_extended_key_usage(&signer) & XKU_OCSP_SIGN) != none;
  return appointed && valid_at(signer, now) && X509_check_issued(&issuer, &signer) == X509_V_OK &&
         X509_verify(&signer, X509_get0_pubkey(&issuer)) == 1;
}

bool signed_for(X509& issuer, OCSP_BASICRESP& response, WallTime now) {
  // The issuer's own certificate is usually not in the response.
  const BorrowedStack known(sk_X509_new_null());
  if (!known || sk_X509_push(known.get(), &issuer) < 1) return false;
  X509* signer = nullptr;
  return OCSP_resp_get0_signer(&response, &signer, known.get()) == 1 && may_speak_for(issuer, *signer, now) &&
         OCSP_basic_verify(&response, known.get(), nullptr, OCSP_NOVERIFY) == 1;  // NOVERIFY: the signature only
}

// A CertID names issuer and serial by a digest that the responder chose.
bool is_about(OCSP_SINGLERESP& single, X509& leaf, X509& issuer) {
  auto* id = const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(&single));  // OCSP_id_get0_info only reads it
  ASN1_OBJECT* algorithm = nullptr;
  if (OCSP_id_get0_info(nullptr, &algorithm, nullptr, nullptr, id) != 1) return false;
  const EVP_MD* digest = EVP_get_digestbyobj(algorithm);
  const IdHandle ours(digest != nullptr ? OCSP_cert_to_id(digest, &leaf, &issuer) : nullptr);
  return ours && OCSP_id_cmp(ours.get(), id) == 0;
}

Status judge(OCSP_SINGLERESP& single, WallTime now) {
  int reason = OCSP_REVOKED_STATUS_NOSTATUS;
  ASN1_GENERALIZEDTIME* revoked = nullptr;
  ASN1_GENERALIZEDTIME* this_update = nullptr;
  ASN1_GENERALIZEDTIME* next_update = nullptr;
  const int status = OCSP_single_get0_status(&single, &reason, &revoked, &this_update, &next_update);
  if (status != V_OCSP_CERTSTATUS_REVOKED) return {};
  const auto begin = to_wall_time(this_update);
  if (!begin || *begin > now + clock_skew) return {};  // not said yet
  const auto end = to_wall_time(next_update);
  const bool outdated = next_update != nullptr && (!end || *end < now - clock_skew);
  if (outdated && reason == OCSP_REVOKED_STATUS_CERTIFICATEHOLD) return {};
  const auto since = to_wall_time(revoked);
  return fail(Error::Kind::refused, fmt::format("the server's certificate was revoked by its issuer{}",
                                                since ? fmt::format(" on {}", date_text(*since)) : ""));
}

}  // namespace

Status check_stapled_ocsp(ByteView response, X509* leaf, X509* issuer, WallTime now) {
  const BasicHandle basic = parse(response);
  Status verdict;
  if (basic && signed_for(*issuer, *basic, now)) {
    for (int i = 0; verdict && i < OCSP_resp_count(basic.get()); ++i) {
      OCSP_SINGLERESP* single = OCSP_resp_get0(basic.get(), i);
      if (is_about(*single, *leaf, *issuer)) verdict = judge(*single, now);
    }
  }
  ERR_clear_error();  // what strangers wrote wrong is not the next call's business
  return verdict;
}

}  // namespace tollgate::certs
