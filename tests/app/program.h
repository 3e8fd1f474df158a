// Runs the program inside the test: a command line in, exit code and text out.
#pragma once

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "gateway/app/commands.h"

namespace tollgate::app {

struct Ran {
  Exit exit = Exit::done;
  std::string out, err;
};

inline Ran run(
    const std::vector<std::string>& arguments, const Terminal& terminal = {},
    std::function<bool(Millis)> pause = [](Millis) { return false; }) {
  std::ostringstream out;
  std::ostringstream err;
  Console console{out, err, terminal, std::move(pause)};
  const Exit exit = run_program(arguments, console);
  return {exit, out.str(), err.str()};
}

// An empty folder that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_(std::filesystem::temp_directory_path() / unique_name()) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // A state.dir in it, and the option that says so.
  std::filesystem::path state() const { return path_ / "state"; }
  std::string set_state() const { return "state.dir=" + state().string(); }

 private:
  static std::string unique_name() {
    static std::atomic<int> count{0};
    return "tollgate-app-test-" + std::to_string(getpid()) + "-" + std::to_string(++count);
  }
  std::filesystem::path path_;
};

}  // namespace tollgate::app
