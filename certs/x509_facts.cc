#include "certs/x509_facts.h"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <memory>

#include "certs/handles.h"
#include "gateway/base/address.h"
#include "gateway/base/free_with.h"

namespace tollgate::certs {
namespace {

void free_text(char* text) { OPENSSL_free(text); }
void free_der(unsigned char* der) { OPENSSL_free(der); }
using TextHandle = std::unique_ptr<char, FreeWith<free_text>>;
using DerHandle = std::unique_ptr<unsigned char, FreeWith<free_der>>;
using NumberHandle = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;
using NamesHandle = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;

constexpr std::size_t longest_shown_name = 80;

std::string_view text_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

std::string ip_text(ByteView bytes) {
  if (bytes.size() == 4) return IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]}).text();
  if (bytes.size() != 16) return "an address of the wrong length";
  std::array<std::uint8_t, 16> sixteen{};
  std::copy(bytes.begin(), bytes.end(), sixteen.begin());
  return IpAddress::v6(sixteen).text();
}

}  // namespace

std::optional<WallTime> to_wall_time(const ASN1_TIME* time) {
  std::tm fields{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &fields) != 1) return std::nullopt;
  return WallTime(Seconds(timegm(&fields)));
}

std::string date_text(WallTime time) { return rfc3339(time).substr(0, 10); }

std::string serial_text(const X509& certificate) {
  const NumberHandle number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(&certificate), nullptr));
  const TextHandle text(number ? BN_bn2hex(number.get()) : nullptr);
  return text ? ascii_lower(text.get()) : "";
}

std::string name_text(const X509_NAME* name) {
  int at = -1;
  int last = -1;
  while ((at = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0) last = at;
  if (last >= 0) {
    unsigned char* utf8 = nullptr;
    const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
    const DerHandle owned(utf8);
    if (size > 0) return printable(as_text({utf8, static_cast<std::size_t>(size)}));
  }
  const TextHandle line(X509_NAME_oneline(name, nullptr, 0));
  const std::string_view text = line ? line.get() : "";
  return text.empty() ? "an unnamed authority" : printable(text);
}

std::string subject_text(const X509& certificate) { return name_text(X509_get_subject_name(&certificate)); }
std::string issuer_text(const X509& certificate) { return name_text(X509_get_issuer_name(&certificate)); }

Bytes der_of(const X509& certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(&certificate, &der);
  const DerHandle owned(der);
  return size > 0 ? Bytes(der, der + size) : Bytes();
}

std::string sha256_fingerprint(ByteView der) {
  std::array<std::uint8_t, 32> digest{};
  EVP_Digest(der.data(), der.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  std::string text;
  for (const std::uint8_t byte : digest) text += fmt::format("{}{:02X}", text.empty() ? "" : ":", byte);
  return text;
}

std::vector<std::string> hosts_of(const X509& certificate) {
  std::vector<std::string> hosts;
  const NamesHandle names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
    if (type != GEN_DNS && type != GEN_IPADD) continue;
    const std::string_view text = text_of(static_cast<const ASN1_STRING*>(value));
    hosts.push_back(type == GEN_DNS ? printable(text) : ip_text(as_bytes(text)));
  }
  return hosts;
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (out.size() >= longest_shown_name) return out + "…";
    const bool plain = c >= ' ' && c <= '~' && c != '\\';
    out += plain ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string openssl_complaint() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "OpenSSL gave no reason";
  std::array<char, 200> text{};
  ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

}  // namespace tollgate::certs
