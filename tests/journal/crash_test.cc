// The promise of the journal: a process that is killed has lost nothing that was committed.
#include <sys/wait.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <set>

#include "tests/journal/journal_testing.h"

namespace tollgate::journal {
namespace {

// Appends and commits for ever, and says each id when its commit has returned.
[[noreturn]] void write_until_killed(const TemporaryFolder& folder, int say) {
  auto options = options_for(folder);
  options.rotate_size = 8 * kibibyte;
  auto writer = Writer::open(std::move(options));
  if (!writer) std::_Exit(1);
  for (std::uint32_t id = 0;;) {
    std::string said;
    for (std::uint32_t i = 0; i <= id % 3; ++i) {
      const std::string text = std::to_string(1'000'000 + id + i);
      (*writer)->append(exchange(text));
      said += text + "\n";
    }
    id += id % 3 + 1;
    (*writer)->commit();
    if (::write(say, said.data(), said.size()) != static_cast<ssize_t>(said.size())) std::_Exit(1);
  }
}

// Every whole line that the pipe gives until its other end is gone; kills the writer after `enough` bytes.
std::vector<std::string> lines_until_killed(int listen, pid_t child, std::size_t enough) {
  std::string text;
  std::array<char, 512> part{};
  for (bool killed = false;;) {
    const ssize_t count = ::read(listen, part.data(), part.size());
    if (count <= 0) break;
    text.append(part.data(), static_cast<std::size_t>(count));
    if (!killed && text.size() >= enough) killed = ::kill(child, SIGKILL) == 0;
  }
  std::vector<std::string> lines;
  for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    lines.push_back(text.substr(at, end - at));
  }
  return lines;
}

TEST_CASE("what a killed process had committed is read back, each record exactly once", "[journal]") {
  std::size_t read_in_all = 0;
  for (std::size_t round = 0; round < 20; ++round) {
    CAPTURE(round);
    const TemporaryFolder folder;
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const Descriptor listen(ends[0]);
    Descriptor say(ends[1]);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) write_until_killed(folder, say.get());
    say.close();
    const auto said = lines_until_killed(listen.get(), child, 1 + round * 997);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));

    const Reading reading = read_journal(folder.journal());
    REQUIRE(reading.finished);
    const std::set<std::string> once(reading.ids.begin(), reading.ids.end());
    REQUIRE(once.size() == reading.ids.size());
    REQUIRE_FALSE(said.empty());
    for (const std::string& id : said) REQUIRE(once.count(id) == 1);
    REQUIRE(reading.ids.size() - said.size() <= 3);  // the commit that had not been said yet
    read_in_all += reading.ids.size();
  }
  REQUIRE(read_in_all > 1000);
}

}  // namespace
}  // namespace tollgate::journal
