#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "gateway/config/config.h"
#include "gateway/config/settings.h"

using namespace tollgate;
using namespace tollgate::config;

namespace {

Config accepted(std::string_view toml, const std::vector<std::string>& sets = {}) {
  const auto config = parse(toml, "tollgate.toml", sets);
  if (!config) FAIL(config.error().what);
  return *config;
}

std::string refused(std::string_view toml, const std::vector<std::string>& sets = {}) {
  const auto config = parse(toml, "tollgate.toml", sets);
  REQUIRE_FALSE(config);
  CHECK(config.error().kind == Error::Kind::malformed);
  return config.error().what;
}

}  // namespace

TEST_CASE("an empty file is every default", "[config]") {
  const Config config = accepted("");
  CHECK(config.state_dir == "state");
  CHECK(config.listen_proxy->text() == "127.0.0.1:8080");
  CHECK(config.listen_admin->text() == "127.0.0.1:8088");
  CHECK(config.upstream_bad_certificate == BadCertificate::passthrough);
  CHECK_FALSE(config.upstream_allow_loopback);
  CHECK(config.log_retention_age == std::chrono::hours(30 * 24));
  CHECK(config.log_retention_size == 2 * gibibyte);
  CHECK(config.drain == Seconds(10));
  CHECK(store_file(config) == "state/tollgate.db");
  CHECK(worker_count(config) >= 1);
}

TEST_CASE("values of every kind are read from the file", "[config]") {
  const Config config = accepted(R"(
workers = 3
[listen]
proxy = "off"
admin = "[::1]:0"
[upstream]
resolve = ["API.example.test.=192.0.2.1", "*.test=::ffff:127.0.0.1"]
dns = ["192.0.2.53", "2001:db8::1", "[2001:db8::1]:5353"]
allow_loopback = true
[store]
url = "sqlite:/srv/log.db"
[log]
retention_size = 5000000
level = "warn"
)");
  CHECK(config.workers == 3);
  CHECK_FALSE(config.listen_proxy);
  CHECK(config.listen_admin->text() == "[::1]:0");
  REQUIRE(config.upstream_resolve.size() == 2);
  CHECK(config.upstream_resolve[0].text() == "api.example.test=192.0.2.1");
  CHECK(config.upstream_resolve[1].text() == "*.test=127.0.0.1");
  REQUIRE(config.upstream_dns.size() == 3);
  CHECK(config.upstream_dns[0].text() == "192.0.2.53:53");
  CHECK(config.upstream_dns[1].text() == "[2001:db8::1]:53");
  CHECK(config.upstream_dns[2].text() == "[2001:db8::1]:5353");
  CHECK(config.upstream_allow_loopback);
  CHECK(store_file(config) == "/srv/log.db");
  CHECK(config.log_retention_size == 5000000);
  CHECK(config.log_level == LogLevel::warn);
}

TEST_CASE("an error says file, line, column, key, value and what is allowed", "[config]") {
  CHECK(refused("[listen]\nproxy = \"localhost:8080\"\n") ==
        "tollgate.toml:2:9: listen.proxy: \"localhost:8080\": off, or an address and port such as 127.0.0.1:8080");
  CHECK(refused("workers = 300") == "tollgate.toml:1:11: workers: 300: a number from 0 to 256");
  CHECK(refused("workers = -1") == "tollgate.toml:1:11: workers: -1: a number from 0 to 256");
  CHECK(refused("limits.head = \"61s\"") ==
        "tollgate.toml:1:15: limits.head: \"61s\": a duration from 100ms to 60s, such as 500ms, 30s, 5m, 24h or 7d");
  CHECK(refused("upstream.bad_certificate = \"accept\"") ==
        "tollgate.toml:1:28: upstream.bad_certificate: \"accept\": one of passthrough, refuse");
  CHECK(refused("state.dir = \"\"") == "tollgate.toml:1:13: state.dir: \"\": a path");
  CHECK(refused("store.url = \"postgresql://db.test/log\"") ==
        "tollgate.toml:1:13: store.url: \"postgresql://db.test/log\": sqlite:FILE");
}

