#include "tests/store/records.h"

namespace tollgate::store {
namespace {

std::vector<proto::Record> poll(Follow& follow) {
  std::vector<proto::Record> records;
  const auto polled = follow.poll([&](const proto::Record& record) {
    records.push_back(record);
    return true;
  });
  if (!polled) FAIL(polled.error().what);
  return records;
}

}  // namespace

TEST_CASE("following goes on exactly where the view ended, whatever is ingested meanwhile", "[store]") {
  const StateDir state;
  auto alive = writer(state, "RUN1", 2 * kibibyte);
  write(*alive, {exchange(1), exchange(2)});
  if (GENERATE(false, true)) ingest(state);
  write(*alive, {exchange(3)});
  auto follow = open_log(state).follow({});
  CHECK(poll(follow).empty());
  std::vector<std::int64_t> wanted;
  std::vector<std::string> seen;
  for (std::int64_t i = 4; i <= 100; ++i) {
    write(*alive, {exchange(i)});
    wanted.push_back(i);
    if (i % 10 == 0) ingest(state);
    if (i % 7 == 0) {
      const auto more = ids(poll(follow));
      seen.insert(seen.end(), more.begin(), more.end());
    }
  }
  const auto rest = ids(poll(follow));
  seen.insert(seen.end(), rest.begin(), rest.end());
  CHECK(seen == ids_of(wanted));
  CHECK(poll(follow).empty());
}

TEST_CASE("an exchange is followed once, when it ends", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  write(*alive, {begin(1)});
  if (GENERATE(false, true)) ingest(state);
  auto follow = open_log(state).follow({});
  write(*alive, {begin(2)});
  CHECK(poll(follow).empty());
  write(*alive, {exchange(2), exchange(1)});
  const auto records = poll(follow);
  CHECK(ids(records) == ids_of({2, 1}));
  CHECK(records[1].exchange().state() == "complete");
}

TEST_CASE("an exchange that its gateway leaves behind is followed as interrupted", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  write(*alive, {begin(1)});
  if (GENERATE(false, true)) ingest(state);
  auto follow = open_log(state).follow({});
  write(*alive, {begin(2), begin(3), exchange(3)});
  CHECK(ids(poll(follow)) == ids_of({3}));
  alive.reset();
  const auto records = poll(follow);
  CHECK(ids(records) == ids_of({1, 2}));
  for (const auto& record : records) CHECK(record.exchange().state() == "interrupted");
  CHECK(poll(follow).empty());
}

TEST_CASE("a filter holds for what is followed", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  Filter filter;
  filter.kind = Kind::exchange;
  filter.host = "wanted.test";
  auto follow = open_log(state).follow(filter);
  write(*alive, {exchange(1), connection(2),
                 exchange(3, [](proto::Exchange& exchange) { exchange.set_host("api.wanted.test"); })});
  CHECK(ids(poll(follow)) == ids_of({3}));
}

TEST_CASE("following begins before there is anything", "[store]") {
  const StateDir state;
  auto follow = open_log(state).follow({});
  CHECK(poll(follow).empty());
  auto alive = writer(state);
  write(*alive, {exchange(1)});
  CHECK(ids(poll(follow)) == ids_of({1}));
}

TEST_CASE("a visitor that stops gets the rest with the next poll", "[store]") {
  const StateDir state;
  auto alive = writer(state);
  auto follow = open_log(state).follow({});
  write(*alive, {exchange(1), exchange(2), exchange(3)});
  std::vector<std::string> first;
  REQUIRE(follow.poll([&](const proto::Record& record) {
    first.push_back(id(record));
    return false;
  }));
  CHECK(first == ids_of({1}));
  CHECK(ids(poll(follow)) == ids_of({2, 3}));
}

}  // namespace tollgate::store
