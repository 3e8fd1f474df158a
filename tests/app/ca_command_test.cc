#include "gateway/app/ca_command.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "certs/authority.h"
#include "tests/app/program.h"

using namespace tollgate;
using namespace tollgate::app;

namespace {

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("an authority is made once, shown, exported and rotated", "[app]") {
  const TemporaryFolder folder;
  const std::string set = folder.set_state();
  CHECK(run({"ca", "show", "--set", set}).exit == Exit::no);

  const Ran made = run({"ca", "init", "--set", set});
  REQUIRE(made.exit == Exit::done);
  CHECK(made.out.find("fingerprint") != std::string::npos);
  CHECK(run({"ca", "--set", set, "show"}).out == made.out);

  const std::string pem = content(folder.state() / "ca/ca.pem");
  CHECK(run({"ca", "init", "--set", set}).exit != Exit::done);
  CHECK(content(folder.state() / "ca/ca.pem") == pem);

  CHECK(run({"ca", "export", "--set", set}).out == pem);
  const Ran rotated = run({"ca", "rotate", "--set", set});
  REQUIRE(rotated.exit == Exit::done);
  CHECK(rotated.out != made.out);
  CHECK(run({"ca", "export", "--set", set}).out != pem);
}

TEST_CASE("the certificate is exported to a file, as PEM or DER", "[app]") {
  const TemporaryFolder folder;
  const std::string set = folder.set_state();
  REQUIRE(run({"ca", "init", "--set", set}).exit == Exit::done);
  const auto authority = certs::Authority::open(folder.state() / "ca", certs::Passphrase());
  REQUIRE(authority);

  const auto file = (folder.path() / "ca.der").string();
  CHECK(run({"ca", "export", "--der", "--out", file, "--set", set}).exit == Exit::done);
  CHECK(content(file) == as_text((*authority)->der()));
  CHECK(run({"ca", "export", "--der", "--set", set}).out == as_text((*authority)->der()));
  CHECK(run({"ca", "export", "--out", "/nowhere/ca.pem", "--set", set}).exit == Exit::refused);

  const Terminal terminal{true, false, 80};
  CHECK(run({"ca", "export", "--der", "--set", set}, terminal).exit == Exit::usage);
  CHECK(run({"ca", "export", "--set", set}, terminal).out == (*authority)->pem());
}

TEST_CASE("a passphrase is the first line of a file that is closed to others", "[app]") {
  const TemporaryFolder folder;
  config::Config config;
  CHECK(read_passphrase(config)->empty());

  config.ca_passphrase_file = folder.path() / "passphrase";
  CHECK(read_passphrase(config).error().kind == Error::Kind::not_found);

  std::ofstream(config.ca_passphrase_file) << "correct horse\r\nsecond line\n";
  REQUIRE(chmod(config.ca_passphrase_file.c_str(), 0644) == 0);
  CHECK(read_passphrase(config).error().kind == Error::Kind::refused);
  REQUIRE(chmod(config.ca_passphrase_file.c_str(), 0600) == 0);
  CHECK(as_text(read_passphrase(config)->bytes()) == "correct horse");

  std::ofstream(config.ca_passphrase_file) << "\n";
  CHECK(read_passphrase(config).error().kind == Error::Kind::malformed);
}

TEST_CASE("an authority made with a passphrase opens with it only", "[app]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "passphrase";
  std::ofstream(file) << "correct horse\n";
  REQUIRE(chmod(file.c_str(), 0600) == 0);
  const std::string passphrase = "ca.passphrase_file=" + file.string();
  REQUIRE(run({"ca", "init", "--set", folder.set_state(), "--set", passphrase}).exit == Exit::done);
  CHECK(run({"ca", "show", "--set", folder.set_state(), "--set", passphrase}).exit == Exit::done);
  const Ran without = run({"ca", "show", "--set", folder.set_state()});
  CHECK(without.exit == Exit::refused);
  CHECK(without.err.find("correct horse") == std::string::npos);
}
