#include "gateway/app/state_dir.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include "tests/app/program.h"

using namespace tollgate;
using namespace tollgate::app;

TEST_CASE("state.dir is made with its parents, closed to others", "[app]") {
  const TemporaryFolder folder;
  const auto opened = StateDir::open(folder.path() / "a/b/state");
  REQUIRE(opened);
  struct stat found {};
  REQUIRE(stat((folder.path() / "a/b/state").c_str(), &found) == 0);
  CHECK((found.st_mode & 07777U) == 0700);
}

TEST_CASE("a second gateway is refused, and told which process is the first", "[app]") {
  const TemporaryFolder folder;
  CHECK_FALSE(StateDir::holder(folder.state()));
  {
    const auto first = StateDir::open(folder.state());
    REQUIRE(first);
    CHECK(StateDir::holder(folder.state()) == getpid());
    const auto second = StateDir::open(folder.state());
    REQUIRE_FALSE(second);
    CHECK(second.error().kind == Error::Kind::refused);
    CHECK(second.error().what.find("process " + std::to_string(getpid()) + " runs a gateway") != std::string::npos);
  }
  CHECK_FALSE(StateDir::holder(folder.state()));
  CHECK(StateDir::open(folder.state()));
}

TEST_CASE("a killed gateway leaves no lock behind", "[app]") {
  const TemporaryFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    const auto held = StateDir::open(folder.state());
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  CHECK(std::filesystem::exists(folder.state() / "lock"));
  CHECK_FALSE(StateDir::holder(folder.state()));
  CHECK(StateDir::open(folder.state()));
}

TEST_CASE("a folder that others can look into is refused, with the remedy", "[app]") {
  const TemporaryFolder folder;
  const auto mode = GENERATE(0755, 0710, 0701, 0770);
  std::filesystem::create_directory(folder.state());
  REQUIRE(chmod(folder.state().c_str(), static_cast<mode_t>(mode)) == 0);
  const auto opened = StateDir::open(folder.state());
  REQUIRE_FALSE(opened);
  CHECK(opened.error().kind == Error::Kind::refused);
  CHECK(opened.error().what.find("chmod 700 " + folder.state().string()) != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder.state() / "lock"));
}

TEST_CASE("what is no folder, or cannot be made, is refused by the machine", "[app]") {
  CHECK(StateDir::open("/dev/null").error().kind == Error::Kind::io);
  CHECK(StateDir::open("/dev/null/state").error().kind == Error::Kind::io);
  CHECK(StateDir::check("/nowhere/state").error().kind == Error::Kind::not_found);
}

TEST_CASE("a lock that is a link is not followed", "[app]") {
  const TemporaryFolder folder;
  REQUIRE(StateDir::prepare(folder.state()));
  std::filesystem::create_symlink(folder.path() / "elsewhere", folder.state() / "lock");
  CHECK_FALSE(StateDir::open(folder.state()));
  CHECK_FALSE(std::filesystem::exists(folder.path() / "elsewhere"));
}
