#include "gateway/app/state_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>

namespace tollgate::app {
namespace {

constexpr mode_t for_others = 0077;

auto refused_by_the_machine(const std::filesystem::path& path, int error) {
  return fail(error == ENOENT ? Error::Kind::not_found : Error::Kind::io,
              fmt::format("{}: {}", path.string(), std::generic_category().message(error)));
}

// An open file description lock, on the whole file: unlike flock(2) it can be asked about without being taken, unlike a
// plain POSIX lock it is not lost when something else in the process closes the file.
struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

std::optional<pid_t> read_pid(int file) {
  std::array<char, 16> text{};
  const ssize_t size = pread(file, text.data(), text.size(), 0);
  pid_t pid = 0;
  if (size <= 0 || std::from_chars(text.data(), text.data() + size, pid).ec != std::errc{}) return std::nullopt;
  return pid;
}

Status write_pid(int file, const std::filesystem::path& path) {
  const std::string text = fmt::format("{}\n", getpid());
  const bool written =
      ftruncate(file, 0) == 0 && pwrite(file, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
  if (!written) return refused_by_the_machine(path, errno);
  return {};
}

}  // namespace

Status StateDir::check(const std::filesystem::path& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return refused_by_the_machine(path, errno);
  if (!S_ISDIR(found.st_mode)) return refused_by_the_machine(path, ENOTDIR);
  if (found.st_uid != geteuid()) {
    return fail(Error::Kind::refused,
                fmt::format("{}: it belongs to user {}, not to {}: run as its owner, or choose another state.dir",
                            path.string(), found.st_uid, geteuid()));
  }
  if ((found.st_mode & for_others) != 0) {
    return fail(Error::Kind::refused,
                fmt::format("{}: mode {:04o} lets others in, and it holds private keys: chmod 700 {}", path.string(),
                            found.st_mode & 07777U, path.string()));
  }
  return {};
}

Status StateDir::prepare(const std::filesystem::path& path) {
  if (path.has_parent_path()) {
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    if (error) return refused_by_the_machine(path.parent_path(), error.value());
  }
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return refused_by_the_machine(path, errno);
  return check(path);
}

Result<StateDir> StateDir::open(const std::filesystem::path& path) {
  if (auto prepared = prepare(path); !prepared) return fail(prepared);
  const std::filesystem::path file = path / "lock";
  Descriptor descriptor(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!descriptor) return refused_by_the_machine(file, errno);
  struct flock lock = whole_file();
  if (fcntl(descriptor.get(), F_OFD_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES) return refused_by_the_machine(file, errno);
    const auto pid = read_pid(descriptor.get());
    return fail(Error::Kind::refused,
                fmt::format("{}: process {} runs a gateway here: stop it, or choose another state.dir", path.string(),
                            pid ? fmt::format("{}", *pid) : "(starting)"));
  }
  if (auto written = write_pid(descriptor.get(), file); !written) return fail(written);
  return StateDir(path, std::move(descriptor));
}

std::optional<pid_t> StateDir::holder(const std::filesystem::path& path) {
  const Descriptor file(::open((path / "lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return std::nullopt;
  struct flock lock = whole_file();
  if (fcntl(file.get(), F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return std::nullopt;
  return read_pid(file.get());
}

}  // namespace tollgate::app
