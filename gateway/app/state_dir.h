// state.dir: the folder that holds everything the gateway writes, for one gateway at a time.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

#include "gateway/base/descriptor.h"
#include "gateway/base/result.h"

namespace tollgate::app {

class StateDir {
 public:
  // Makes the folder when it is missing (0700, and its parents), checks that it is ours and closed to others, and locks
  // `lock` in it until the object dies; a killed process leaves no lock behind.
  // Errors: refused  another gateway runs here (its process id is named); it belongs to somebody else, or others may
  // read it
  //         io       it cannot be made or opened
  static Result<StateDir> open(const std::filesystem::path& path);

  // The first half of open(): made and checked, not locked. Errors: as above.
  static Status prepare(const std::filesystem::path& path);
  // Whether an existing folder is ours and closed to others. Errors: not_found, refused, io.
  static Status check(const std::filesystem::path& path);

  // The process that holds the lock; nothing when none does, or when there is no such folder. Takes no lock itself, so
  // that asking never gets in the way of a gateway that starts.
  static std::optional<pid_t> holder(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }

 private:
  StateDir(std::filesystem::path path, Descriptor lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::filesystem::path path_;
  Descriptor lock_;
};

}  // namespace tollgate::app
