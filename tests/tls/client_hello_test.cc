#include "gateway/tls/client_hello.h"

#include <catch2/catch.hpp>
#include <string>

#include "tests/tls/hello_builder.h"

using namespace tollgate;
using namespace tollgate::tls;
using namespace tollgate::tls::test;
using namespace std::string_literals;

namespace {

ClientHello read_whole(ByteView bytes) {
  auto peeked = peek_client_hello(bytes);
  REQUIRE(peeked);
  REQUIRE(std::holds_alternative<ClientHello>(*peeked));
  return std::get<ClientHello>(std::move(*peeked));
}

ByteCount more_needed(ByteView bytes, ByteCount limit = client_hello_limit) {
  const auto peeked = peek_client_hello(bytes, limit);
  REQUIRE(peeked);
  REQUIRE(std::holds_alternative<NeedMore>(*peeked));
  return std::get<NeedMore>(*peeked).at_least;
}

Error::Kind refused(ByteView bytes, ByteCount limit = client_hello_limit) {
  const auto peeked = peek_client_hello(bytes, limit);
  REQUIRE_FALSE(peeked);
  CAPTURE(peeked.error().what);
  REQUIRE(peeked.error().what.starts_with("ClientHello: "));
  return peeked.error().kind;
}

Bytes with_extension(Extension extension) {
  Hello hello;
  hello.extensions = {std::move(extension)};
  return record_of(hello);
}

}  // namespace

TEST_CASE("a ClientHello tells what the client offers, in its order", "[tls]") {
  const auto bytes = record_of(app_hello("Weather.Example.TEST."));
  const auto hello = read_whole(bytes);
  CHECK(hello.server_name->text() == "weather.example.test");
  CHECK(hello.alpn == std::vector<std::string>{"h2", "http/1.1"});
  CHECK(hello.legacy_version == 0x0303);
  CHECK(hello.supported_versions == std::vector<std::uint16_t>{0x4a4a, 0x0304, 0x0303});
  CHECK(hello.cipher_suites == std::vector<std::uint16_t>{0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02c, 0xc02b, 0xcca9});
  CHECK(hello.extensions == std::vector<std::uint16_t>{0x3a3a, 0, 16, 13, 43, 51, 0x5a5a});
  CHECK(hello.signature_algorithms == std::vector<std::uint16_t>{0x0403, 0x0804, 0x0401});
  CHECK_FALSE(hello.has_encrypted_client_hello);
  CHECK_FALSE(hello.has_pre_shared_key);
  CHECK_FALSE(hello.has_early_data);
  CHECK(hello.wire_size == bytes.size());
}

TEST_CASE("a ClientHello is recognised however the network cuts it", "[tls]") {
  const auto bytes = record_of(app_hello("weather.example.test"));
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    CAPTURE(cut);
    const auto at_least = more_needed(ByteView(bytes).first(cut));
    CHECK(at_least > cut);
    CHECK(at_least <= bytes.size());
  }
  CHECK(read_whole(bytes).server_name->text() == "weather.example.test");
}

TEST_CASE("a ClientHello is joined from records of any size", "[tls]") {
  const auto message = app_hello("weather.example.test").message();
  const auto fragment = GENERATE_COPY(range(std::size_t{1}, std::size_t{80}), 255, 256, 512, 1024, message.size() - 1);
  CAPTURE(fragment);
  const auto bytes = in_records(message, fragment);
  const auto hello = read_whole(bytes);
  CHECK(hello.server_name->text() == "weather.example.test");
  CHECK(hello.extensions.size() == 7);
  CHECK(hello.wire_size == bytes.size());
  // Cut within the first two headers, around a record's end, and just before the end.
  for (const std::size_t cut :
       {std::size_t{1}, std::size_t{5}, std::size_t{6}, fragment + 4, fragment + 5, fragment + 7, bytes.size() - 1}) {
    if (cut >= bytes.size()) continue;
    CAPTURE(cut);
    const auto at_least = more_needed(ByteView(bytes).first(cut));
    CHECK(at_least > cut);
    CHECK(at_least <= bytes.size());
  }
}

TEST_CASE("what follows a ClientHello is not looked at", "[tls]") {
  auto bytes = record_of(app_hello("weather.example.test"));
  const auto size = bytes.size();
  bytes.insert(bytes.end(), {20, 3, 3, 0, 1, 1, 0xff, 0xff});
  CHECK(read_whole(bytes).wire_size == size);
}

