#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "gateway/http/h1_transcript.h"
#include "tests/http/h1_cases.h"

namespace tollgate::http {
namespace {

template <class Head>
std::size_t complete_finals(const Transcript<Head>& transcript) {
  return static_cast<std::size_t>(std::count_if(transcript.messages.begin(), transcript.messages.end(),
                                                [](const Message<Head>& message) { return message.complete; }));
}

// Those whose fault is behind their head. All others must be refused before a head can be forwarded.
bool is_in_content(const AmbiguousCase& example) {
  const auto prefixes = {"chunk-", "trailer-", "response-chunk-", "response-trailer-", "response-after-"};
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const char* prefix) { return example.name.starts_with(prefix); });
}

template <class Head>
void judge(const AmbiguousCase& example, const Transcript<Head>& transcript) {
  if (example.malformed()) {
    CHECK(transcript.error == Error::Kind::malformed);
    CHECK(transcript.messages.size() == (is_in_content(example) ? 1 : 0));
    return;
  }
  CHECK_FALSE(transcript.error);
  CHECK(transcript.unread.empty());
  CHECK(std::to_string(complete_finals(transcript)) == example.expect);
}

TEST_CASE("ambiguous messages are refused and odd ones are read as the one thing they are", "[http][h1]") {
  const auto cases = ambiguous_cases();
  std::set<std::string> names;
  std::size_t refused_requests = 0;
  for (const AmbiguousCase& example : cases) {
    CAPTURE(example.name, example.section);
    CHECK(names.insert(example.name).second);
    if (example.side == "request") {
      judge(example, read_requests(example.raw));
      refused_requests += example.malformed() ? 1 : 0;
    } else {
      REQUIRE(example.side == "response");
      judge(example, read_response(example.raw));
    }
  }
  CHECK(refused_requests >= 80);
}

TEST_CASE("no smuggled request is ever a message of its own", "[http][h1]") {
  for (const AmbiguousCase& example : ambiguous_cases()) {
    if (example.side != "request") continue;
    CAPTURE(example.name);
    for (const auto& message : read_requests(example.raw).messages) {
      CHECK(message.head.target.find("/smuggled") == std::string::npos);
    }
  }
}

TEST_CASE("a message means the same however the network cuts it", "[http][h1]") {
  for (const AmbiguousCase& example : ambiguous_cases()) {
    CAPTURE(example.name);
    const auto same = [&](const auto& read) {
      const auto whole = read(in_one_piece());
      CHECK(read(in_pieces_of(1)) == whole);
      for (std::size_t cut = 1; cut < example.raw.size(); ++cut) {
        CAPTURE(cut);
        REQUIRE(read(cut_at(cut)) == whole);
      }
    };
    if (example.side == "request") {
      same([&](const Pieces& pieces) { return read_requests(example.raw, pieces); });
    } else {
      same([&](const Pieces& pieces) { return read_response(example.raw, "GET", pieces); });
    }
  }
}

}  // namespace
}  // namespace tollgate::http
