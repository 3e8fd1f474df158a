#include "certs/issue.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/objects.h>

#include <array>
#include <memory>

#include "gateway/base/free_with.h"

namespace tollgate::certs {
namespace {

using NumberHandle = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;
using StringHandle = std::unique_ptr<ASN1_STRING, FreeWith<ASN1_STRING_free>>;
using ConstraintsHandle = std::unique_ptr<BASIC_CONSTRAINTS, FreeWith<BASIC_CONSTRAINTS_free>>;
using PurposesHandle = std::unique_ptr<EXTENDED_KEY_USAGE, FreeWith<EXTENDED_KEY_USAGE_free>>;
using KeyIdHandle = std::unique_ptr<AUTHORITY_KEYID, FreeWith<AUTHORITY_KEYID_free>>;
using NameHandle = std::unique_ptr<GENERAL_NAME, FreeWith<GENERAL_NAME_free>>;
using NamesHandle = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;

bool add_extension(X509& certificate, int nid, void* value, Critical critical) {
  return value != nullptr &&
         X509_add1_ext_i2d(&certificate, nid, value, critical == Critical::yes ? 1 : 0, X509V3_ADD_DEFAULT) == 1;
}

StringHandle make_string(int type, ByteView bytes) {
  StringHandle string(ASN1_STRING_type_new(type));
  if (!string || ASN1_STRING_set(string.get(), bytes.data(), static_cast<int>(bytes.size())) != 1) return nullptr;
  return string;
}

std::time_t seconds(WallTime time) {
  return static_cast<std::time_t>(std::chrono::floor<Seconds>(time).time_since_epoch().count());
}

}  // namespace

KeyHandle make_p256_key() { return KeyHandle(EVP_EC_gen("P-256")); }

bool set_random_serial(X509& certificate) {
  const NumberHandle number(BN_new());
  return number && BN_rand(number.get(), 128, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&certificate)) != nullptr;
}

bool set_validity(X509& certificate, WallTime not_before, WallTime not_after) {
  return ASN1_TIME_set(X509_getm_notBefore(&certificate), seconds(not_before)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(&certificate), seconds(not_after)) != nullptr;
}

bool add_to_name(X509_NAME& name, int nid, std::string_view text) {
  return X509_NAME_add_entry_by_NID(&name, nid, MBSTRING_UTF8, as_bytes(text).data(), static_cast<int>(text.size()), -1,
                                    0) == 1;
}

bool add_basic_constraints_ca(X509& certificate, long path_length) {
  const ConstraintsHandle constraints(BASIC_CONSTRAINTS_new());
  if (!constraints) return false;
  constraints->ca = 0xff;
  constraints->pathlen = ASN1_INTEGER_new();
  return constraints->pathlen != nullptr && ASN1_INTEGER_set(constraints->pathlen, path_length) == 1 &&
         add_extension(certificate, NID_basic_constraints, constraints.get(), Critical::yes);
}

bool add_basic_constraints_end_entity(X509& certificate) {
  const ConstraintsHandle constraints(BASIC_CONSTRAINTS_new());
  return add_extension(certificate, NID_basic_constraints, constraints.get(), Critical::yes);
}

bool add_key_usage(X509& certificate, std::uint8_t bits) {
  const StringHandle usage = make_string(V_ASN1_BIT_STRING, ByteView(&bits, 1));
  return add_extension(certificate, NID_key_usage, usage.get(), Critical::yes);
}

bool add_server_auth(X509& certificate) {
  const PurposesHandle purposes(EXTENDED_KEY_USAGE_new());
  return purposes && sk_ASN1_OBJECT_push(purposes.get(), OBJ_nid2obj(NID_server_auth)) == 1 &&
         add_extension(certificate, NID_ext_key_usage, purposes.get(), Critical::no);
}

bool add_subject_key_id(X509& certificate, ByteView key_id) {
  const StringHandle id = make_string(V_ASN1_OCTET_STRING, key_id);
  return add_extension(certificate, NID_subject_key_identifier, id.get(), Critical::no);
}

bool add_authority_key_id(X509& certificate, ByteView key_id) {
  const KeyIdHandle id(AUTHORITY_KEYID_new());
  if (!id) return false;
  id->keyid = make_string(V_ASN1_OCTET_STRING, key_id).release();
  return id->keyid != nullptr && add_extension(certificate, NID_authority_key_identifier, id.get(), Critical::no);
}

bool add_subject_alt_name(X509& certificate, const Host& host, Critical critical) {
  const IpAddress* address = host.address();
  StringHandle value = address != nullptr ? make_string(V_ASN1_OCTET_STRING, address->bytes())
                                          : make_string(V_ASN1_IA5STRING, as_bytes(host.name()->text()));
  NameHandle name(GENERAL_NAME_new());
  const NamesHandle names(GENERAL_NAMES_new());
  if (!value || !name || !names) return false;
  GENERAL_NAME_set0_value(name.get(), address != nullptr ? GEN_IPADD : GEN_DNS, value.release());
  if (sk_GENERAL_NAME_push(names.get(), name.get()) < 1) return false;
  static_cast<void>(name.release());  // the list's now
  return add_extension(certificate, NID_subject_alt_name, names.get(), critical);
}

Bytes key_id_of(const X509& certificate) {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_pubkey_digest(&certificate, EVP_sha1(), digest.data(), &size) != 1) return {};
  return Bytes(digest.begin(), digest.begin() + size);
}

}  // namespace tollgate::certs
