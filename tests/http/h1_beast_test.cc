// A second opinion: whatever our reader accepts, Boost.Beast's parser accepts too, and reads the same in it. Not the
// other way round: Beast is meant to be lenient where we are not. What we accept and Beast does not, and why we do:
// 1. An empty line before a request line: RFC 9112 §2.2 asks servers to ignore it.
// 2. A status line that ends after the status, without SP: many origins send it, and it has one meaning only.
// differences_undone() takes these two away. A third does not come up here: a Proxy-Connection that is no list of
// tokens, which we drop and Beast refuses.
#include <algorithm>
#include <boost/beast/http.hpp>
#include <catch2/catch.hpp>
#include <limits>
#include <random>
#include <type_traits>

#include "gateway/base/names.h"
#include "gateway/http/h1_transcript.h"
#include "tests/http/h1_cases.h"

namespace tollgate::http {
namespace {

namespace beast = boost::beast::http;

// A message as both parsers can tell it. Trailers are among the fields, as Beast has them, and the fields are in order
// by name: Beast keeps lines of one name together.
struct Reading {
  std::string start_line;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string content;
  bool operator==(const Reading&) const = default;

  void add(std::string_view name, std::string_view value) { fields.emplace_back(name, value); }
  void sort_fields() {
    std::stable_sort(fields.begin(), fields.end(),
                     [](const auto& a, const auto& b) { return ascii_lower(a.first) < ascii_lower(b.first); });
  }
};

std::ostream& operator<<(std::ostream& out, const Reading& reading) {
  out << reading.start_line << '\n';
  for (const auto& [name, value] : reading.fields) out << name << ": " << value << '\n';
  return out << '\n' << reading.content;
}

std::string start_line(const RequestHead& head) {
  return head.method + " " + head.target + " 1." + std::to_string(head.minor);
}
std::string start_line(const ResponseHead& head) {
  // Beast shows the registered phrase where there is none.
  const std::string reason =
      head.reason.empty() ? beast::obsolete_reason(beast::int_to_status(head.status)).to_string() : head.reason;
  return std::to_string(head.status) + " " + reason + " 1." + std::to_string(head.minor);
}
template <class Fields>
std::string start_line(const beast::header<true, Fields>& head) {
  return std::string(head.method_string()) + " " + std::string(head.target()) + " 1." +
         std::to_string(head.version() - 10);
}
template <class Fields>
std::string start_line(const beast::header<false, Fields>& head) {
  return std::to_string(head.result_int()) + " " + std::string(head.reason()) + " 1." +
         std::to_string(head.version() - 10);
}

template <class Head>
Reading ours(const Message<Head>& message) {
  Reading reading{start_line(message.head), {}, message.content};
  for (const Fields* fields : {&message.head.fields, &message.trailers}) {
    for (std::size_t i = 0; i < fields->size(); ++i) reading.add(fields->at(i).name, fields->at(i).value);
  }
  reading.sort_fields();
  return reading;
}

// Takes one message from the front of `bytes` as Beast reads it; nothing if it refuses, or wants more than there is.
template <bool is_request>
std::optional<Reading> take_with_beast(std::string_view& bytes, bool no_content = false) {
  beast::parser<is_request, beast::string_body> parser;
  parser.eager(true);
  parser.body_limit(std::numeric_limits<std::uint64_t>::max());  // none means 0 in Boost 1.74
  parser.header_limit(1024 * 1024);
  parser.skip(no_content);
  boost::system::error_code error;
  while (!parser.is_done() && !error) {
    if (bytes.empty()) {
      parser.put_eof(error);
    } else {
      bytes.remove_prefix(parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error));
    }
  }
  if (error) {
    UNSCOPED_INFO("Beast: " << error.message());
    return std::nullopt;
  }
  Reading reading{start_line(parser.get().base()), {}, parser.get().body()};
  for (const auto& field : parser.get()) reading.add(field.name_string().to_string(), field.value().to_string());
  reading.sort_fields();
  return reading;
}

std::string differences_undone(const Transcript<RequestHead>& /*side*/, std::string_view bytes) {
  return std::string(bytes.substr(bytes.starts_with("\r\n") ? 2 : 0));
}
std::string differences_undone(const Transcript<ResponseHead>& /*side*/, std::string_view bytes) {
  constexpr std::size_t status_end = 12;  // HTTP/1.1 200
  std::string undone(bytes);
  if (bytes.substr(status_end).starts_with("\r\n")) undone.insert(status_end, " ");
  return undone;
}

// Whether Beast reads each of our complete messages, one after the other, as we did.
template <class Head>
bool beast_agrees(const Transcript<Head>& transcript, std::string_view raw) {
  std::string rest(raw);
  for (const Message<Head>& message : transcript.messages) {
    bool interim = false;
    if constexpr (std::is_same_v<Head, ResponseHead>) interim = is_informational(message.head.status);
    if (!message.complete && !interim) return true;
    rest = differences_undone(transcript, rest);
    std::string_view view = rest;
    const auto reading = take_with_beast<std::is_same_v<Head, RequestHead>>(view, interim);
    if (!reading) return false;
    INFO("Beast: " << *reading << "\nours: " << ours(message));
    CHECK(*reading == ours(message));
    if (*reading != ours(message)) return false;
    rest.erase(0, rest.size() - view.size());
  }
  return true;
}

TEST_CASE("Boost.Beast reads every case that we accept as we do", "[http][h1]") {
  for (const AmbiguousCase& example : ambiguous_cases()) {
    if (example.malformed()) continue;
    CAPTURE(example.name);
    CHECK((example.side == "request" ? beast_agrees(read_requests(example.raw), example.raw)
                                     : beast_agrees(read_response(example.raw), example.raw)));
  }
}

// Small changes where they hurt: octets that separate, digits, and what the cases are about.
std::string mutate(std::string text, std::mt19937& random) {
  static const std::vector<std::string> pieces = {"\r\n",
                                                  "\r",
                                                  "\n",
                                                  " ",
                                                  "\t",
                                                  ":",
                                                  ";",
                                                  ",",
                                                  "=",
                                                  "\"",
                                                  "\\",
                                                  "0",
                                                  "1",
                                                  "5",
                                                  "a",
                                                  "F",
                                                  "+",
                                                  "-",
                                                  "_",
                                                  "\x80",
                                                  "/",
                                                  "?",
                                                  "#",
                                                  "%",
                                                  "@",
                                                  "*",
                                                  "[",
                                                  "]",
                                                  ".",
                                                  "HTTP/1.0",
                                                  "Content-Length: 5\r\n",
                                                  "Connection: close\r\n",
                                                  "Transfer-Encoding: chunked\r\n",
                                                  "Host: origin.test\r\n",
                                                  "X: y\r\n",
                                                  ";a=\"b\"",
                                                  "HEAD",
                                                  "CONNECT",
                                                  "\r\n\r\n"};
  const auto below = [&](std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
  };
  for (std::size_t changes = 1 + below(3); changes > 0 && !text.empty(); --changes) {
    const std::size_t at = below(text.size());
    const std::size_t removed = below(3);
    text.replace(at, removed, below(4) == 0 ? "" : pieces[below(pieces.size())]);
  }
  return text;
}

TEST_CASE("Boost.Beast reads whatever we accept of mutated messages as we do", "[http][h1]") {
  std::mt19937 random(9112);  // the same messages every time
  std::size_t accepted = 0;
  std::size_t refused = 0;
  const auto cases = ambiguous_cases();
  for (int round = 0; round < 1000; ++round) {
    for (const AmbiguousCase& example : cases) {
      if (example.malformed()) continue;
      const std::string raw = mutate(example.raw, random);
      CAPTURE(example.name, raw);
      if (example.side == "request") {
        const auto transcript = read_requests(raw);
        ++(transcript.error ? refused : accepted);
        CHECK(beast_agrees(transcript, raw));
      } else {
        const auto transcript = read_response(raw);
        ++(transcript.error ? refused : accepted);
        CHECK(beast_agrees(transcript, raw));
      }
    }
  }
  CHECK(accepted > 1000);
  CHECK(refused > 1000);
}

}  // namespace
}  // namespace tollgate::http
