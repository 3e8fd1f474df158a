#include "gateway/app/start_command.h"

#include <catch2/catch.hpp>

#include "gateway/config/settings.h"

using namespace tollgate;
using namespace tollgate::app;

namespace {

std::string told(std::string_view listen, std::initializer_list<std::string_view> own) {
  config::Config config = config::defaults();
  config.listen_proxy = listen == "off" ? config::Listen() : SocketAddress::parse(listen).value();
  std::vector<IpAddress> addresses;
  for (const auto text : own) addresses.push_back(IpAddress::parse(text).value());
  return where_to_point(config, addresses);
}

}  // namespace

TEST_CASE("the owner of a phone is told what to type into it", "[app]") {
  CHECK(told("192.168.1.5:8080", {}).find("server 192.168.1.5, port 8080") != std::string::npos);
  const std::string any = told("0.0.0.0:8080", {"127.0.0.1", "192.168.1.5", "169.254.0.3", "2001:db8::5", "::1"});
  CHECK(any.find("server 192.168.1.5, port 8080") != std::string::npos);
  CHECK(std::count(any.begin(), any.end(), '\n') == 1);
  const std::string both = told("[::]:8080", {"192.168.1.5", "2001:db8::5", "fe80::1"});
  CHECK(both.find("server 192.168.1.5") != std::string::npos);
  CHECK(both.find("server 2001:db8::5") != std::string::npos);
  CHECK(std::count(both.begin(), both.end(), '\n') == 2);
}

TEST_CASE("where no phone can reach the proxy, the remedy is told", "[app]") {
  CHECK(told("127.0.0.1:8080", {"192.168.1.5"}).find("--set listen.proxy=0.0.0.0:8080") != std::string::npos);
  CHECK(told("0.0.0.0:8080", {"127.0.0.1"}).find("connect it") != std::string::npos);
  CHECK(told("0.0.0.0:0", {"192.168.1.5"}).find("ready line") != std::string::npos);
  CHECK(told("off", {}).find("off") != std::string::npos);
}