TEST_CASE("a record that says how long it is says how much is needed", "[tls]") {
  const auto bytes = record_of(app_hello("weather.example.test"));
  CHECK(more_needed({}) == 9);
  CHECK(more_needed(ByteView(bytes).first(5)) == bytes.size());
  CHECK(more_needed(ByteView(bytes).first(9)) == bytes.size());
  // Two records: the message's length is known from the first, the second's header is still to come.
  const auto split = in_records(app_hello("weather.example.test").message(), 1000);
  CHECK(more_needed(ByteView(split).first(9)) == split.size());
}

TEST_CASE("a hello from before extensions is read", "[tls]") {
  Hello old;
  old.version = 0x0301;
  old.session_id = {};
  old.cipher_suites = {0x002f};
  const auto hello = read_whole(record_of(old));
  CHECK_FALSE(hello.server_name);
  CHECK(hello.legacy_version == 0x0301);
  CHECK(hello.extensions.empty());
}

TEST_CASE("an address for a server name is as good as none", "[tls]") {
  const auto* const literal = GENERATE("192.0.2.7", "2001:db8::7", "::1");
  const auto hello = read_whole(with_extension(server_name(literal)));
  CHECK_FALSE(hello.server_name);
  CHECK(hello.extensions == std::vector<std::uint16_t>{0});
}

TEST_CASE("a server name that is neither name nor address is malformed", "[tls]") {
  const auto name = GENERATE(as<std::string>(), "", " ", "a..test", ".", "tracker.test\0.weather.test"s,
                             "b\xc3\xbc.test", "weather.test:443", "[::1]", "127.1", std::string(254, 'a'));
  CAPTURE(name);
  CHECK(refused(with_extension(server_name(name))) == Error::Kind::malformed);
}

TEST_CASE("server names of other types are passed over, a second host name is not", "[tls]") {
  const auto entry = [](std::uint8_t type, std::string_view name) {
    return joined({{type}, vector_of(2, as_bytes(name))});
  };
  const auto names = [&](const std::vector<Bytes>& entries) {
    return with_extension({0, vector_of(2, joined(entries))});
  };
  CHECK(read_whole(names({entry(7, "other"), entry(0, "weather.test")})).server_name->text() == "weather.test");
  CHECK_FALSE(read_whole(names({entry(7, "other")})).server_name);
  CHECK(refused(names({entry(0, "a.test"), entry(0, "b.test")})) == Error::Kind::malformed);
  CHECK(refused(names({})) == Error::Kind::malformed);
}

TEST_CASE("marks of ECH, resumption and early data are seen", "[tls]") {
  Hello offer;
  offer.extensions = {{0xfe0d, {0}}, {42, {}}, {41, {0}}};
  const auto hello = read_whole(record_of(offer));
  CHECK(hello.has_encrypted_client_hello);
  CHECK(hello.has_early_data);
  CHECK(hello.has_pre_shared_key);
}

TEST_CASE("nonsense is refused at the first byte that shows it", "[tls]") {
  struct Case {
    std::string what;
    Bytes bytes;  // its last byte is the one that shows it
  };
  const auto c = GENERATE(values<Case>({
      {"HTTP", bytes_of("G")},
      {"an SSLv2 hello", {0x80}},
      {"an alert", {21}},
      {"a version that is no TLS", {22, 2}},
      {"an empty record", {22, 3, 1, 0, 0}},
      {"an oversize record", {22, 3, 1, 0x40, 1}},
      {"a ServerHello", {22, 3, 3, 0, 90, 2}},
      {"a record longer than its message", {22, 3, 1, 0, 90, 1, 0, 0, 85}},
      {"another record type in between", {22, 3, 1, 0, 2, 1, 0, 23}},
  }));
  CAPTURE(c.what);
  CHECK(more_needed(ByteView(c.bytes).first(c.bytes.size() - 1)) > c.bytes.size() - 1);
  CHECK(refused(c.bytes) == Error::Kind::malformed);
}

TEST_CASE("a hello that would not fit its limit is refused as soon as its length is known", "[tls]") {
  const auto bytes = in_records(app_hello("weather.example.test").message(), 1000);
  CHECK(read_whole(bytes).wire_size == bytes.size());
  CHECK(peek_client_hello(bytes, bytes.size()));
  CHECK(refused(bytes, bytes.size() - 1) == Error::Kind::too_large);
  CHECK(more_needed(ByteView(bytes).first(8), bytes.size() - 1) <= bytes.size() - 1);
  CHECK(refused(ByteView(bytes).first(9), bytes.size() - 1) == Error::Kind::too_large);
  CHECK(refused(Bytes{22, 3, 1, 0x40, 0, 1, 1, 0, 0}) == Error::Kind::too_large);
  // 60,000 bytes would fit, but not in records of one byte.
  CHECK(refused(in_records(Bytes(joined({{1}, vector_of(3, Bytes(60000, 0))})), 1)) == Error::Kind::too_large);
}

