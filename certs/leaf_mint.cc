#include "certs/leaf_mint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "certs/issue.h"
#include "certs/x509_facts.h"

namespace tollgate::certs {
namespace {

using std::chrono::hours;

constexpr hours backdating{36};
constexpr hours whole_life{90 * 24};
constexpr std::size_t longest_common_name = 63;

bool fresh(const Leaf& leaf, WallTime now) { return leaf.not_before <= now && now < leaf.refresh_at; }

// Everything but key and signature.
bool fill_in(X509& certificate, const Authority& authority, const Host& host, const Leaf& leaf) {
  const std::string text = host.text();
  const bool has_subject = text.size() <= longest_common_name;
  X509_NAME* subject = X509_get_subject_name(&certificate);
  return X509_set_version(&certificate, X509_VERSION_3) == 1 && set_random_serial(certificate) &&
         X509_set_issuer_name(&certificate, X509_get_subject_name(authority.certificate())) == 1 &&
         set_validity(certificate, leaf.not_before, leaf.not_after) &&
         (!has_subject || add_to_name(*subject, NID_commonName, text)) &&
         X509_set_pubkey(&certificate, leaf.key.get()) == 1 && add_basic_constraints_end_entity(certificate) &&
         add_key_usage(certificate, KU_DIGITAL_SIGNATURE) && add_server_auth(certificate) &&
         add_subject_alt_name(certificate, host, has_subject ? Critical::no : Critical::yes) &&
         add_authority_key_id(certificate, authority.subject_key_id());
}

}  // namespace

std::shared_ptr<const Leaf> LeafCache::find(const std::string& host, WallTime now) {
  const std::lock_guard lock(mutex_);
  const auto found = by_host_.find(host);
  if (found == by_host_.end() || !fresh(*found->second->leaf, now)) return nullptr;
  by_use_.splice(by_use_.begin(), by_use_, found->second);
  return found->second->leaf;
}

std::shared_ptr<const Leaf> LeafCache::keep(const std::string& host, std::shared_ptr<const Leaf> leaf, WallTime now) {
  std::shared_ptr<const Leaf> dropped;  // freed after the lock
  const std::lock_guard lock(mutex_);
  if (const auto found = by_host_.find(host); found != by_host_.end()) {
    Entry& entry = *found->second;
    by_use_.splice(by_use_.begin(), by_use_, found->second);
    if (fresh(*entry.leaf, now)) return entry.leaf;
    dropped = std::exchange(entry.leaf, std::move(leaf));
    return entry.leaf;
  }
  if (by_use_.size() >= capacity_) {
    dropped = std::move(by_use_.back().leaf);
    by_host_.erase(by_use_.back().host);
    by_use_.pop_back();
  }
  by_use_.push_front(Entry{host, std::move(leaf)});
  by_host_.emplace(host, by_use_.begin());
  return by_use_.front().leaf;
}

std::size_t LeafCache::size() const {
  const std::lock_guard lock(mutex_);
  return by_use_.size();
}

Result<std::unique_ptr<LeafMint>> LeafMint::create(Authority::Pointer authority, std::size_t capacity) {
  assert(authority != nullptr && capacity > 0);
  KeyHandle key = make_p256_key();
  if (!key) return fail(Error::Kind::io, fmt::format("cannot make a key for leaves: {}", openssl_complaint()));
  // The constructor is private, which make_unique cannot see past.
  return std::unique_ptr<LeafMint>(new LeafMint(std::move(authority), std::move(key), capacity));
}

Result<std::shared_ptr<const Leaf>> LeafMint::leaf_for(const Host& host, WallTime now) {
  const std::string text = host.text();  // a name never looks like an address, so texts do not collide
  if (auto known = cache_.find(text, now)) return known;
  auto minted = mint(host, now);
  if (!minted) return fail(minted);
  return cache_.keep(text, std::move(*minted), now);
}

Result<std::shared_ptr<const Leaf>> LeafMint::mint(const Host& host, WallTime now) const {
  const WallTime this_second = std::chrono::floor<Seconds>(now);  // certificates have no fractions
  if (this_second < authority_->not_before() || this_second >= authority_->not_after()) {
    return fail(Error::Kind::refused,
                fmt::format("the gateway's authority is valid from {} to {}, and it is {} now: check the clock, or run "
                            "`tollgate ca rotate`",
                            date_text(authority_->not_before()), date_text(authority_->not_after()), date_text(now)));
  }
  auto leaf = std::make_shared<Leaf>();
  leaf->certificate.reset(X509_new());
  leaf->key = key_;
  leaf->not_before = std::max(this_second - backdating, authority_->not_before());
  // The last second counts (RFC 5280 §4.1.2.5), so it is one less.
  leaf->not_after = std::min(leaf->not_before + whole_life - Seconds(1), authority_->not_after());
  leaf->refresh_at = this_second + (leaf->not_after - this_second) * 2 / 3;
  if (!leaf->certificate || !fill_in(*leaf->certificate, *authority_, host, *leaf) ||
      X509_sign(leaf->certificate.get(), authority_->key(), EVP_sha256()) == 0) {
    return fail(Error::Kind::io, fmt::format("cannot sign a leaf for {}: {}", host.text(), openssl_complaint()));
  }
  return std::shared_ptr<const Leaf>(std::move(leaf));
}

}  // namespace tollgate::certs
