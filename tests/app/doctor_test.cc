#include "gateway/app/doctor.h"

#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>

#include "certs/authority.h"
#include "gateway/app/doctor_checks.h"
#include "gateway/app/state_dir.h"
#include "gateway/config/settings.h"
#include "gateway/net/socket.h"
#include "tests/app/program.h"

using namespace tollgate;
using namespace tollgate::app;

namespace {

config::Config settings_in(const TemporaryFolder& folder) {
  config::Config config = config::defaults();
  config.state_dir = folder.state();
  config.listen_proxy.reset();
  config.listen_admin.reset();
  return config;
}

Grade worst(const Findings& findings) {
  REQUIRE_FALSE(findings.empty());
  return std::max_element(findings.begin(), findings.end(),
                          [](const Finding& a, const Finding& b) { return a.grade < b.grade; })
      ->grade;
}

bool has(const Findings& findings, std::string_view text) {
  return std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
    return (finding.text + " " + finding.remedy).find(text) != std::string::npos;
  });
}

}  // namespace

TEST_CASE("on a machine that is not set up doctor says what is not there yet, and changes nothing", "[app]") {
  const TemporaryFolder folder;
  const config::Config config = settings_in(folder);
  CHECK(worst(check_state(config, wall_now())) == Grade::note);
  CHECK(worst(check_authority(config, wall_now())) == Grade::note);
  CHECK(worst(check_gateway(config, wall_now())) == Grade::note);
  CHECK(worst(check_log(config, wall_now())) == Grade::note);
  CHECK_FALSE(std::filesystem::exists(folder.state()));
}

TEST_CASE("doctor exits 1 when something is wrong, and says how to mend it", "[app]") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.state());
  REQUIRE(chmod(folder.state().c_str(), 0755) == 0);
  const Ran ran =
      run({"doctor", "--set", folder.set_state(), "--set", "listen.proxy=off", "--set", "listen.admin=off"});
  CHECK(ran.exit == Exit::no);
  CHECK(ran.out.find("WRONG state") != std::string::npos);
  CHECK(ran.out.find("chmod 700") != std::string::npos);
  CHECK(ran.out.find('\x1b') == std::string::npos);
  for (const Check& check : checks()) {
    CAPTURE(check.subject);
    CHECK(ran.out.find(" " + std::string(check.subject) + " ") != std::string::npos);
  }
}

TEST_CASE("doctor names the settings that are not defaults", "[app]") {
  config::Config config = config::defaults();
  CHECK(has(check_settings(config, wall_now()), "all defaults"));
  config.workers = 3;
  CHECK(has(check_settings(config, wall_now()), "workers = 3"));
}

TEST_CASE("doctor tells a running gateway by its lock", "[app]") {
  const TemporaryFolder folder;
  const auto held = StateDir::open(folder.state());
  CHECK(has(check_gateway(settings_in(folder), wall_now()), "process " + std::to_string(getpid())));
}

TEST_CASE("doctor looks at the authority's dates and files", "[app]") {
  const TemporaryFolder folder;
  const config::Config config = settings_in(folder);
  REQUIRE(StateDir::prepare(config.state_dir));
  const auto authority = certs::Authority::create(config.state_dir / "ca", certs::Passphrase());
  REQUIRE(authority);
  CHECK(worst(check_authority(config, wall_now())) == Grade::fine);
  const auto near_its_end = check_authority(config, (*authority)->not_after() - std::chrono::hours(24 * 7));
  CHECK(worst(near_its_end) == Grade::wrong);
  CHECK(has(near_its_end, "ca rotate"));
  CHECK(worst(check_authority(config, (*authority)->not_after() + std::chrono::hours(1))) == Grade::wrong);

  REQUIRE(chmod((config.state_dir / "ca/ca.key").c_str(), 0644) == 0);
  CHECK(worst(check_authority(config, wall_now())) == Grade::wrong);
}

TEST_CASE("without a gateway doctor finds a port that something else uses", "[app]") {
  const TemporaryFolder folder;
  config::Config config = settings_in(folder);
  const auto socket = net::listen_on({IpAddress::v4({127, 0, 0, 1}), 0}, net::Share::no);
  REQUIRE(socket);
  config.listen_admin = net::local_address(socket->get());
  CHECK(worst(check_listeners(config, wall_now())) == Grade::wrong);
  config.listen_admin = SocketAddress{IpAddress::v4({127, 0, 0, 1}), 0};
  CHECK(worst(check_listeners(config, wall_now())) != Grade::wrong);
}

TEST_CASE("of a running gateway doctor asks whether its listeners answer", "[app]") {
  const TemporaryFolder folder;
  config::Config config = settings_in(folder);
  const auto held = StateDir::open(folder.state());
  REQUIRE(held);
  auto socket = net::listen_on({IpAddress::v4({127, 0, 0, 1}), 0}, net::Share::no);
  REQUIRE(socket);
  config.listen_proxy = net::local_address(socket->get());
  CHECK(has(check_listeners(config, wall_now()), "answers"));
  socket->close();
  CHECK(worst(check_listeners(config, wall_now())) == Grade::wrong);
}

TEST_CASE("doctor looks whether the trust anchors can be read", "[app]") {
  const TemporaryFolder folder;
  config::Config config = settings_in(folder);
  config.upstream_ca_file = folder.path() / "anchors.pem";
  CHECK(worst(check_trust(config, wall_now())) == Grade::wrong);
  std::ofstream(config.upstream_ca_file) << "no certificate\n";
  CHECK(worst(check_trust(config, wall_now())) == Grade::wrong);
  const auto authority = certs::Authority::create(folder.path() / "ca", certs::Passphrase());
  REQUIRE(authority);
  std::ofstream(config.upstream_ca_file) << (*authority)->pem();
  CHECK(has(check_trust(config, wall_now()), "1 trust anchors"));
}

TEST_CASE("doctor wants descriptors for as many connections as are allowed", "[app]") {
  config::Config config = config::defaults();
  config.limits_connections = 10'000'000;
  CHECK(worst(check_limits(config, wall_now())) == Grade::wrong);
}

TEST_CASE("doctor notices a clock that stands before the log's last record", "[app]") {
  const TemporaryFolder folder;
  const config::Config config = settings_in(folder);
  REQUIRE(StateDir::prepare(config.state_dir));
  std::ofstream(config.state_dir / "tollgate.db") << "";
  CHECK(worst(check_clock(config, wall_now())) != Grade::wrong);
  CHECK(worst(check_clock(config, wall_now() - std::chrono::hours(24))) == Grade::wrong);
}

TEST_CASE("a database that is damaged is wrong", "[app]") {
  const TemporaryFolder folder;
  const config::Config config = settings_in(folder);
  REQUIRE(StateDir::prepare(config.state_dir));
  std::ofstream(config.state_dir / "tollgate.db") << std::string(8192, 'x');
  CHECK(worst(check_log(config, wall_now())) == Grade::wrong);
}
