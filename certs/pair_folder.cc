#include "certs/pair_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace tollgate::certs {
namespace {

namespace fs = std::filesystem;

constexpr off_t largest_file = 1 << 20;
constexpr mode_t owner_only_file = S_IRUSR | S_IWUSR;
constexpr mode_t owner_only_folder = S_IRWXU;

tl::unexpected<Error> failed(const fs::path& path, std::string_view doing) {
  const int error = errno;
  const auto kind = error == ENOENT ? Error::Kind::not_found : Error::Kind::io;
  return fail(kind, fmt::format("{}: cannot {}: {}", path.string(), doing, std::generic_category().message(error)));
}

int open_retrying(const char* path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path, flags | O_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

Result<Bytes> read_whole(const Descriptor& file, off_t size, const fs::path& path) {
  if (size > largest_file) {
    return fail(Error::Kind::too_large,
                fmt::format("{}: larger than 1 MiB, so not a certificate or key", path.string()));
  }
  Bytes content(static_cast<std::size_t>(size));
  std::size_t filled = 0;
  while (filled < content.size()) {
    const ssize_t count = ::read(file.get(), content.data() + filled, content.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(path, "read it");
    if (count == 0) break;  // it was cut meanwhile; what is there will not parse
    filled += static_cast<std::size_t>(count);
  }
  content.resize(filled);
  return content;
}

enum class Readers : std::uint8_t { anybody, owner_only };

Result<Bytes> read_file(const fs::path& path, Readers allowed) {
  const Descriptor file(open_retrying(path.c_str(), O_RDONLY));
  struct stat status {};
  if (!file.valid() || ::fstat(file.get(), &status) != 0) return failed(path, "open it");
  if (!S_ISREG(status.st_mode)) return fail(Error::Kind::io, fmt::format("{}: not a file", path.string()));
  if (allowed == Readers::owner_only && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fail(Error::Kind::refused, fmt::format("{}: its mode is {:04o}, so others may read the private key: "
                                                  "`chmod 600 {}`",
                                                  path.string(), status.st_mode & 07777U, path.string()));
  }
  return read_whole(file, status.st_size, path);
}

Status write_whole(const Descriptor& file, std::string_view content, const fs::path& path) {
  while (!content.empty()) {
    const ssize_t count = ::write(file.get(), content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(path, "write it");
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  // Whatever the umask was; and on the disk before its name is given away.
  if (::fchmod(file.get(), owner_only_file) != 0 || ::fsync(file.get()) != 0) return failed(path, "write it");
  return {};
}

// `dir` with its missing parents, all of them 0700, their names on the disk.
Status make_folders(const fs::path& dir) {
  fs::path so_far;
  for (const fs::path& part : dir) {
    const fs::path parent = so_far.empty() ? fs::path(".") : so_far;
    so_far /= part;
    if (::mkdir(so_far.c_str(), owner_only_folder) != 0) {
      if (errno == EEXIST) continue;
      return failed(so_far, "make the folder");
    }
    const Descriptor above(open_retrying(parent.c_str(), O_RDONLY | O_DIRECTORY));
    if (!above.valid() || ::fsync(above.get()) != 0) return failed(parent, "sync the folder");
  }
  return {};
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::string> read_text_file(const fs::path& path) {
  const auto content = read_file(path, Readers::anybody);
  if (!content) return fail(content);
  return std::string(as_text(*content));
}

Result<Secret> read_secret_file(const fs::path& path) {
  auto content = read_file(path, Readers::owner_only);
  if (!content) return fail(content);
  return Secret(std::move(*content));
}

Result<PairFolder> PairFolder::lock(const fs::path& dir, Missing missing) {
  if (missing == Missing::is_made) {
    if (const Status made = make_folders(dir); !made) return fail(made);
  }
  Descriptor descriptor(open_retrying(dir.c_str(), O_RDONLY | O_DIRECTORY));
  if (!descriptor.valid()) return failed(dir, "open the folder");
  while (::flock(descriptor.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return failed(dir, "lock the folder");
  }
  // A folder that somebody made beforehand, perhaps with a wide umask, gets our mode too.
  if (missing == Missing::is_made && ::fchmod(descriptor.get(), owner_only_folder) != 0) {
    return failed(dir, "set the folder's mode to 0700");
  }
  return PairFolder(dir, std::move(descriptor));
}

bool PairFolder::has(std::string_view file) const {
  struct stat status {};
  return ::fstatat(descriptor_.get(), std::string(file).c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

Status PairFolder::stage(std::string_view certificate_pem, const Secret& key_pem) {
  if (Status key = write("ca.key.next", as_text(key_pem.bytes())); !key) return key;
  if (Status certificate = write("ca.pem.next", certificate_pem); !certificate) return certificate;
  return sync();
}

Status PairFolder::keep_present_as(std::string_view serial) {
  if (Status key = link("ca.key", fmt::format("ca-{}.key", serial)); !key) return key;
  if (Status certificate = link("ca.pem", fmt::format("ca-{}.pem", serial)); !certificate) return certificate;
  return sync();
}

Status PairFolder::install_staged() {
  if (Status key = rename("ca.key.next", "ca.key"); !key) return key;
  // The order of the two moves must be the order on the disk: recovery knows only this one.
  if (Status synced = sync(); !synced) return synced;
  return install_staged_certificate();
}

Status PairFolder::install_staged_certificate() {
  if (Status certificate = rename("ca.pem.next", "ca.pem"); !certificate) return certificate;
  return sync();
}

Status PairFolder::write(const char* file, std::string_view content) {
  const fs::path path = dir_ / file;
  if (::unlinkat(descriptor_.get(), file, 0) != 0 && errno != ENOENT) return failed(path, "remove the old one");
  const Descriptor out(::openat(descriptor_.get(), file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, owner_only_file));
  if (!out.valid()) return failed(path, "create it");
  return write_whole(out, content, path);
}

Status PairFolder::link(const char* from, const std::string& to) {
  if (::linkat(descriptor_.get(), from, descriptor_.get(), to.c_str(), 0) != 0 && errno != EEXIST) {
    return failed(dir_ / to, fmt::format("link {} to it", from));
  }
  // An old certificate may have been copied here by hand with a wider mode.
  if (::fchmodat(descriptor_.get(), to.c_str(), owner_only_file, 0) != 0)
    return failed(dir_ / to, "set its mode to 0600");
  return {};
}

Status PairFolder::rename(const char* from, const char* to) {
  if (::renameat(descriptor_.get(), from, descriptor_.get(), to) != 0) {
    return failed(dir_ / from, fmt::format("rename it to {}", to));
  }
  return {};
}

Status PairFolder::sync() {
  if (::fsync(descriptor_.get()) != 0) return failed(dir_, "sync the folder");
  return {};
}

}  // namespace tollgate::certs
