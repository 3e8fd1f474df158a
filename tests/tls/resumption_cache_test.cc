#include "gateway/tls/resumption_cache.h"

#include <catch2/catch.hpp>

using namespace tollgate;
using namespace tollgate::tls;

namespace {

WallTime at(std::int64_t seconds) { return from_micros(seconds * 1'000'000); }

ResumptionCache::Entry entry(std::int64_t usable_until) {
  return {SessionHandle(SSL_SESSION_new()), at(usable_until), at(usable_until + 1000)};
}

}  // namespace

TEST_CASE("a remembered session is handed out once, the newest first", "[tls]") {
  ResumptionCache cache(10, 4);
  cache.store("a", entry(100));
  cache.store("a", entry(200));
  CHECK_FALSE(cache.take("b", at(0)));
  CHECK(cache.take("a", at(0))->usable_until == at(200));
  const auto second = cache.take("a", at(0));
  REQUIRE(second);
  CHECK(second->usable_until == at(100));
  CHECK(second->verified_until == at(1100));
  CHECK(second->session != nullptr);
  CHECK_FALSE(cache.take("a", at(0)));
  CHECK(cache.origins() == 0);
}

TEST_CASE("a session past its time is passed over and forgotten", "[tls]") {
  ResumptionCache cache(10, 4);
  cache.store("a", entry(200));
  cache.store("a", entry(100));
  CHECK(cache.take("a", at(100))->usable_until == at(200));
  cache.store("a", entry(300));
  CHECK_FALSE(cache.take("a", at(300)));
  CHECK(cache.origins() == 0);
}

TEST_CASE("the cache keeps to its bounds, and what leaves is the oldest", "[tls]") {
  ResumptionCache cache(2, 2);
  for (const int until : {1, 2, 3}) cache.store("a", entry(until));
  CHECK(cache.take("a", at(0))->usable_until == at(3));
  CHECK(cache.take("a", at(0))->usable_until == at(2));
  CHECK_FALSE(cache.take("a", at(0)));

  cache.store("a", entry(10));
  cache.store("a", entry(11));
  cache.store("b", entry(20));
  CHECK(cache.take("a", at(0)));  // now b is the one not used for longest
  cache.store("c", entry(30));
  CHECK(cache.origins() == 2);
  CHECK_FALSE(cache.take("b", at(0)));
  CHECK(cache.take("a", at(0)));
  CHECK(cache.take("c", at(0)));
}
