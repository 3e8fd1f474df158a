// ResumptionCache: TLS sessions that origins gave us, to be resumed once (RFC 8446 §4.6.1 and §C.4; RFC 5077).
//
// A resumed session skips the verification of the origin's certificate, so what stands in for it is the key (whoever
// made the key says which origins may share a session: none) and the time until which the verification holds.
// Each session is handed out once: a TLS 1.3 ticket must not be used twice, and a TLS 1.2 session that makes an origin
// fail is thereby forgotten; one that worked is stored again.
// Threads: any; the lock is held for a look-up or an insertion, and nothing is freed under it.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/free_with.h"

namespace tollgate::tls {

using SessionHandle = std::unique_ptr<SSL_SESSION, FreeWith<SSL_SESSION_free>>;

class ResumptionCache {
 public:
  struct Entry {
    SessionHandle session;
    WallTime usable_until;    // the ticket's end, never behind verified_until
    WallTime verified_until;  // how long the full verification holds that this session descends from
  };

  // At most `origins` keys, the least recently used leaving first, and `sessions_each` sessions with a key, the oldest
  // leaving first. A session takes 1 to 2 KiB, and its origin's certificate about 5 KiB once.
  ResumptionCache(std::size_t origins, std::size_t sessions_each) : origins_(origins), sessions_each_(sessions_each) {}

  void store(const std::string& key, Entry entry);
  // The newest session that is usable at `now`, which leaves the cache.
  std::optional<Entry> take(const std::string& key, WallTime now);

  std::size_t origins() const;

 private:
  struct Origin {
    std::string key;
    std::vector<Entry> entries;  // the newest last
  };
  using Place = std::list<Origin>::iterator;

  const std::size_t origins_;
  const std::size_t sessions_each_;
  mutable std::mutex mutex_;
  std::list<Origin> by_use_;  // the latest used first
  std::unordered_map<std::string, Place> by_key_;
};

}  // namespace tollgate::tls
