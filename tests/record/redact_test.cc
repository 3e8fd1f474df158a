#include "gateway/record/redact.h"

#include <catch2/catch.hpp>
#include <string>

#include "gateway/base/text.h"

namespace tollgate::record {
namespace {

using Keys = std::vector<std::string>;

bool holds(const RecordedTarget& target, std::string_view needle) {
  if (target.path.find(needle) != std::string::npos) return true;
  for (const std::string& key : target.query) {
    if (key.find(needle) != std::string::npos) return true;
  }
  return false;
}

TEST_CASE("a target is split into its path and the keys of its query, in order and with repeats", "[record]") {
  const auto target = split_target("/v1/batch?app_id=7&events[]=a&events[]=b&filter%5Bname%5D=x&debug");
  REQUIRE(target.path == "/v1/batch");
  REQUIRE(target.query == Keys{"app_id", "events[]", "events[]", "filter%5Bname%5D", "debug"});
}

TEST_CASE("each form of a request target gives a path", "[record]") {
  REQUIRE(split_target("/").path == "/");
  REQUIRE(split_target("*").path == "*");
  REQUIRE(split_target("http://example.test/a?k=v").path == "/a");
  REQUIRE(split_target("http://example.test/a?k=v").query == Keys{"k"});
  REQUIRE(split_target("http://example.test").path == "/");
  REQUIRE(split_target("http://example.test?k=v").path == "/");
  REQUIRE(split_target("/to/http://example.test/a").path == "/to/http://example.test/a");
}

TEST_CASE("userinfo and fragment are not recorded", "[record]") {
  REQUIRE_FALSE(holds(split_target("http://alice:SECRET@example.test/a?k=1"), "SECRET"));
  REQUIRE_FALSE(holds(split_target("/a#SECRET?SECRET=1"), "SECRET"));
  REQUIRE_FALSE(holds(split_target("/a?k=1#SECRET=1&SECRET"), "SECRET"));
}

TEST_CASE("no spelling lets a value through", "[record]") {
  const std::string target =
      GENERATE("/a?k=SECRET", "/a?k=SECRET&", "/a?&&k=SECRET", "/a?k=1;j=SECRET", "/a?k=1;SECRET", "/a?k;SECRET=1",
               "/a?k=1?j=SECRET", "/a??k=SECRET", "/a?k?SECRET=1", "/a?k%3DSECRET", "/a?k%3dSECRET", "/a?k%253DSECRET",
               "/a?k%25253dSECRET=1", "/a?k%26j%3DSECRET", "/a?k%3BSECRET=1", "/a?k%3FSECRET=1", "/a?k%23SECRET=1",
               "/a?k%SECRET=1", "/a?k==SECRET", "/a?=SECRET", "/a?=SECRET=", "/a%3Fk=SECRET", "/a%3fk%3DSECRET",
               "/a;k=SECRET/b?x=1", "/a;k=SECRET;j=SECRET", "/a;k=;SECRET=SECRET", "http://example.test?k=SECRET");
  CAPTURE(target);
  const auto recorded = split_target(target);
  if (target == "/a;k=;SECRET=SECRET") {
    REQUIRE(recorded.path == "/a;k=…;SECRET=…");  // there it is a name
  } else {
    REQUIRE_FALSE(holds(recorded, "SECRET"));
  }
}

TEST_CASE("a parameter that may be a value itself is withheld", "[record]") {
  const std::string parameter = GENERATE(
      "eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiJ9=", "alice@example.test", "alice%40example.test", "4915112345678",
      "1700000000", "550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000=1",
      "http://example.test/?token=SECRET", "52.52,13.40", "d41d8cd98f00b204e9800998ecf8427e",
      "d41d8cd98f00b204e9800998ecf8427e=", "Zm9vYmFyYmF6cXV4cXV1eA==", "this-is-a-whole-sentence-that-someone-typed");
  CAPTURE(parameter);
  REQUIRE(split_target("/a?" + parameter).query == Keys{std::string(withheld)});
}

TEST_CASE("names are recorded, also long, nested, numbered and in other scripts", "[record]") {
  const std::string key = GENERATE(
      "idfa", "k", "v2", "utm_source_platform", "advertisingTrackingEnabled", "X-Amz-SignedHeaders", "fields[user]",
      "filter%5B0%5D%5Bname%5D", "events.0.name", "application_tracking_enabled", "$distinct_id", "cd1", "gaClientId4",
      "skadnetwork_ids_version", "%D0%BA%D0%BB%D1%8E%D1%87%D0%BA%D0%BB%D1%8E%D1%87", "openid.assoc_handle");
  CAPTURE(key);
  REQUIRE(split_target("/a?" + key + "=1").query == Keys{key});
}

TEST_CASE("keys are bounded in number and length, and say when something is left out", "[record]") {
  std::string target = "/a?";
  for (int i = 0; i < 1000; ++i) target += "k=1&";
  const auto many = split_target(target);
  REQUIRE(many.query.size() == max_query_keys);
  REQUIRE(many.query.front() == "k");
  REQUIRE(many.query.back() == withheld);

  REQUIRE(split_target("/a?" + std::string(max_query_key + 1, 'k') + "=1").query == Keys{std::string(withheld)});
  const auto path = split_target("/" + std::string(2 * max_path, 'p')).path;
  REQUIRE(path.size() == max_path);
  REQUIRE(path.ends_with(withheld));
}

TEST_CASE("nothing that a terminal obeys is recorded", "[record]") {
  for (int byte = 0; byte < 0x100; ++byte) {
    const std::string odd = "a" + std::string(1, static_cast<char>(byte)) + "b";
    CAPTURE(byte);
    const auto target = split_target("/" + odd + "?" + odd + "=1");
    Keys texts = target.query;
    texts.insert(texts.end(), {target.path, recorded_user_agent(odd), recorded_text(odd, 100)});
    for (const std::string& text : texts) {
      REQUIRE(is_utf8(text));
      for (const char c : text) REQUIRE((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
    }
  }
  REQUIRE(recorded_text("\x1b]0;owned\a", 100) == "\uFFFD]0;owned\uFFFD");
  REQUIRE(recorded_text("\u009b31m", 100) == "\uFFFD31m");                // C1 control
  REQUIRE(recorded_text("abc\u202Etxt.exe", 100) == "abc\uFFFDtxt.exe");  // right-to-left override
}

TEST_CASE("bytes that are no UTF-8 are replaced one by one, characters are kept", "[record]") {
  REQUIRE(recorded_text("a\xff\xfe"
                        "b",
                        100) == "a\uFFFD\uFFFDb");
  REQUIRE(recorded_text("\xc3", 100) == "\uFFFD");
  REQUIRE(recorded_text("\xc0\xaf", 100) == "\uFFFD\uFFFD");
  REQUIRE(recorded_text("grüße 😀", 100) == "grüße 😀");
}

TEST_CASE("text is cut between characters, whatever the limit", "[record]") {
  const std::string text = "grüße\x01 😀 and more";
  const std::string whole = recorded_text(text, 1000);
  for (std::size_t limit = 0; limit < whole.size(); ++limit) {
    CAPTURE(limit);
    const std::string cut = recorded_text(text, limit);
    REQUIRE(cut.size() <= limit);
    REQUIRE(is_utf8(cut));
    if (limit < withheld.size()) continue;
    REQUIRE(cut.ends_with(withheld));
    REQUIRE(whole.starts_with(cut.substr(0, cut.size() - withheld.size())));
  }
  REQUIRE(recorded_text(text, whole.size()) == whole);
  REQUIRE(recorded_user_agent(std::string(1000, 'u')).size() == max_user_agent);
}

TEST_CASE("a record is recordable when each of its texts is, wherever it stands", "[record]") {
  proto::Record record;
  auto& exchange = *record.mutable_exchange();
  exchange.set_host("example.test");
  exchange.add_query("k");
  REQUIRE(is_recordable(record));

  const auto spoilt = GENERATE(range(0, 4));
  CAPTURE(spoilt);
  switch (spoilt) {
    case 0: exchange.set_path("/\x1b[31m"); break;
    case 1: exchange.set_query(0, "k\x7f"); break;
    case 2: exchange.mutable_app()->add_evidence("\xff"); break;
    case 3: exchange.add_identifiers()->set_where("body:\r\n"); break;
    default: FAIL();
  }
  REQUIRE_FALSE(is_recordable(record));
  make_recordable(record);
  REQUIRE(is_recordable(record));
  REQUIRE(record.exchange().host() == "example.test");
}

}  // namespace
}  // namespace tollgate::record
