#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "gateway/base/byte_queue.h"
#include "gateway/base/bytes.h"
#include "gateway/base/clock.h"
#include "gateway/base/counters.h"
#include "gateway/base/id.h"
#include "gateway/base/log.h"
#include "gateway/base/units.h"

using namespace tollgate;
using Catch::Matchers::Contains;

// --- byte cursor

TEST_CASE("a cursor reads big-endian numbers of one to four bytes", "[base]") {
  const Bytes bytes{0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0xff, 0xfe, 0xfd, 0xfc};
  ByteCursor cursor(bytes);
  CHECK(cursor.u8() == 0x01);
  CHECK(cursor.u16() == 0x0203);
  CHECK(cursor.u24() == 0x040506U);
  CHECK(cursor.u32() == 0xfffefdfcU);
  CHECK(cursor.empty());
}

TEST_CASE("a read that does not fit returns nothing and moves nothing", "[base]") {
  const Bytes bytes{0x00, 0x03, 0xaa};
  ByteCursor cursor(bytes);
  CHECK_FALSE(cursor.u32());
  CHECK_FALSE(cursor.take(4));
  CHECK_FALSE(cursor.vector16());  // its length is there, its content is not
  CHECK(cursor.size() == 3);
  CHECK(cursor.u24() == 0x0003aaU);
  CHECK_FALSE(cursor.u8());
  CHECK(cursor.take(0)->empty());
}

TEST_CASE("a vector is as long as the number in front of it says", "[base]") {
  const Bytes bytes{0x02, 'a', 'b', 0x00, 0x01, 'c', 0x00, 0x00, 0x00, 'd'};
  ByteCursor cursor(bytes);
  CHECK(as_text(cursor.vector8().value()) == "ab");
  CHECK(as_text(cursor.vector16().value()) == "c");
  CHECK(cursor.vector24()->empty());
  CHECK(as_text(cursor.rest()) == "d");
}

// --- byte queue

TEST_CASE("a byte queue gives what it got, in order, however it is consumed", "[base]") {
  const auto step = GENERATE(std::size_t{1}, std::size_t{3}, std::size_t{7}, std::size_t{64});
  ByteQueue queue;
  std::string in;
  std::string out;
  for (int i = 0; i < 200; ++i) {
    const std::string text = std::to_string(i) + ",";
    in += text;
    queue.append(text);
    const std::size_t taken = std::min(step, queue.size());
    out += as_text(queue.view().first(taken));
    queue.consume(taken);
    REQUIRE(out.size() + queue.size() == in.size());
  }
  out += as_text(queue.take());
  CHECK(out == in);
  CHECK(queue.empty());
}

TEST_CASE("a queue appended to another moves all of it, behind what was there", "[base]") {
  ByteQueue first;
  ByteQueue second;
  second.append("xsecond");
  second.consume(1);
  SECTION("to an empty one") {
    first.append(std::move(second));
    CHECK(as_text(first.view()) == "second");
  }
  SECTION("to one with bytes") {
    first.append("yfirst ");
    first.consume(1);
    first.append(std::move(second));
    CHECK(as_text(first.view()) == "first second");
  }
  CHECK(second.empty());  // NOLINT(bugprone-use-after-move): that it is empty then is the promise
  first.clear();
  CHECK(first.empty());
}

// --- units

