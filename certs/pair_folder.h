// PairFolder: the folder of an authority's files (authority.h says which), and the moves that a crash cannot break.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "certs/secret.h"
#include "gateway/base/result.h"

namespace tollgate::certs {

// A file descriptor, closed when it goes.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

// Whole small files. Errors: not_found, io, too_large (over 1 MiB); and of a secret, refused when anybody but its owner
// may read it.
Result<std::string> read_text_file(const std::filesystem::path& path);
Result<Secret> read_secret_file(const std::filesystem::path& path);

// Locked (flock(2), against other processes and threads) while it lives.
class PairFolder {
 public:
  enum class Missing : std::uint8_t { is_error, is_made };

  // Waits for whoever holds the lock: they write two small files. Errors: not_found, io.
  static Result<PairFolder> lock(const std::filesystem::path& dir, Missing missing);

  bool has(std::string_view file) const;

  // Writes and syncs ca.pem.next and ca.key.next, replacing what an interrupted attempt left.
  Status stage(std::string_view certificate_pem, const Secret& key_pem);
  // Gives the present pair a second name, ca-<serial>.pem and .key. What has these names already stays.
  Status keep_present_as(std::string_view serial);
  // Moves what stage() wrote into place, replacing what is there: the key, then the certificate.
  Status install_staged();
  // The second half of install_staged().
  Status install_staged_certificate();

 private:
  PairFolder(std::filesystem::path dir, Descriptor descriptor)
      : dir_(std::move(dir)), descriptor_(std::move(descriptor)) {}
  Status write(const char* file, std::string_view content);
  Status link(const char* from, const std::string& to);
  Status rename(const char* from, const char* to);
  Status sync();

  std::filesystem::path dir_;
  Descriptor descriptor_;
};

}  // namespace tollgate::certs
