#include "gateway/journal/segment.h"

#include <catch2/catch.hpp>

#include "tests/journal/journal_testing.h"

namespace tollgate::journal {
namespace {

TEST_CASE("a segment's name is read as it was written, and no other spelling is one", "[journal]") {
  const SegmentName name{"01KAMZ5W8H3V0Q7T2E9RSCXD4B", 12, 345};
  REQUIRE(name.text() == "01KAMZ5W8H3V0Q7T2E9RSCXD4B-012-00000345.tgj");
  REQUIRE(SegmentName::parse(name.text()).value() == name);
  const SegmentName large{"R", 65535, 4294967295};
  REQUIRE(SegmentName::parse(large.text()).value() == large);

  const std::string other = GENERATE("", ".tgj", "R-012-00000345", "R-12-00000345.tgj", "R-012-345.tgj",
                                     "R-012--0000345.tgj", "-012-00000345.tgj", "R/-012-00000345.tgj",
                                     "R-65536-00000001.tgj", "R-012-00000345.tgj.tgj", "R-012-00000345.TGJ");
  CAPTURE(other);
  REQUIRE_FALSE(SegmentName::parse(other).has_value());
}

TEST_CASE("the header is laid out as docs/journal.md says", "[journal]") {
  const SegmentHeader header{{"RUN7", 0x0102, 0x03040506}, from_micros(0x0708090a0b0c0d0e)};
  const auto bytes = encode_header(header);
  const std::string text(as_text(bytes));
  REQUIRE(text.substr(0, 8) == "\x89TGJ\r\n\x1a\n");
  REQUIRE(text.substr(8, 16) == std::string("\0\1\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e", 16));
  REQUIRE(text.substr(24, 36) == "RUN7" + std::string(32, '\0'));
  const auto read = decode_header(bytes);
  REQUIRE(read.has_value());
  REQUIRE(read->name == header.name);
  REQUIRE(read->created == header.created);
}

TEST_CASE("a header with any bit flipped, or cut, is damaged", "[journal]") {
  const auto sound = encode_header({{"RUN", 1, 2}, from_micros(3)});
  for (std::size_t bit = 0; bit < 8 * header_size; ++bit) {
    auto bytes = sound;
    bytes.at(bit / 8) ^= static_cast<std::uint8_t>(1U << (bit % 8));
    CAPTURE(bit);
    const auto read = decode_header(bytes);
    REQUIRE_FALSE(read.has_value());
    REQUIRE(read.error().kind == Error::Kind::malformed);
  }
  for (std::size_t size = 0; size < header_size; ++size) {
    REQUIRE(decode_header(ByteView(sound).first(size)).error().kind == Error::Kind::malformed);
  }
}

TEST_CASE("an entry is laid out as docs/journal.md says", "[journal]") {
  proto::Record record;
  record.mutable_hint()->set_id("1");
  std::string bytes;
  REQUIRE(append_entry(record, bytes));
  // The payload: field 5 (hint), 3 bytes: field 1 (id), 1 byte. CRC-32 of length and payload as Python's zlib gives it.
  const std::string payload("\x2a\x03\x0a\x01\x31", 5);
  REQUIRE(bytes.substr(0, 8) == std::string("\xff\x74\x67\xfe\0\0\0\5", 8));
  REQUIRE(bytes.substr(8, 4) == std::string("\x6a\x52\xa9\xfb", 4));
  REQUIRE(bytes.substr(12) == payload);
}

TEST_CASE("an entry is recognised whole, and asks for more when it is cut", "[journal]") {
  std::string bytes;
  REQUIRE(append_entry(exchange("1"), bytes));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    const auto found = peek_entry(as_bytes(bytes).first(size));
    REQUIRE(std::holds_alternative<NeedMore>(found));
    REQUIRE(std::get<NeedMore>(found).at_least > size);
    REQUIRE(std::get<NeedMore>(found).at_least <= bytes.size());
  }
  const auto found = peek_entry(as_bytes(bytes + "more"));
  REQUIRE(std::get<Whole>(found).size == bytes.size());
}

TEST_CASE("an entry with any bit flipped is never taken for one", "[journal]") {
  std::string sound;
  REQUIRE(append_entry(exchange("1"), sound));
  for (std::size_t bit = 0; bit < 8 * sound.size(); ++bit) {
    std::string bytes = sound;
    bytes[bit / 8] = static_cast<char>(static_cast<std::uint8_t>(bytes[bit / 8]) ^ (1U << (bit % 8)));
    CAPTURE(bit);
    REQUIRE_FALSE(std::holds_alternative<Whole>(peek_entry(as_bytes(bytes))));
  }
}

TEST_CASE("zeros, as some file systems leave them, are no entry", "[journal]") {
  REQUIRE(std::holds_alternative<NotAnEntry>(peek_entry(as_bytes(std::string(4096, '\0')))));
}

TEST_CASE("a record too large for an entry, or without content, is not appended", "[journal]") {
  std::string bytes = "before";
  proto::Record record;
  REQUIRE_FALSE(append_entry(record, bytes));
  record.mutable_exchange()->set_path(std::string(max_payload, 'p'));
  REQUIRE_FALSE(append_entry(record, bytes));
  REQUIRE(bytes == "before");
}

}  // namespace
}  // namespace tollgate::journal
