// Replacing an authority, and what a crash in the middle of it leaves.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <thread>

#include "certs/authority.h"
#include "tests/certs/scratch_folder.h"

namespace tollgate::certs::test {
namespace {

namespace fs = std::filesystem;

bool owner_only(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && (status.st_mode & 07777U) == 0600;
}

// The folder of an authority whose rotation stopped before its last rename: ca.key is the new one already.
struct Interrupted {
  ScratchFolder folder;
  fs::path dir = folder.path() / "ca";
  Authority::Pointer former = Authority::create(dir, {}).value();
  Authority::Pointer latter;

  explicit Interrupted(const Passphrase& passphrase) : latter(Authority::rotate(dir, passphrase).value()) {
    fs::rename(dir / "ca.pem", dir / "ca.pem.next");
    fs::copy_file(dir / ("ca-" + former->serial() + ".pem"), dir / "ca.pem");
  }
};

}  // namespace

TEST_CASE("rotation puts a new authority in place and keeps the old one beside it", "[certs]") {
  const ScratchFolder folder;
  const fs::path dir = folder.path() / "ca";
  const auto former = Authority::create(dir, {}).value();
  const auto latter = Authority::rotate(dir, Passphrase("new")).value();
  CHECK(former->fingerprint() != latter->fingerprint());
  CHECK(former->common_name() != latter->common_name());
  CHECK(former->subject_key_id() != latter->subject_key_id());
  CHECK(Authority::open(dir, Passphrase("new")).value()->fingerprint() == latter->fingerprint());
  CHECK_FALSE(Authority::open(dir, {}).has_value());

  const fs::path kept = dir / ("ca-" + former->serial());
  CHECK(owner_only(kept.string() + ".pem"));
  CHECK(owner_only(kept.string() + ".key"));
  CHECK(owner_only(dir / "ca.key"));
  // The old pair still works, for whoever wants to go back.
  fs::create_directory(folder.path() / "back");
  fs::rename(kept.string() + ".pem", folder.path() / "back/ca.pem");
  fs::rename(kept.string() + ".key", folder.path() / "back/ca.key");
  CHECK(Authority::open(folder.path() / "back", {}).value()->fingerprint() == former->fingerprint());
}

TEST_CASE("an authority that expired, or whose passphrase is lost, can be rotated", "[certs]") {
  const ScratchFolder folder;
  const auto former = Authority::create(folder.path(), Passphrase("lost")).value();
  const WallTime late = former->not_after() + std::chrono::hours(1);
  REQUIRE_FALSE(Authority::open(folder.path(), Passphrase("lost"), late).has_value());
  const auto latter = Authority::rotate(folder.path(), {}, late).value();
  CHECK(Authority::open(folder.path(), {}, late).value()->fingerprint() == latter->fingerprint());
}

TEST_CASE("a rotation that a crash cut between its two moves is finished by the next open", "[certs]") {
  const Interrupted cut{Passphrase()};
  CHECK(Authority::open(cut.dir, {}).value()->fingerprint() == cut.latter->fingerprint());
  CHECK_FALSE(fs::exists(cut.dir / "ca.pem.next"));
  CHECK(Authority::open(cut.dir, {}).value()->fingerprint() == cut.latter->fingerprint());
}

TEST_CASE("a rotation that was cut is not finished with the wrong passphrase, but can be rotated over", "[certs]") {
  const Interrupted cut{Passphrase("forgotten")};
  CHECK_FALSE(Authority::open(cut.dir, {}).has_value());
  CHECK(fs::exists(cut.dir / "ca.pem.next"));
  const auto third = Authority::rotate(cut.dir, {}).value();
  CHECK(Authority::open(cut.dir, {}).value()->fingerprint() == third->fingerprint());
}

TEST_CASE("a creation that a crash cut between its two moves is finished by the next open", "[certs]") {
  const ScratchFolder folder;
  const auto made = Authority::create(folder.path(), {}).value();
  fs::rename(folder.path() / "ca.pem", folder.path() / "ca.pem.next");
  CHECK(Authority::open_or_create(folder.path(), {}).value()->fingerprint() == made->fingerprint());
}

TEST_CASE("staged files that a crash left are no obstacle, and no authority", "[certs]") {
  const ScratchFolder folder;
  const auto made = Authority::create(folder.path() / "a", {}).value();
  fs::create_directory(folder.path() / "b");
  fs::rename(folder.path() / "a/ca.pem", folder.path() / "b/ca.pem.next");
  fs::rename(folder.path() / "a/ca.key", folder.path() / "b/ca.key.next");
  const auto other = Authority::open_or_create(folder.path() / "b", {}).value();
  CHECK(other->fingerprint() != made->fingerprint());
  CHECK_FALSE(fs::exists(folder.path() / "b/ca.key.next"));
}

TEST_CASE("of several who create an authority at once, one does, and all then open the same", "[certs]") {
  const ScratchFolder folder;
  std::array<std::string, 8> seen;
  std::vector<std::thread> threads;
  for (std::string& mine : seen) {
    threads.emplace_back([&folder, &mine] {
      auto authority = Authority::open_or_create(folder.path() / "ca", {});
      if (!authority) authority = Authority::open(folder.path() / "ca", {});  // another was faster
      if (authority) mine = (*authority)->fingerprint();
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_FALSE(seen[0].empty());
  for (const std::string& fingerprint : seen) CHECK(fingerprint == seen[0]);
}

}  // namespace tollgate::certs::test