TEST_CASE("lengths that contradict each other are malformed", "[tls]") {
  const Extension c = GENERATE(values<Extension>({
      {0, {}},                              // server_name without its list
      {0, {0, 6, 0, 0, 9, 'a', '.', 'b'}},  // a name longer than the list
      {0, {0, 4, 0, 0, 1, 'a', 0}},         // something after the list
      {16, {0, 0}},                         // ALPN without a protocol
      {16, {0, 1, 0}},                      // an empty protocol
      {16, {0, 3, 5, 'h', '2'}},            // a protocol longer than the list
      {16, {0, 3, 2, 'h', '2', 0}},         // something after the list
      {43, {3, 3, 4, 3}},                   // half a version
      {43, {0}},                            // no version
      {43, {2, 3, 4, 0}},                   // something after the list
      {13, {0, 1, 4}},                      // half an algorithm
      {13, {0, 4, 4, 3}},                   // a list longer than its extension
  }));
  CAPTURE(c.type, c.data);
  CHECK(refused(with_extension(c)) == Error::Kind::malformed);
}

TEST_CASE("a body whose parts do not fit is malformed", "[tls]") {
  const auto body_refused = [](ByteView body) { return refused(in_records(joined({{1}, vector_of(3, body)}))); };
  const auto body = app_hello("weather.example.test").body();
  // The message's length agrees with its record, the body ends early. Ending right before the extensions is an old
  // hello.
  const std::size_t extensions_at = 2 + 32 + 33 + 2 + 14 + 2;
  for (std::size_t size = 0; size < body.size(); size += size < 100 ? 1 : 7) {
    if (size == extensions_at) continue;
    CAPTURE(size);
    CHECK(body_refused(ByteView(body).first(size)) == Error::Kind::malformed);
  }
  CHECK(body_refused(joined({body, {0}})) == Error::Kind::malformed);

  const auto changed_refused = [](auto change) {
    Hello hello = app_hello("weather.example.test");
    change(hello);
    return refused(record_of(hello));
  };
  CHECK(changed_refused([](Hello& h) { h.session_id.resize(33); }) == Error::Kind::malformed);
  CHECK(changed_refused([](Hello& h) { h.cipher_suites.clear(); }) == Error::Kind::malformed);
  CHECK(changed_refused([](Hello& h) { h.compression_methods.clear(); }) == Error::Kind::malformed);
  CHECK(changed_refused([](Hello& h) { h.version = 0x0200; }) == Error::Kind::malformed);
}

TEST_CASE("an extension may be there once", "[tls]") {
  Hello hello = app_hello("weather.example.test");
  hello.extensions.push_back(server_name("other.test"));
  CHECK(refused(record_of(hello)) == Error::Kind::malformed);
  hello.extensions.back() = {0x3a3a, {}};  // GREASE is no exception
  CHECK(refused(record_of(hello)) == Error::Kind::malformed);
}

TEST_CASE("a few bytes tell TLS from other protocols", "[tls]") {
  const auto hello = record_of(app_hello("weather.example.test"));
  for (std::size_t count = 1; count < 12; ++count) CHECK(looks_like_tls(ByteView(hello).first(count)));
  CHECK(looks_like_tls(hello));
  CHECK_FALSE(looks_like_tls({}));
  CHECK_FALSE(looks_like_tls(as_bytes("GET / HTTP/1.1")));
  CHECK_FALSE(looks_like_tls(as_bytes("SSH-2.0-")));
  CHECK_FALSE(looks_like_tls(Bytes{0x16, 'x'}));
  CHECK_FALSE(looks_like_tls(Bytes{22, 3, 3, 0, 90, 2}));
  CHECK_FALSE(looks_like_tls(Bytes{22, 3, 3, 0x7f, 0xff}));
}

TEST_CASE("GREASE is told from values that only look like it", "[tls]") {
  CHECK(is_grease(0x0a0a));
  CHECK(is_grease(0xfafa));
  CHECK_FALSE(is_grease(0x0a1a));
  CHECK_FALSE(is_grease(0x1301));
  CHECK_FALSE(is_grease(0x0000));
}
