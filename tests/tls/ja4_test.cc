#include "gateway/tls/ja4.h"

#include <catch2/catch.hpp>

#include "tests/tls/hello_builder.h"

using namespace tollgate;
using namespace tollgate::tls;
using namespace tollgate::tls::test;

namespace {

// The client of the specification's example, GREASE added where Chrome has it.
Hello specification_hello() {
  Hello hello;
  hello.cipher_suites = {0x9a9a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030,
                         0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035};
  hello.extensions = {{0x1a1a, {}},
                      {0x001b, {}},
                      server_name("weather.example.test"),
                      {0x0033, {}},
                      alpn({"h2", "http/1.1"}),
                      {0x4469, {}},
                      {0x0017, {}},
                      {0x002d, {}},
                      signature_algorithms({0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601}),
                      {0x0005, {}},
                      {0x0023, {}},
                      {0x0012, {}},
                      supported_versions({0xcaca, 0x0304, 0x0303}),
                      {0xff01, {}},
                      {0x000b, {}},
                      {0x000a, {}},
                      {0x0015, {}},
                      {0xdada, {0}}};
  return hello;
}

std::string ja4_of(const Hello& hello, Ja4Transport transport = Ja4Transport::tcp) {
  const auto peeked = peek_client_hello(record_of(hello));
  REQUIRE(peeked);
  return ja4(std::get<ClientHello>(*peeked), transport);
}

Hello without(Hello hello, std::uint16_t type) {
  std::erase_if(hello.extensions, [&](const auto& extension) { return extension.type == type; });
  return hello;
}

}  // namespace

TEST_CASE("JA4 of the specification's example", "[tls]") {
  CHECK(ja4_of(specification_hello()) == "t13d1516h2_8daaf6152771_e5627efa2ab1");
  CHECK(ja4_of(specification_hello(), Ja4Transport::quic) == "q13d1516h2_8daaf6152771_e5627efa2ab1");
}

TEST_CASE("JA4 of the specification's example without signature algorithms", "[tls]") {
  // The specification keeps 000d in the list: the extension is there, but its list is empty.
  auto peeked = peek_client_hello(record_of(specification_hello()));
  auto hello = std::get<ClientHello>(std::move(*peeked));
  hello.signature_algorithms.clear();
  CHECK(ja4(hello) == "t13d1516h2_8daaf6152771_6d807ffa2a79");
}

TEST_CASE("JA4 does not depend on the order of suites and extensions, nor on where the client goes", "[tls]") {
  Hello shuffled = specification_hello();
  std::reverse(shuffled.cipher_suites.begin(), shuffled.cipher_suites.end());
  std::reverse(shuffled.extensions.begin(), shuffled.extensions.end());
  CHECK(ja4_of(shuffled) == "t13d1516h2_8daaf6152771_e5627efa2ab1");
  CHECK(ja4_of(without(specification_hello(), 0)) == "t13i1515h2_8daaf6152771_e5627efa2ab1");
  CHECK(ja4_of(without(specification_hello(), 16)) == "t13d151500_8daaf6152771_e5627efa2ab1");
}

TEST_CASE("JA4 takes the highest version, from the extension when there is one", "[tls]") {
  struct Case {
    std::uint16_t legacy;
    std::vector<std::uint16_t> offered;
    std::string_view mark;
  };
  const auto c = GENERATE(values<Case>({{0x0303, {0x0303, 0x0304}, "t13"},
                                        {0x0303, {0xfafa, 0x0302}, "t11"},
                                        {0x0303, {}, "t12"},
                                        {0x0302, {}, "t11"},
                                        {0x0301, {}, "t10"},
                                        {0x0300, {}, "ts3"},
                                        {0x0305, {}, "t00"},
                                        {0x0303, {0xfafa}, "t12"}}));
  Hello hello = without(specification_hello(), 43);
  hello.version = c.legacy;
  if (!c.offered.empty()) hello.extensions.push_back(supported_versions(c.offered));
  CHECK(ja4_of(hello).substr(0, 3) == c.mark);
}

TEST_CASE("JA4 marks the first protocol by its ends, in hex where they are no letters or digits", "[tls]") {
  using Marks = std::pair<std::string_view, std::string_view>;
  const auto [protocol, mark] = GENERATE(values<Marks>({{"http/1.1", "h1"},
                                                        {"h2", "h2"},
                                                        {"x", "xx"},
                                                        {"\xab", "ab"},
                                                        {"\xab\xcd", "ad"},
                                                        {"0\xab", "3b"},
                                                        {"01\xab\xcd", "3d"},
                                                        {"0\xab\xcd"
                                                         "1",
                                                         "01"}}));
  Hello hello = without(specification_hello(), 16);
  hello.extensions.push_back(alpn({protocol}));
  CHECK(ja4_of(hello).substr(8, 2) == mark);
}

TEST_CASE("JA4 of a hello with nothing to count", "[tls]") {
  Hello hello;
  hello.cipher_suites = {0x0a0a};
  CHECK(ja4_of(hello) == "t12i000000_000000000000_000000000000");
  hello.cipher_suites.assign(150, 0x1301);
  CHECK(ja4_of(hello).substr(4, 2) == "99");
}
