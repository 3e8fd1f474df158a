// ClientHellos to order, so that a test shows only what it is about.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/bytes.h"

namespace tollgate::tls::test {

// Big-endian fields and vectors of TLS presentation language (RFC 8446 §3).
inline void put(Bytes& out, std::size_t width, std::size_t value) {
  for (std::size_t i = width; i-- > 0;) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}
inline Bytes vector_of(std::size_t width, ByteView content) {
  Bytes out;
  put(out, width, content.size());
  out.insert(out.end(), content.begin(), content.end());
  return out;
}
inline Bytes u16_list(const std::vector<std::uint16_t>& values) {
  Bytes out;
  for (const auto value : values) put(out, 2, value);
  return out;
}
inline Bytes joined(const std::vector<Bytes>& parts) {
  Bytes out;
  for (const auto& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}
inline Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

struct Extension {
  std::uint16_t type;
  Bytes data;
};

inline Extension server_name(std::string_view name) {
  return {0, vector_of(2, joined({{0}, vector_of(2, as_bytes(name))}))};
}
inline Extension alpn(const std::vector<std::string_view>& protocols) {
  Bytes list;
  for (const auto protocol : protocols) list = joined({list, vector_of(1, as_bytes(protocol))});
  return {16, vector_of(2, list)};
}
inline Extension supported_versions(const std::vector<std::uint16_t>& versions) {
  return {43, vector_of(1, u16_list(versions))};
}
inline Extension signature_algorithms(const std::vector<std::uint16_t>& algorithms) {
  return {13, vector_of(2, u16_list(algorithms))};
}

struct Hello {
  std::uint16_t version = 0x0303;
  Bytes session_id = Bytes(32, 0x5e);
  std::vector<std::uint16_t> cipher_suites = {0x1301, 0x1302, 0x1303};
  Bytes compression_methods = {0};
  std::vector<Extension> extensions;

  Bytes body() const {
    Bytes out;
    put(out, 2, version);
    out.resize(out.size() + 32, 0x4a);  // random
    out = joined(
        {out, vector_of(1, session_id), vector_of(2, u16_list(cipher_suites)), vector_of(1, compression_methods)});
    if (extensions.empty()) return out;
    Bytes block;
    for (const auto& extension : extensions) {
      put(block, 2, extension.type);
      block = joined({block, vector_of(2, extension.data)});
    }
    return joined({out, vector_of(2, block)});
  }
  Bytes message() const { return joined({{1}, vector_of(3, body())}); }
};

// The message in records of at most `fragment` bytes.
inline Bytes in_records(ByteView message, std::size_t fragment = 16384) {
  Bytes out;
  while (!message.empty()) {
    const ByteView part = message.first(std::min(fragment, message.size()));
    out.insert(out.end(), {22, 3, 1});
    put(out, 2, part.size());
    out.insert(out.end(), part.begin(), part.end());
    message = message.subspan(part.size());
  }
  return out;
}
inline Bytes record_of(const Hello& hello) { return in_records(hello.message()); }

// What a current app sends, large post-quantum key share included (RFC 8446 §4.2.8; X25519MLKEM768 is 0x11ec).
inline Hello app_hello(std::string_view host) {
  const Bytes hybrid_share =
      joined({{0x11, 0xec}, vector_of(2, Bytes(1216, 0x6b)), {0, 29}, vector_of(2, Bytes(32, 0x29))});
  Hello hello;
  hello.cipher_suites = {0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02c, 0xc02b, 0xcca9};
  hello.extensions = {{0x3a3a, {}},
                      server_name(host),
                      alpn({"h2", "http/1.1"}),
                      signature_algorithms({0x0403, 0x0804, 0x0401}),
                      supported_versions({0x4a4a, 0x0304, 0x0303}),
                      {51, vector_of(2, hybrid_share)},
                      {0x5a5a, {0}}};
  return hello;
}

}  // namespace tollgate::tls::test
