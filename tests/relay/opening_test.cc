#include "gateway/relay/opening.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "gateway/relay/address_guard.h"
#include "tests/tls/hello_builder.h"

using namespace tollgate;
using namespace tollgate::relay;
using Catch::Matchers::Contains;

namespace {

Bytes client_hello_for(std::string_view name, std::size_t fragment) {
  tls::test::Hello hello;
  hello.extensions = {tls::test::server_name(name), tls::test::alpn({"h2", "http/1.1"}),
                      tls::test::supported_versions({0x0304})};
  return tls::test::in_records(hello.message(), fragment);
}

struct Case {
  std::string_view bytes;
  std::size_t opening;  // index in Opening
};
template <class T>
constexpr std::size_t index_of() {
  return Opening(T{}).index();
}

// What is decided about `bytes` at each length, which is Unclear up to some point and the same ever after.
void check_every_cut(ByteView bytes, std::size_t expected) {
  bool decided = false;
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    CAPTURE(size);
    const std::size_t opening = recognise(bytes.first(size)).index();
    if (opening != index_of<OpeningUnclear>()) {
      decided = true;
      REQUIRE(opening == expected);
    } else {
      REQUIRE_FALSE(decided);
    }
  }
  REQUIRE(recognise(bytes).index() == expected);
}

}  // namespace

TEST_CASE("a ClientHello is recognised at its last byte, however it is cut into records and reads", "[relay]") {
  const auto fragment = GENERATE(std::size_t{16384}, std::size_t{60}, std::size_t{1});
  CAPTURE(fragment);
  const Bytes hello = client_hello_for("weather.test", fragment);
  check_every_cut(hello, index_of<OpeningTls>());
  CHECK(std::holds_alternative<OpeningUnclear>(recognise(ByteView(hello).first(hello.size() - 1))));
  const auto opening = recognise(hello);
  CHECK(std::get<OpeningTls>(opening).hello.server_name->text() == "weather.test");
}

