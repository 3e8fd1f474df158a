#include "gateway/app/commands.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "gateway/app/version.h"
#include "gateway/config/config.h"
#include "tests/app/program.h"

using namespace tollgate;
using namespace tollgate::app;

TEST_CASE("bad usage is told on stderr, says where help is, and exits 2", "[app]") {
  const std::vector<std::vector<std::string>> lines{{},
                                                    {"nonsense"},
                                                    {"log", "--nonsense"},
                                                    {"log", "stray"},
                                                    {"log", "--limit", "many"},
                                                    {"log", "--limit", "-1"},
                                                    {"log", "--since", "yesterday"},
                                                    {"log", "--kind", "cookie"},
                                                    {"log", "--set"},
                                                    {"ca"},
                                                    {"ca", "destroy"},
                                                    {"version", "--set"}};
  for (const auto& line : lines) {
    CAPTURE(line);
    const Ran ran = run(line);
    CHECK(ran.exit == Exit::usage);
    CHECK(ran.out.empty());
    CHECK(ran.err.size() > 20);
    CHECK(ran.err.find("tollgate") != std::string::npos);
  }
}

TEST_CASE("a wrong setting exits 2 in every command that reads settings", "[app]") {
  const auto line = GENERATE(
      values<std::vector<std::string>>({{"run"}, {"log"}, {"ca", "init"}, {"ca", "show"}, {"config"}, {"doctor"}}));
  CAPTURE(line);
  auto arguments = line;
  arguments.insert(arguments.end(), {"--set", "workers=many"});
  const Ran ran = run(arguments);
  CHECK(ran.exit == Exit::usage);
  CHECK(ran.err == "tollgate: --set: workers: \"many\": a number from 0 to 256\n");
  CHECK(run({line.front(), "--config", "/nowhere/tollgate.toml"}).exit == Exit::usage);
}

TEST_CASE("each thing that is wrong with the settings has its line", "[app]") {
  const Ran ran = run({"config", "--set", "workers=many", "--set", "drain_s=long"});
  CHECK(ran.err ==
        "tollgate: --set: workers: \"many\": a number from 0 to 256\n"
        "tollgate: --set: drain_s: \"long\": a number of seconds from 0 to 3600\n");
}

TEST_CASE("what a command line says cannot reach the terminal as a command", "[app]") {
  CHECK(run({"\x1b]0;title\x07"}).err.find('\x1b') == std::string::npos);
  CHECK(run({"log", "--since", "\x1b[31m"}).err.find('\x1b') == std::string::npos);
  CHECK(run({"config", "--config", "/\x1b[31m"}).err.find('\x1b') == std::string::npos);
}

TEST_CASE("every command has help, on stdout, exit 0", "[app]") {
  CHECK(run({"--help"}).exit == Exit::done);
  for (const Command& command : commands()) {
    CAPTURE(command.name);
    CHECK(run({"--help"}).out.find(command.summary) != std::string::npos);
    const Ran ran = run({std::string(command.name), "--help"});
    CHECK(ran.exit == Exit::done);
    CHECK(ran.out.find("Usage: tollgate " + std::string(command.name)) != std::string::npos);
    CHECK(ran.out.find("--set") != std::string::npos);
    CHECK(ran.err.empty());
  }
}

TEST_CASE("the version is the one that CMakeLists.txt builds", "[app]") {
  const auto tree = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
  std::ifstream file(tree / "CMakeLists.txt");
  const std::string cmake{std::istreambuf_iterator<char>(file), {}};
  CHECK(cmake.find("project(tollgate VERSION " + std::string(version) + " ") != std::string::npos);
  CHECK(run({"version"}).out == "tollgate " + std::string(version) + "\n");
  CHECK(run({"--version"}).out == run({"version"}).out);
}

TEST_CASE("a --set keeps TOML lists whole, takes one value an occurrence, and leaves the next option alone", "[app]") {
  const auto resolve = [](const std::vector<std::string>& arguments) {
    const Ran ran = run(arguments);
    REQUIRE(ran.exit == Exit::done);
    return config::parse(ran.out, "printed", {})->upstream_resolve.size();
  };
  CHECK(resolve({"config", "--set", R"(upstream.resolve=["a.test=192.0.2.1", "b.test=192.0.2.2"])"}) == 2);
  CHECK(resolve({"config", R"(--set=upstream.resolve=["a.test=192.0.2.1"])", "--set", "workers=1"}) == 1);
  CHECK(resolve({"config", "--set", "upstream.resolve=a.test=192.0.2.1", "--set", "upstream.resolve=*.b.test=::1"}) ==
        2);
  CHECK(run({"config", "--set", "workers=1", "drain_s=2"}).exit == Exit::usage);
  CHECK(run({"config", "--set", "[a]"}).err.find("\"[a]\"") != std::string::npos);
}

TEST_CASE("`config` prints the settings in force, which read back are the same", "[app]") {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "mine.toml") << "workers = 3\n";
  const Ran ran = run({"config", "--config", (folder.path() / "mine.toml").string(), "--set", "drain_s=1"});
  const auto config = config::parse(ran.out, "printed", {});
  REQUIRE(config);
  CHECK(config->workers == 3);
  CHECK(config->drain == Seconds(1));
}
