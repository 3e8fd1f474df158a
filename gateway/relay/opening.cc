#include "gateway/relay/opening.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace tollgate::relay {
namespace {

constexpr std::string_view h2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
// The longest registered method is UPDATEREDIRECTREF; what runs on longer is no method.
constexpr std::size_t method_limit = 24;

bool is_prefix_of(std::string_view shorter, std::string_view longer) {
  return longer.substr(0, std::min(shorter.size(), longer.size())) == shorter.substr(0, longer.size());
}

// `METHOD ` and then what a request target begins with. SMTP's and FTP's commands are upper-case words too, but none of
// their arguments begins like this.
Opening recognise_http(std::string_view text) {
  const auto word = std::find_if(text.begin(), text.end(), [](char c) { return c < 'A' || c > 'Z'; });
  const auto length = static_cast<std::size_t>(word - text.begin());
  if (length > method_limit || (word != text.end() && (length == 0 || *word != ' '))) return OpeningOpaque{};
  if (length + 1 >= text.size()) return OpeningUnclear{};
  const std::string_view target = text.substr(length + 1);
  if (target[0] == '/' || target[0] == '*') return OpeningHttp1{};
  for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
    if (target.starts_with(scheme)) return OpeningHttp1{};
    if (is_prefix_of(target, scheme)) return OpeningUnclear{};
  }
  return OpeningOpaque{};
}

}  // namespace

Opening recognise(ByteView bytes) {
  if (bytes.empty()) return OpeningUnclear{};
  if (tls::looks_like_tls(bytes)) {
    auto peeked = tls::peek_client_hello(bytes);
    if (!peeked) return OpeningBroken{std::move(peeked.error().what)};
    if (std::holds_alternative<tls::NeedMore>(*peeked)) return OpeningUnclear{};
    return OpeningTls{std::move(std::get<tls::ClientHello>(*peeked))};
  }
  const std::string_view text = as_text(bytes);
  if (text.starts_with("PRI")) {
    if (!is_prefix_of(text, h2_preface)) return OpeningOpaque{};
    return text.size() < h2_preface.size() ? Opening(OpeningUnclear{}) : Opening(OpeningHttp2{});
  }
  return recognise_http(text);
}

}  // namespace tollgate::relay
