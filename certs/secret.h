// Secret: bytes that must not linger or be printed. Wiped when destroyed; nothing formats it.
#pragma once

#include <openssl/crypto.h>

#include <string_view>
#include <utility>

#include "gateway/base/bytes.h"

namespace tollgate::certs {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view text) : Secret(as_bytes(text)) {}
  explicit Secret(ByteView bytes) : bytes_(bytes.begin(), bytes.end()) {}
  explicit Secret(Bytes&& bytes) : bytes_(std::move(bytes)) {}
  ~Secret() {
    if (!bytes_.empty()) OPENSSL_cleanse(bytes_.data(), bytes_.size());
  }
  Secret(Secret&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  bool empty() const { return bytes_.empty(); }
  ByteView bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

// What protects ca.key at rest; empty means none.
using Passphrase = Secret;

}  // namespace tollgate::certs
