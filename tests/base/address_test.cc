#include "gateway/base/address.h"

#include <catch2/catch.hpp>
#include <string>

#include "gateway/base/names.h"

using namespace tollgate;
using Catch::Matchers::Contains;

namespace {
IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
std::string label(std::size_t size) { return std::string(size, 'a'); }
}  // namespace

TEST_CASE("a host name is lower-case and has no final dot", "[base]") {
  CHECK(HostName::parse("WWW.Example.TEST.")->text() == "www.example.test");
  CHECK(HostName::parse("_dmarc.a-b.test")->text() == "_dmarc.a-b.test");
  CHECK(HostName::parse("localhost")->text() == "localhost");
  CHECK(HostName::parse("xn--bcher-kva.test")->text() == "xn--bcher-kva.test");
  CHECK(HostName::parse("1.example.test")->text() == "1.example.test");
  CHECK(*HostName::parse("A.test") == *HostName::parse("a.TEST."));
}

TEST_CASE("labels have at most 63 characters and names 253, the final dot not counted", "[base]") {
  CHECK(HostName::parse(label(63) + ".test"));
  CHECK_FALSE(HostName::parse(label(64) + ".test"));
  const std::string longest = label(63) + "." + label(63) + "." + label(63) + "." + label(61);
  REQUIRE(longest.size() == 253);
  CHECK(HostName::parse(longest));
  CHECK(HostName::parse(longest + "."));
  CHECK_FALSE(HostName::parse(longest + "a"));
}

TEST_CASE("what is no host name is refused", "[base]") {
  const auto text = GENERATE(as<std::string>(), "", ".", "a..test", ".a.test", "a.test..", "a b.test", "a.test\r\n",
                             "b\xc3\xbc.test", "a/b", "a:80", "*.a.test", "user@a.test", "[::1]");
  CAPTURE(text);
  const auto name = HostName::parse(text);
  REQUIRE_FALSE(name);
  CHECK(name.error().kind == Error::Kind::malformed);
}

TEST_CASE("a name whose last label is a number is an IPv4 address in disguise", "[base]") {
  const auto text = GENERATE(as<std::string>(), "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "a.0x7f",
                             "a.test.1", "1.2.3.4.", "0x", "a.0X1");
  CAPTURE(text);
  const auto name = HostName::parse(text);
  REQUIRE_FALSE(name);
  CHECK_THAT(name.error().what, Contains("number"));
}

TEST_CASE("names compare without case, in ASCII only", "[base]") {
  CHECK(equal_ignoring_case("Content-Length", "content-LENGTH"));
  CHECK_FALSE(equal_ignoring_case("a", "ab"));
  CHECK_FALSE(equal_ignoring_case("[", "{"));  // they differ by 0x20, as letters do
  CHECK_FALSE(equal_ignoring_case("\xc3\x84", "\xc3\xa4"));
  CHECK(ascii_lower("A[Z@\xc3\x84") == "a[z@\xc3\x84");
}

TEST_CASE("a v4-mapped address is the IPv4 address", "[base]") {
  CHECK(ip("::ffff:1.2.3.4") == ip("1.2.3.4"));
  CHECK(ip("::ffff:7f00:1").text() == "127.0.0.1");
  CHECK(ip("::ffff:7f00:1").is_v4());
  CHECK(ip("::ffff:127.0.0.1").is_loopback());
  CHECK(ip("::ffff:1.2.3.4").bytes().size() == 4);
  CHECK_FALSE(ip("::1.2.3.4").is_v4());  // v4-compatible is something else, and long dead
  CHECK(ip("2001:DB8:0::1").text() == "2001:db8::1");
}

