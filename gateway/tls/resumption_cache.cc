#include "gateway/tls/resumption_cache.h"

#include <utility>

namespace tollgate::tls {

void ResumptionCache::store(const std::string& key, Entry entry) {
  std::list<Origin> dropped_origins;  // declared before the lock: freed after it is released
  std::vector<Entry> dropped_entries;
  const std::lock_guard lock(mutex_);
  auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    by_use_.push_front({key, {}});
    found = by_key_.emplace(key, by_use_.begin()).first;
    if (by_use_.size() > origins_) {
      by_key_.erase(by_use_.back().key);
      dropped_origins.splice(dropped_origins.begin(), by_use_, std::prev(by_use_.end()));
    }
  } else {
    by_use_.splice(by_use_.begin(), by_use_, found->second);
  }
  auto& entries = found->second->entries;
  if (entries.size() == sessions_each_) {
    dropped_entries.push_back(std::move(entries.front()));
    entries.erase(entries.begin());
  }
  entries.push_back(std::move(entry));
}

std::optional<ResumptionCache::Entry> ResumptionCache::take(const std::string& key, WallTime now) {
  std::list<Origin> used_up;
  std::vector<Entry> expired;
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  const Place origin = found->second;
  by_use_.splice(by_use_.begin(), by_use_, origin);
  std::optional<Entry> taken;
  while (!taken && !origin->entries.empty()) {
    Entry newest = std::move(origin->entries.back());
    origin->entries.pop_back();
    if (now < newest.usable_until) {
      taken = std::move(newest);
    } else {
      expired.push_back(std::move(newest));
    }
  }
  if (origin->entries.empty()) {
    by_key_.erase(found);
    used_up.splice(used_up.begin(), by_use_, origin);
  }
  return taken;
}

std::size_t ResumptionCache::origins() const {
  const std::lock_guard lock(mutex_);
  return by_use_.size();
}

}  // namespace tollgate::tls
