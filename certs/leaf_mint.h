// LeafMint: the certificates that clients are shown, one a host, made when first asked for and then remembered.
//
// Shape (RFC 5280 §4, RFC 9525, and what Apple asks of user-installed authorities): subjectAltName with exactly the
// host (dNSName, or iPAddress for a literal; never a wildcard), critical when the subject is empty; CN only up to 63
// characters; CA:FALSE, digitalSignature, serverAuth; the authority's key id, none of its own; a random 128-bit serial;
// backdated 36 h for clients whose clock is slow; 90 days in all, never past the authority's end.
//
// Threads: all workers share one mint. Its mutex is held for a look-up or an insertion only; keys and signatures are
// made outside it, so two workers that meet the same new host at once may both sign, and one result is kept.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "certs/authority.h"
#include "certs/handles.h"
#include "gateway/base/address.h"
#include "gateway/base/clock.h"
#include "gateway/base/result.h"

namespace tollgate::certs {

// Immutable; a connection that holds one may outlive its place in the cache, the mint and the authority.
struct Leaf {
  X509Handle certificate;         // send it alone: the client has the authority
  std::shared_ptr<EVP_PKEY> key;  // P-256, the same for all leaves of a mint
  WallTime not_before;
  WallTime not_after;
  WallTime refresh_at;  // two thirds of what was left when it was made; from then on the mint makes a new one
};

// The most recently used leaves, at most `capacity` of them. The lock is inside.
class LeafCache {
 public:
  explicit LeafCache(std::size_t capacity) : capacity_(capacity) {}

  // A leaf that is fresh at `now`, or nullptr.
  std::shared_ptr<const Leaf> find(const std::string& host, WallTime now);
  // Keeps `leaf`, unless a leaf that is fresh at `now` got there first; returns the one that is kept.
  std::shared_ptr<const Leaf> keep(const std::string& host, std::shared_ptr<const Leaf> leaf, WallTime now);
  std::size_t size() const;

 private:
  struct Entry {
    std::string host;
    std::shared_ptr<const Leaf> leaf;
  };

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::list<Entry> by_use_;  // the latest used first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_host_;
};

class LeafMint {
 public:
  // A mint belongs to one authority: after a rotation make a new one. `capacity` (at least 1) is in leaves, about 2 KiB
  // each. Errors: io  no key could be made.
  static Result<std::unique_ptr<LeafMint>> create(Authority::Pointer authority, std::size_t capacity);

  // The leaf for `host`: remembered, or made now (about 0.2 ms).
  // Errors: refused  the authority is not valid at `now`: rotate it, or set the clock
  //         io       OpenSSL could not sign
  Result<std::shared_ptr<const Leaf>> leaf_for(const Host& host, WallTime now);

  const Authority& authority() const { return *authority_; }
  std::size_t cached() const { return cache_.size(); }

 private:
  LeafMint(Authority::Pointer authority, std::shared_ptr<EVP_PKEY> key, std::size_t capacity)
      : authority_(std::move(authority)), key_(std::move(key)), cache_(capacity) {}
  Result<std::shared_ptr<const Leaf>> mint(const Host& host, WallTime now) const;

  Authority::Pointer authority_;
  std::shared_ptr<EVP_PKEY> key_;
  LeafCache cache_;
};

}  // namespace tollgate::certs