TEST_CASE("addresses are loopback, link-local, unspecified, multicast, or none of these", "[base]") {
  using Is = std::string;
  const auto [text, kind] = GENERATE(table<std::string, Is>({{"127.0.0.1", "loopback"},
                                                             {"127.255.255.255", "loopback"},
                                                             {"::1", "loopback"},
                                                             {"126.255.255.255", ""},
                                                             {"128.0.0.0", ""},
                                                             {"169.254.0.0", "link-local"},
                                                             {"169.255.0.0", ""},
                                                             {"169.253.255.255", ""},
                                                             {"fe80::", "link-local"},
                                                             {"febf:ffff::1", "link-local"},
                                                             {"fec0::", ""},
                                                             {"fe7f::", ""},
                                                             {"0.0.0.0", "unspecified"},
                                                             {"0.255.0.1", "unspecified"},
                                                             {"::", "unspecified"},
                                                             {"::2", ""},
                                                             {"224.0.0.0", "multicast"},
                                                             {"239.255.255.255", "multicast"},
                                                             {"240.0.0.1", ""},
                                                             {"223.255.255.255", ""},
                                                             {"ff00::", "multicast"},
                                                             {"feff::", ""},
                                                             {"255.255.255.255", "multicast"},
                                                             {"255.255.255.254", ""},
                                                             {"10.0.0.1", ""},
                                                             {"1::1", ""}}));
  CAPTURE(text);
  CHECK(ip(text).is_loopback() == (kind == "loopback"));
  CHECK(ip(text).is_link_local() == (kind == "link-local"));
  CHECK(ip(text).is_unspecified() == (kind == "unspecified"));
  CHECK(ip(text).is_multicast() == (kind == "multicast"));
}

TEST_CASE("what is no IP address is refused", "[base]") {
  const auto text = GENERATE(as<std::string>(), "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "0x7f.0.0.1",
                             "1.2.3.4 ", " 1.2.3.4", "[::1]", "::1%lo", ":::", "1:2:3:4:5:6:7:8:9", "a.test");
  CAPTURE(text);
  CHECK_FALSE(IpAddress::parse(text));
  CHECK_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0x", 9)));
}

TEST_CASE("a host is a name or a literal, IPv6 in brackets", "[base]") {
  CHECK(Host::parse("Example.test")->name()->text() == "example.test");
  CHECK(*Host::parse("1.2.3.4")->address() == ip("1.2.3.4"));
  CHECK(*Host::parse("[::1]")->address() == ip("::1"));
  CHECK(Host::parse("[2001:DB8::1]")->text() == "2001:db8::1");
  CHECK(Host::parse("[2001:DB8::1]")->uri_text() == "[2001:db8::1]");
  CHECK(Host::parse("1.2.3.4")->uri_text() == "1.2.3.4");
  CHECK(Host::parse("[::ffff:1.2.3.4]")->text() == "1.2.3.4");
  const auto text = GENERATE(as<std::string>(), "::1", "[1.2.3.4]", "[::1", "::1]", "[]", "[a.test]", "[::1%25lo]",
                             "1.2.3", "1.2.3.4.5", "");
  CAPTURE(text);
  CHECK_FALSE(Host::parse(text));
}

TEST_CASE("an authority is host:port, its port required unless there is a default", "[base]") {
  CHECK(Authority::parse("Example.test:8443", 443)->text() == "example.test:8443");
  CHECK(Authority::parse("example.test", 443)->text() == "example.test:443");
  CHECK(Authority::parse("[::1]:80", 0)->text() == "[::1]:80");
  CHECK(Authority::parse("[::1]", 443)->text() == "[::1]:443");
  CHECK(Authority::parse("1.2.3.4:1", 0)->port == 1);
  CHECK(Authority::parse("a.test:65535", 0)->port == 65535);
  CHECK_FALSE(Authority::parse("example.test", 0));
  CHECK_FALSE(Authority::parse("[::1]", 0));
}

TEST_CASE("what is no authority is refused", "[base]") {
  const auto text = GENERATE(as<std::string>(), "", ":80", "a.test:", "a.test:65536", "a.test:-1", "a.test:+1",
                             "a.test:8 ", "a.test:080000", "a.test:1:2", "user@a.test:80", "user:pw@a.test:80",
                             "::1:80", "[::1]80", "[::1]:", "a.test:0x50", "a.test/:80", "http://a.test:80");
  CAPTURE(text);
  CHECK_FALSE(Authority::parse(text, 443));
}

TEST_CASE("a socket address takes no names, and reads back what it writes", "[base]") {
  for (const auto* const text : {"127.0.0.1:8080", "[2001:db8::1]:443", "0.0.0.0:0"}) {
    CAPTURE(text);
    CHECK(SocketAddress::parse(text)->text() == text);
  }
  CHECK_FALSE(SocketAddress::parse("localhost:80"));
  CHECK_FALSE(SocketAddress::parse("127.0.0.1"));
}