TEST_CASE("sizes and durations are numbers with units", "[base]") {
  CHECK(parse_byte_count("100") == 100);
  CHECK(parse_byte_count("100B") == 100);
  CHECK(parse_byte_count("64KiB") == 65536);
  CHECK(parse_byte_count("512 MiB") == 512 * mebibyte);
  CHECK(parse_byte_count("2GiB") == 2 * gibibyte);
  CHECK(parse_duration("500ms") == Millis(500));
  CHECK(parse_duration("30s") == Millis(30'000));
  CHECK(parse_duration("5 m") == Millis(300'000));
  CHECK(parse_duration("7d") == Millis(7LL * 86'400'000));
}

TEST_CASE("a size or duration that is not one says what is allowed", "[base]") {
  const auto text = GENERATE(as<std::string>(), "", "KiB", "-1KiB", "1.5MiB", "1kb", "1  KiB", "9223372036854775807KiB",
                             "99999999999999999999", "0x10", "1 KiB ");
  CAPTURE(text);
  const auto size = parse_byte_count(text);
  REQUIRE_FALSE(size);
  CHECK_THAT(size.error().what, Contains("KiB, MiB, GiB"));
  CHECK_FALSE(parse_duration(text));
  CHECK_FALSE(parse_duration("30"));  // of what?
}

TEST_CASE("sizes are written for people", "[base]") {
  CHECK(readable(0) == "0 B");
  CHECK(readable(1023) == "1023 B");
  CHECK(readable(1024) == "1.0 KiB");
  CHECK(readable(3 * mebibyte / 2) == "1.5 MiB");
  CHECK(readable(5 * gibibyte) == "5.0 GiB");
}

// --- clock

TEST_CASE("times are written in RFC 3339 with microseconds, and read back", "[base]") {
  const auto micros = GENERATE(std::int64_t{0}, std::int64_t{1'795'352'523'000'004}, std::int64_t{-1},
                               std::int64_t{951'782'400'000'000});
  CAPTURE(micros);
  CHECK(to_micros(parse_rfc3339(rfc3339(from_micros(micros))).value()) == micros);
  CHECK(rfc3339(from_micros(1'795'352'523'000'004)) == "2026-11-22T13:02:03.000004Z");
  CHECK(rfc3339(from_micros(951'782'400'000'000)) == "2000-02-29T00:00:00.000000Z");
  CHECK(rfc3339(from_micros(-1)) == "1969-12-31T23:59:59.999999Z");
}

TEST_CASE("any offset and any number of fraction digits is the same moment", "[base]") {
  const auto text = GENERATE(as<std::string>(), "2026-11-22T13:02:03.5Z", "2026-11-22t13:02:03.500z",
                             "2026-11-22 14:02:03.5000009+01:00", "2026-11-21T23:32:03.50-13:30");
  CAPTURE(text);
  CHECK(parse_rfc3339(text).value() == from_micros(1'795'352'523'500'000));
}

TEST_CASE("what is no time is refused", "[base]") {
  const auto text =
      GENERATE(as<std::string>(), "", "2026-11-22", "2026-11-22T13:02:03", "2026-13-01T00:00:00Z",
               "2026-02-29T00:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T13:60:00Z", "2026-11-22T13:02:61Z",
               "2026-11-22T13:02:03.Z", "2026-11-22T13:02:03+0100", "2026-11-22T13:02:03Zx", "2026-1-22T13:02:03Z",
               "2026-11-22T13:02:03+24:00", "-026-11-22T13:02:03Z");
  CAPTURE(text);
  const auto time = parse_rfc3339(text);
  REQUIRE_FALSE(time);
  CHECK(time.error().kind == Error::Kind::malformed);
}

// --- ids

TEST_CASE("ids sort by time, never repeat, and never go backwards with the clock", "[base]") {
  IdSource ids;
  std::string last;
  std::set<std::string> seen;
  const std::int64_t start = 1'795'352'523'000'000;
  for (int i = 0; i < 5000; ++i) {
    const std::int64_t when =
        i < 2500 ? start + i * 100 : start - i * 1'000'000LL;  // ten a millisecond, then backwards
    const std::string id = ids.next(from_micros(when));
    REQUIRE(id.size() == 26);
    REQUIRE(id.find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ") == std::string::npos);
    REQUIRE(id > last);
    last = id;
    seen.insert(id);
  }
  CHECK(seen.size() == 5000);
}

TEST_CASE("an id begins with its milliseconds, as ULIDs do", "[base]") {
  IdSource ids;
  // The specification's example: 1469918176385 is 01ARYZ6S41.
  CHECK(ids.next(from_micros(1'469'918'176'385'000)).substr(0, 10) == "01ARYZ6S41");
  IdSource others;
  CHECK(ids.next(from_micros(1'469'918'176'385'000)).substr(10) !=
        others.next(from_micros(1'469'918'176'385'000)).substr(10));
}

// --- counters and log

TEST_CASE("each counter has one entry, in its place, with a name of its own", "[base]") {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < counter_table.size(); ++i) {
    const CounterEntry& entry = counter_table.at(i);
    CAPTURE(entry.name);
    CHECK(static_cast<std::size_t>(entry.counter) == i);
    CHECK(names.insert(entry.name).second);
    CHECK(entry.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos);
    CHECK_FALSE(entry.help.empty());
  }
}

TEST_CASE("counters count, each for itself", "[base]") {
  Counters counters;
  counters.add(Counter::exchanges);
  counters.add(Counter::exchanges, 41);
  CHECK(counters.get(Counter::exchanges) == 42);
  CHECK(counters.get(Counter::exchanges_unfinished) == 0);
  CHECK(counters.get(Counter::connections_accepted) == 0);
}

TEST_CASE("a log level that is none says which there are", "[base]") {
  const auto status = start_logging("loud");
  REQUIRE_FALSE(status);
  CHECK_THAT(status.error().what, Contains("\"loud\"") && Contains("debug") && Contains("off"));
}