TEST_CASE("of a list the wrong elements are named, each at its place", "[config]") {
  CHECK(refused("[upstream]\nresolve = [\"a.test=1.2.3.4\",\n  \"b.test\",\n  7]\n") ==
        "tollgate.toml:3:3: upstream.resolve: \"b.test\": a list of NAME=ADDR or *.NAME=ADDR, such as "
        "[\"*.test=127.0.0.1\"]\n"
        "tollgate.toml:4:3: upstream.resolve: 7: a list of NAME=ADDR or *.NAME=ADDR, such as "
        "[\"*.test=127.0.0.1\"]");
}

TEST_CASE("all errors are told at once, in the order of the lines, those of --set last", "[config]") {
  CHECK(refused("workers = true\n[log]\nlevel = 3\n[listen]\nproxy = 8080\n", {"drain_s=soon"}) ==
        "tollgate.toml:1:11: workers: true: a number from 0 to 256\n"
        "tollgate.toml:3:9: log.level: 3: one of trace, debug, info, warn, error, off\n"
        "tollgate.toml:5:9: listen.proxy: 8080: off, or an address and port such as 127.0.0.1:8080\n"
        "--set: drain_s: \"soon\": a number of seconds from 0 to 3600");
}

TEST_CASE("a misspelt key is answered with the nearest one", "[config]") {
  CHECK(refused("[listen]\nprxy = \"off\"") ==
        "tollgate.toml:2:1: listen.prxy: not a key; the nearest is listen.proxy");
  CHECK(refused("", {"upstream.resolv=a=1.2.3.4"}) ==
        "--set: upstream.resolv: not a key; the nearest is upstream.resolve");
  CHECK(refused("", {"proxy=off"}) == "--set: proxy: not a key; the nearest is listen.proxy");
  CHECK(refused("", {"RETENTION_AGE=1d"}) == "--set: RETENTION_AGE: not a key; the nearest is log.retention_age");
}

TEST_CASE("a dot in quotes makes another key, not the setting", "[config]") {
  CHECK(refused("\"state.dir\" = \"x\"") == "tollgate.toml:1:1: \"state.dir\": not a key; the nearest is state.dir");
}

TEST_CASE("a section may be empty; a table is no value", "[config]") {
  CHECK(accepted("[listen]\n[log]\n") == defaults());
  CHECK(refused("[workers]\n") == "tollgate.toml:1:1: workers: a table: a number from 0 to 256");
  CHECK(refused("[nothing]\n").starts_with("tollgate.toml:1:2: nothing: not a key"));
}

TEST_CASE("a file that is no TOML is refused at its place", "[config]") {
  CHECK(refused("workers = 1\nworkers = 2\n").starts_with("tollgate.toml:2:"));
  CHECK(refused("state.dir = \"\xff\"").starts_with("tollgate.toml:1:"));
}

TEST_CASE("brackets without a key behind them are refused like any other mistake", "[config]") {
  // toml++ 3.3 aborts there, or lets the optimiser rely on a key.
  CHECK(refused("[[[listen]]]\n").starts_with("tollgate.toml:1:3: "));
  CHECK(refused("workers = 1\n[=\n").starts_with("tollgate.toml:2:2: "));
}

TEST_CASE("outside of strings and comments there is ASCII only", "[config]") {
  // toml++ 3.3 has undefined behaviour for U+0139 behind a key.
  CHECK(refused("workers = 1\nst\u00e4te\u0139.dir = \"x\"\n") ==
        "tollgate.toml:2:3: only ASCII is allowed outside of strings and comments");
  CHECK(refused("workers\u00a0= 1\n").starts_with("tollgate.toml:1:8: "));
  CHECK(refused("workers = 8m\"\u0139\"\n").starts_with("tollgate.toml:1:14: "));
  CHECK(refused("state.dir = \"open\n\u0139\n").starts_with("tollgate.toml:2:1: "));
  CHECK(accepted("\ufeffstate.dir = \"st\u00e4te\" # \u0139\n").state_dir == "st\u00e4te");
  CHECK(accepted("state.dir = 'st\u00e4te\\' # \u0139\n").state_dir == "st\u00e4te\\");
  CHECK(accepted("state.dir = \"\"\"\u0139\\\"\"\"\"\"\" # \u0139\n").state_dir == "\u0139\"\"\"");
  CHECK(accepted("", {"state.dir=st\u00e4te\u0139"}).state_dir == "st\u00e4te\u0139");
}

