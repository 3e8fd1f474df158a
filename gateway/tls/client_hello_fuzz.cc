// The ClientHello reader gives one answer however the connection is cut: a prefix of the input may say NeedMore, but
// never a different answer, and NeedMore never asks for more than a whole hello turns out to take.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <variant>

#include "gateway/tls/client_hello.h"
#include "gateway/tls/ja4.h"

namespace {

using tollgate::ByteCount;
using tollgate::ByteView;
using tollgate::tls::ClientHello;
using tollgate::tls::NeedMore;
using Answer = decltype(tollgate::tls::peek_client_hello({}));

void require(bool holds) {
  if (!holds) std::abort();
}

const NeedMore* need_more(const Answer& answer) { return answer ? std::get_if<NeedMore>(&*answer) : nullptr; }

// The error, or a text with all that the hello says.
std::string text(const Answer& answer) {
  if (!answer) return answer.error().what;
  const auto& hello = std::get<ClientHello>(*answer);
  std::string out = tollgate::tls::ja4(hello) + " " + std::to_string(hello.wire_size);
  out += hello.server_name ? " " + hello.server_name->text() : " -";
  for (const auto& protocol : hello.alpn) out += " " + protocol;
  for (const auto* list : {&hello.supported_versions, &hello.cipher_suites, &hello.extensions}) {
    for (const auto value : *list) out += " " + std::to_string(value);
  }
  return out;
}

void check_prefixes(ByteView input, ByteCount limit) {
  const Answer whole = tollgate::tls::peek_client_hello(input, limit);
  const bool found = whole && std::holds_alternative<ClientHello>(*whole);
  ByteCount asked = 0;
  bool decided = false;
  // Every cut near the start, where the headers are; sparser behind it.
  for (std::size_t cut = 0; cut <= input.size(); cut += 1 + cut / 32) {
    const Answer part = tollgate::tls::peek_client_hello(input.first(cut), limit);
    if (const NeedMore* more = need_more(part)) {
      require(!decided);
      require(more->at_least > cut && more->at_least <= limit);
      require(more->at_least >= asked);
      asked = more->at_least;
      continue;
    }
    decided = true;
    require(need_more(whole) == nullptr);
    require(text(part) == text(whole));
    require(!part || std::get<ClientHello>(*part).wire_size <= cut);
  }
  if (!found) return;
  const auto size = std::get<ClientHello>(*whole).wire_size;
  require(asked <= size && size <= limit);
  require(tollgate::tls::looks_like_tls(input));
  // The last byte is needed, and what follows it changes nothing.
  require(need_more(tollgate::tls::peek_client_hello(input.first(size - 1), limit)) != nullptr);
  require(text(tollgate::tls::peek_client_hello(input.first(size), limit)) == text(whole));
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  check_prefixes(input, tollgate::tls::client_hello_limit);
  check_prefixes(input, 600);
  return 0;
}
