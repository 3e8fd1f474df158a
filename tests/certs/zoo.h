// The zoo: every kind of certificate that an origin may show, and what must come of it. Made anew in each run, because
// dates are relative to now.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/bytes.h"
#include "tests/certs/certificate_builder.h"

namespace tollgate::certs::test {

// The authorities that the specimens come from.
struct World {
  Identity root;          // an anchor
  Identity intermediate;  // of the root
  Identity expired_root;  // an anchor
  Identity stranger;      // a root that is no anchor

  std::vector<SharedX509> anchors() const { return {root.certificate, expired_root.certificate}; }
};
World make_world();

struct Specimen {
  std::string host;               // whom the client means to talk to: a name, 127.0.0.1 or [::1]
  Identity leaf;                  // what the origin shows
  std::vector<SharedX509> chain;  // and sends after it
  Bytes staple;                   // and staples; empty: nothing
  std::string sentence = "";      // a part of what the owner is told, where the kind is bad
};

enum class Verdict : std::uint8_t { good, bad };

struct Kind {
  std::string_view name;  // fit for a file and a host name
  Verdict verdict;
  Specimen (*make)(const World& world);
};

std::span<const Kind> name_kinds();
std::span<const Kind> chain_kinds();
std::span<const Kind> use_kinds();  // dates, purposes, strength
std::span<const Kind> ocsp_kinds();
std::vector<Kind> all_kinds();

// For `builder` signed by the intermediate, which is sent too.
Specimen usual(const World& world, const std::string& host, const CertificateBuilder& builder,
               std::string sentence = "");

}  // namespace tollgate::certs::test