TEST_CASE("what a file says cannot reach the terminal as a command", "[config]") {
  CHECK(refused(R"("\u001b]0;title\u0007" = 1)").find('\x1b') == std::string::npos);
  CHECK(refused(R"(log.level = "\u001b[31m")") ==
        "tollgate.toml:1:13: log.level: \"\\u{1b}[31m\": one of trace, debug, info, warn, error, off");
}

TEST_CASE("a --set is TOML where it parses as TOML, else a string, and wins over the file", "[config]") {
  const Config config = accepted("workers = 2\n[listen]\nproxy = \"off\"\n",
                                 {"workers=5", "listen.proxy=0.0.0.0:8080", "log.level='error'", "state.dir=a b # c",
                                  "upstream.allow_loopback=true", "workers=6"});
  CHECK(config.workers == 6);
  CHECK(config.listen_proxy->text() == "0.0.0.0:8080");
  CHECK(config.log_level == LogLevel::error);
  CHECK(config.state_dir == "a b # c");
  CHECK(config.upstream_allow_loopback);
}

TEST_CASE("a wrong file value is an error even where --set says otherwise", "[config]") {
  CHECK(refused("workers = 999", {"workers=2"}).starts_with("tollgate.toml:1:11: workers"));
}

TEST_CASE("a list is set as one value or by repeating the key", "[config]") {
  const std::string_view file = "upstream.resolve = [\"file.test=192.0.2.9\"]";
  const Config once = accepted(file, {R"(upstream.resolve=["a.test=192.0.2.1", "b.test=192.0.2.2"])"});
  const Config repeated = accepted(file, {"upstream.resolve=a.test=192.0.2.1", "upstream.resolve=b.test=192.0.2.2"});
  CHECK(once.upstream_resolve.size() == 2);
  CHECK(once == repeated);
  CHECK(accepted(file, {"upstream.resolve=[]"}).upstream_resolve.empty());
  const Config mixed = accepted("", {"upstream.dns=192.0.2.1", R"(upstream.dns=["192.0.2.2"])", "upstream.dns=::1"});
  CHECK(mixed.upstream_dns.size() == 2);
}

TEST_CASE("a --set without a value, or with a second assignment hidden in it, is refused or harmless", "[config]") {
  CHECK(refused("", {"workers"}) == "--set: \"workers\": key=value");
  CHECK(refused("", {"workers=1\ndrain_s=99"}) == "--set: workers: \"1\\u{a}drain_s=99\": a number from 0 to 256");
  CHECK(refused("", {"state.dir=\xff"}) == "--set: state.dir: \"\\x{ff}\": a path");
  CHECK(refused("", {"state.dir=5"}) == "--set: state.dir: 5: a path");
}

TEST_CASE("a named file must be there and readable; the default file need not exist", "[config]") {
  const auto folder = std::filesystem::temp_directory_path() / ("tollgate-load-test-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const auto missing = load(folder / "missing.toml", {});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().kind == Error::Kind::not_found);
  CHECK(missing.error().what == (folder / "missing.toml").string() + ": No such file or directory");

  const auto is_folder = load(folder, {});
  REQUIRE_FALSE(is_folder);
  CHECK(is_folder.error().kind == Error::Kind::io);

  std::ofstream(folder / "large.toml") << std::string(2 * mebibyte, '\n');
  const auto large = load(folder / "large.toml", {});
  REQUIRE_FALSE(large);
  CHECK(large.error().kind == Error::Kind::too_large);

  std::ofstream(folder / "tollgate.toml") << "workers = 7\n";
  const auto named = load(folder / "tollgate.toml", {});
  REQUIRE(named);
  CHECK(named->workers == 7);

  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder);
  const auto found = load(std::nullopt, {});
  std::filesystem::remove("tollgate.toml");
  const auto none = load(std::nullopt, {});
  std::filesystem::current_path(before);
  std::filesystem::remove_all(folder);
  REQUIRE(found);
  CHECK(found->workers == 7);
  REQUIRE(none);
  CHECK(*none == defaults());
}
