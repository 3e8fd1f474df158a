#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/architecture/rooms.h"

using namespace tollgate::architecture;

namespace {

constexpr const char* house = R"(
# tollgate_room(ghost USES nobody)
tollgate_room(base LIBS spdlog::spdlog)
tollgate_room(record USES base proto)
tollgate_room(certs FOLDER certs USES base LIBS OpenSSL::SSL)
tollgate_room(net USES base
              LIBS PkgConfig::libevent)
tollgate_room(relay USES base certs net)
)";

std::vector<std::string> looked_at(const std::string& file, std::string_view text) {
  return look_at(read_table(house).rooms, file, text);
}

}  // namespace

TEST_CASE("every include of this tree points the way that the rooms' table grants", "[architecture]") {
  const Report report = look_at_tree(TOLLGATE_SOURCE_DIR);
  for (const std::string& finding : report.findings) FAIL_CHECK(finding);
  // It did look: the tree has never been smaller than this.
  CHECK(report.files > 30);
  CHECK(report.includes > 200);
}

TEST_CASE("the rooms' table is read as CMake reads it", "[architecture]") {
  const Table table = read_table(house);
  CHECK(table.findings.empty());
  CHECK(table.rooms.size() == 6);
  CHECK(table.rooms.at("certs").folder == "certs");
  CHECK(table.rooms.at("net").folder == "gateway/net");
  CHECK(table.rooms.at("net").uses == std::set<std::string>{"base"});
  CHECK(table.rooms.at("relay").uses == std::set<std::string>{"base", "certs", "net"});
}

TEST_CASE("a room that uses one which stands below it is named", "[architecture]") {
  const Table table = read_table("tollgate_room(base USES net)\ntollgate_room(net USES base)\n");
  REQUIRE(table.findings.size() == 1);
  CHECK(table.findings[0] == "gateway/rooms.cmake: base uses net, which does not stand above it");
}

TEST_CASE("an include that is granted is no finding", "[architecture]") {
  CHECK(
      looked_at("gateway/relay/x.cc", "#include \"gateway/relay/x.h\"\n#include \"certs/trust.h\"\n#include <string>\n")
          .empty());
  CHECK(looked_at("gateway/record/x.cc", "#include \"proto/record.pb.h\"\n").empty());
  CHECK(looked_at("gateway/net/x.cc", "#include <event2/event.h>\n#include <ares.h>\n").empty());
}

TEST_CASE("an include of a room that is not granted is named with its line", "[architecture]") {
  const auto findings = looked_at("gateway/net/x.cc", "// first\n#include <string>\n#  include \"certs/trust.h\"\n");
  REQUIRE(findings.size() == 1);
  CHECK(findings[0] == "gateway/net/x.cc:3: net may not include certs (\"certs/trust.h\"): it is granted base");
}

TEST_CASE("what a granted room may include is not thereby granted", "[architecture]") {
  CHECK(looked_at("gateway/relay/x.cc", "#include \"gateway/record/x.h\"\n").size() == 1);
}

TEST_CASE("a library that one room hides is found in any other", "[architecture]") {
  CHECK(looked_at("gateway/relay/x.cc", "#include <event2/event.h>\n").size() == 1);
  CHECK(looked_at("gateway/relay/x.cc", "#include <ares.h>\n").size() == 1);
  CHECK(looked_at("gateway/net/x.cc", "#include <nghttp2/nghttp2.h>\n").size() == 1);
}

TEST_CASE("a file or an include that belongs to no room is named", "[architecture]") {
  CHECK(looked_at("gateway/attic/x.cc", "").size() == 1);
  CHECK(looked_at("gateway/net/x.cc", "#include \"socket.h\"\n").size() == 1);
  CHECK(looked_at("gateway/net/x.cc", "#include \"tests/net/fake.h\"\n").size() == 1);
}

TEST_CASE("a wrong include planted in a tree is found", "[architecture]") {
  const auto tree = std::filesystem::temp_directory_path() / ("tollgate-architecture-" + std::to_string(getpid()));
  std::filesystem::create_directories(tree / "gateway/base");
  std::filesystem::create_directories(tree / "certs");
  std::ofstream(tree / "gateway/rooms.cmake") << house;
  std::ofstream(tree / "gateway/base/low.h") << "#include \"certs/high.h\"\n";
  std::ofstream(tree / "certs/high.h") << "#include \"gateway/base/low.h\"\n";
  const Report report = look_at_tree(tree);
  std::filesystem::remove_all(tree);
  CHECK(report.files == 2);
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0] == "gateway/base/low.h:1: base may not include certs (\"certs/high.h\"): it is granted ");
}
