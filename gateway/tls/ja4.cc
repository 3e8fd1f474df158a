#include "gateway/tls/ja4.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

namespace tollgate::tls {
namespace {

using Values = std::vector<std::uint16_t>;

constexpr std::uint16_t server_name_extension = 0;
constexpr std::uint16_t alpn_extension = 16;

Values without_grease(const Values& values) {
  Values kept;
  std::copy_if(values.begin(), values.end(), std::back_inserter(kept), [](auto value) { return !is_grease(value); });
  return kept;
}

std::string hex_list(const Values& values) { return fmt::format("{:04x}", fmt::join(values, ",")); }

std::string hash12(const std::string& text) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), digest.data());
  return fmt::format("{:02x}", fmt::join(digest.begin(), digest.begin() + 6, ""));
}

std::string_view version(const ClientHello& hello) {
  const Values offered = without_grease(hello.supported_versions);
  switch (offered.empty() ? hello.legacy_version : *std::max_element(offered.begin(), offered.end())) {
    case 0x0304: return "13";
    case 0x0303: return "12";
    case 0x0302: return "11";
    case 0x0301: return "10";
    case 0x0300: return "s3";
    default: return "00";
  }
}

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

// First and last character of the first protocol; of its hex where one of them is not alphanumeric.
std::string alpn_mark(const std::vector<std::string>& alpn) {
  if (alpn.empty()) return "00";
  const std::string& first = alpn.front();
  if (is_alphanumeric(first.front()) && is_alphanumeric(first.back())) return {first.front(), first.back()};
  const std::string hex = fmt::format("{:02x}", fmt::join(as_bytes(first), ""));
  return {hex.front(), hex.back()};
}

std::string cipher_hash(Values suites) {
  if (suites.empty()) return "000000000000";
  std::sort(suites.begin(), suites.end());
  return hash12(hex_list(suites));
}

std::string extension_hash(Values extensions, const Values& signature_algorithms) {
  std::erase_if(extensions, [](auto type) { return type == server_name_extension || type == alpn_extension; });
  if (extensions.empty()) return "000000000000";
  std::sort(extensions.begin(), extensions.end());
  const std::string algorithms = hex_list(without_grease(signature_algorithms));
  return hash12(hex_list(extensions) + (algorithms.empty() ? "" : "_") + algorithms);
}

}  // namespace

std::string ja4(const ClientHello& hello, Ja4Transport transport) {
  const Values suites = without_grease(hello.cipher_suites);
  const Values extensions = without_grease(hello.extensions);
  const bool to_domain = std::count(extensions.begin(), extensions.end(), server_name_extension) > 0;
  return fmt::format("{}{}{}{:02}{:02}{}_{}_{}", transport == Ja4Transport::tcp ? 't' : 'q', version(hello),
                     to_domain ? 'd' : 'i', std::min<std::size_t>(suites.size(), 99),
                     std::min<std::size_t>(extensions.size(), 99), alpn_mark(hello.alpn), cipher_hash(suites),
                     extension_hash(extensions, hello.signature_algorithms));
}

}  // namespace tollgate::tls