TEST_CASE("the first lines of protocols are told apart, and no cut changes the answer", "[relay]") {
  const auto one = GENERATE(
      Case{"GET / HTTP/1.1\r\n", index_of<OpeningHttp1>()}, Case{"OPTIONS * HTTP/1.1\r\n", index_of<OpeningHttp1>()},
      Case{"POST http://a.test/x HTTP/1.1\r\n", index_of<OpeningHttp1>()},
      Case{"PROPFIND /dav HTTP/1.1\r\n", index_of<OpeningHttp1>()},
      Case{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", index_of<OpeningHttp2>()},
      Case{"PRI * HTTP/2.0\r\n\r\nNO", index_of<OpeningOpaque>()},
      Case{"EHLO client.test\r\n", index_of<OpeningOpaque>()}, Case{"HELO h\r\n", index_of<OpeningOpaque>()},
      Case{"MAIL FROM:<a@b.test>\r\n", index_of<OpeningOpaque>()},
      Case{"a001 LOGIN u p\r\n", index_of<OpeningOpaque>()},
      Case{"* OK IMAP4rev1 ready\r\n", index_of<OpeningOpaque>()},
      Case{"220 mx.test ESMTP\r\n", index_of<OpeningOpaque>()},
      Case{"SSH-2.0-OpenSSH_9.2\r\n", index_of<OpeningOpaque>()}, Case{"USER anonymous\r\n", index_of<OpeningOpaque>()},
      Case{"*1\r\n$4\r\nPING\r\n", index_of<OpeningOpaque>()}, Case{"PING\r\n", index_of<OpeningOpaque>()},
      Case{"get / HTTP/1.1\r\n", index_of<OpeningOpaque>()}, Case{"GET  / HTTP/1.1\r\n", index_of<OpeningOpaque>()},
      Case{"\r\n", index_of<OpeningOpaque>()}, Case{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", index_of<OpeningOpaque>()});
  CAPTURE(one.bytes);
  check_every_cut(as_bytes(one.bytes), one.opening);
}

TEST_CASE("TLS that nobody could answer is broken, not opaque", "[relay]") {
  Bytes hello = client_hello_for("weather.test", 16384);
  hello[9] = 0x01;  // client_version 0x01…, and then
  hello.erase(hello.end() - 2, hello.end());
  hello[3] = static_cast<std::uint8_t>((hello.size() - 5) >> 8);  // a record that ends where the message does not
  hello[4] = static_cast<std::uint8_t>(hello.size() - 5);
  hello.insert(hello.end(), {0x17, 0x03, 0x03, 0x00, 0x01, 0x00});  // and another type of record in its middle
  const auto opening = recognise(hello);
  REQUIRE(std::holds_alternative<OpeningBroken>(opening));
  CHECK_FALSE(std::get<OpeningBroken>(opening).what.empty());
}

// --- which addresses may be reached

namespace {

using Local = AddressGuard::LocalAddresses;

std::vector<IpAddress> interfaces = {};  // NOLINT: what the guard asks is a plain function
AddressGuard guard_with_own(std::string_view own) {
  interfaces = {IpAddress::parse(own).value()};
  return AddressGuard([] { return interfaces; });
}
SocketAddress at(std::string_view ip, std::uint16_t port = 443) { return {IpAddress::parse(ip).value(), port}; }

}  // namespace

TEST_CASE("clients reach no address of the machine or its neighbourhood, in any spelling", "[relay]") {
  AddressGuard guard = guard_with_own("192.0.2.7");
  const auto [ip, why] = GENERATE(table<std::string, std::string>({{"127.0.0.1", "loopback"},
                                                                   {"127.255.0.9", "loopback"},
                                                                   {"::1", "loopback"},
                                                                   {"::ffff:127.0.0.1", "loopback"},
                                                                   {"169.254.169.254", "link-local"},
                                                                   {"::ffff:169.254.169.254", "link-local"},
                                                                   {"fe80::1", "link-local"},
                                                                   {"0.0.0.0", "unspecified"},
                                                                   {"0.1.2.3", "unspecified"},
                                                                   {"::", "unspecified"},
                                                                   {"224.0.0.251", "multicast"},
                                                                   {"ff02::fb", "multicast"},
                                                                   {"255.255.255.255", "multicast"},
                                                                   {"192.0.2.7", "the gateway itself"},
                                                                   {"::ffff:192.0.2.7", "the gateway itself"}}));
  CAPTURE(ip);
  CHECK_THAT(guard.refusal(at(ip), Local::refused, mono_now()), Contains(why));
  CHECK(guard.refusal(at(ip), Local::permitted, mono_now()).empty());
  guard.permit({IpAddress::parse(ip).value()});
  CHECK(guard.refusal(at(ip), Local::refused, mono_now()).empty());
}

TEST_CASE("other addresses are reached", "[relay]") {
  AddressGuard guard = guard_with_own("192.0.2.7");
  for (const auto* const ip : {"192.0.2.8", "10.0.0.1", "2001:db8::1", "128.0.0.1", "223.255.255.255", "169.253.0.1"}) {
    CAPTURE(ip);
    CHECK(guard.refusal(at(ip), Local::refused, mono_now()).empty());
  }
}

TEST_CASE("the gateway's own listeners are refused whatever the settings permit", "[relay]") {
  AddressGuard guard = guard_with_own("192.0.2.7");
  guard.add_own_port(9090);
  for (const auto* const ip : {"127.0.0.1", "::1", "0.0.0.0", "::", "192.0.2.7", "::ffff:192.0.2.7"}) {
    CAPTURE(ip);
    guard.permit({IpAddress::parse(ip).value()});
    CHECK_THAT(guard.refusal(at(ip, 9090), Local::permitted, mono_now()), Contains("gateway itself"));
    CHECK(guard.refusal(at(ip, 9091), Local::permitted, mono_now()).empty());
  }
  CHECK(guard.refusal(at("192.0.2.8", 9090), Local::refused, mono_now()).empty());
}

TEST_CASE("an address that the machine gets later is its own within seconds", "[relay]") {
  AddressGuard guard = guard_with_own("192.0.2.7");
  const MonoTime start = mono_now();
  interfaces = {IpAddress::parse("192.0.2.9").value()};
  CHECK(guard.refusal(at("192.0.2.9"), Local::refused, start + Seconds(5)).empty());
  CHECK_FALSE(guard.refusal(at("192.0.2.9"), Local::refused, start + Seconds(11)).empty());
  CHECK(guard.refusal(at("192.0.2.7"), Local::refused, start + Seconds(12)).empty());
}
