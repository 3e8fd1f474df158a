#include "certs/leaf_mint.h"

#include <openssl/x509v3.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <set>
#include <thread>
#include <vector>

#include "certs/x509_facts.h"
#include "tests/certs/scratch_folder.h"

namespace tollgate::certs::test {
namespace {

using std::chrono::days;
using std::chrono::hours;

struct Mint {
  ScratchFolder folder;
  Authority::Pointer authority = Authority::create(folder.path() / "ca", {}).value();
  std::unique_ptr<LeafMint> mint;

  explicit Mint(std::size_t capacity = 100) : mint(LeafMint::create(authority, capacity).value()) {}
  std::shared_ptr<const Leaf> leaf(std::string_view host, WallTime now = wall_now()) {
    return mint->leaf_for(Host::parse(host).value(), now).value();
  }
};

// 1 for yes, as OpenSSL itself judges it for a server of this name.
int verified_by_openssl(const Authority& authority, const Leaf& leaf, const Host& host) {
  const StoreHandle store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), authority.certificate());
  const std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>> context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), leaf.certificate.get(), nullptr);
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER);
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);  // RFC 5280 to the letter
  X509_VERIFY_PARAM_set_auth_level(parameters, 3);
  X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (const IpAddress* ip = host.address()) {
    X509_VERIFY_PARAM_set1_ip(parameters, ip->bytes().data(), ip->bytes().size());
  } else {
    X509_VERIFY_PARAM_set1_host(parameters, host.name()->text().c_str(), 0);
  }
  const int verdict = X509_verify_cert(context.get());
  UNSCOPED_INFO(X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
  return verdict;
}

bool is_critical(const Leaf& leaf, int nid) {
  const int at = X509_get_ext_by_NID(leaf.certificate.get(), nid, -1);
  REQUIRE(at >= 0);
  return X509_EXTENSION_get_critical(X509_get_ext(leaf.certificate.get(), at)) == 1;
}

const std::string long_name = std::string(60, 'a') + ".example.test";  // 73 characters

}  // namespace

TEST_CASE("a leaf has the shape that every client accepts", "[certs]") {
  Mint world;
  const WallTime now = wall_now();
  const auto leaf = world.leaf("weather.example.test", now);
  X509* x509 = leaf->certificate.get();
  CHECK(X509_get_version(x509) == X509_VERSION_3);
  CHECK(X509_get_signature_nid(x509) == NID_ecdsa_with_SHA256);
  CHECK(serial_text(*x509).size() == 32);
  CHECK(subject_text(*x509) == "weather.example.test");
  CHECK(X509_NAME_entry_count(X509_get_subject_name(x509)) == 1);
  CHECK(X509_NAME_cmp(X509_get_issuer_name(x509), X509_get_subject_name(world.authority->certificate())) == 0);
  CHECK(X509_check_private_key(x509, leaf->key.get()) == 1);
  CHECK(EVP_PKEY_eq(leaf->key.get(), world.authority->key()) != 1);

  CHECK(X509_check_ca(x509) == 0);
  CHECK((X509_get_extension_flags(x509) & EXFLAG_BCONS) != 0);
  CHECK(is_critical(*leaf, NID_basic_constraints));
  CHECK(X509_get_key_usage(x509) == KU_DIGITAL_SIGNATURE);
  CHECK(is_critical(*leaf, NID_key_usage));
  CHECK(X509_get_extended_key_usage(x509) == XKU_SSL_SERVER);
  CHECK(hosts_of(*x509) == std::vector<std::string>{"weather.example.test"});
  CHECK_FALSE(is_critical(*leaf, NID_subject_alt_name));
  CHECK(X509_get0_subject_key_id(x509) == nullptr);
  const ASN1_OCTET_STRING* issuer_key = X509_get0_authority_key_id(x509);
  REQUIRE(issuer_key != nullptr);
  CHECK(Bytes(issuer_key->data, issuer_key->data + issuer_key->length) == world.authority->subject_key_id());
  CHECK(X509_get0_authority_issuer(x509) == nullptr);
  CHECK(X509_get_ext_count(x509) == 5);
}

TEST_CASE("a leaf is backdated a day or two, and lives ninety days in all", "[certs]") {
  Mint world;
  const WallTime now = wall_now();
  const auto leaf = world.leaf("example.test", now);
  CHECK(to_wall_time(X509_get0_notBefore(leaf->certificate.get())) == leaf->not_before);
  CHECK(to_wall_time(X509_get0_notAfter(leaf->certificate.get())) == leaf->not_after);
  CHECK(now - leaf->not_before >= hours(24));
  CHECK(now - leaf->not_before <= hours(48));
  CHECK(leaf->not_before > world.authority->not_before());
  CHECK(leaf->not_after - leaf->not_before + Seconds(1) <= days(90));
  CHECK(leaf->not_after - leaf->not_before > days(89));
}

TEST_CASE("OpenSSL, at its strictest, verifies a leaf for its host and no other", "[certs]") {
  Mint world;
  const auto text = GENERATE(as<std::string>(), "example.test", "a.b.c.d.example.test", "under_score.example.test",
                             "xn--bcher-kva.test", "localhost", "127.0.0.1", "203.0.113.9", "[::1]", "[2001:db8::5]");
  const Host host = Host::parse(text).value();
  const auto leaf = world.leaf(text);
  CHECK(hosts_of(*leaf->certificate) == std::vector<std::string>{host.text()});
  CHECK(verified_by_openssl(*world.authority, *leaf, host) == 1);
  for (const char* other : {"other.test", "127.0.0.2", "[::2]", "a.example.test"}) {
    CAPTURE(other);
    CHECK(verified_by_openssl(*world.authority, *leaf, Host::parse(other).value()) != 1);
  }
}

TEST_CASE("a name too long for a CN has an empty subject and a critical subjectAltName", "[certs]") {
  Mint world;
  const auto fits = world.leaf(std::string(50, 'b') + ".example.test");  // 63 characters
  CHECK(X509_NAME_entry_count(X509_get_subject_name(fits->certificate.get())) == 1);
  const std::string longest = std::string(63, 'a') + '.' + std::string(63, 'b') + '.' + std::string(63, 'c') + '.' +
                              std::string(56, 'd') + ".test";  // 253
  for (const std::string& name : {std::string(51, 'b') + ".example.test", long_name, longest}) {
    CAPTURE(name);
    const auto leaf = world.leaf(name);
    CHECK(X509_NAME_entry_count(X509_get_subject_name(leaf->certificate.get())) == 0);
    CHECK(is_critical(*leaf, NID_subject_alt_name));
    CHECK(verified_by_openssl(*world.authority, *leaf, Host::parse(name).value()) == 1);
  }
}

TEST_CASE("no two leaves share a serial; all leaves of a mint share a key", "[certs]") {
  Mint world;
  std::set<std::string> serials;
  for (int i = 0; i < 50; ++i) {
    const auto leaf = world.leaf("host" + std::to_string(i) + ".test");
    serials.insert(serial_text(*leaf->certificate));
    CHECK(leaf->key == world.leaf("another.test")->key);
  }
  CHECK(serials.size() == 50);
  CHECK(EVP_PKEY_eq(Mint().leaf("a.test")->key.get(), Mint().leaf("a.test")->key.get()) != 1);
}

TEST_CASE("a leaf is made once and remembered, whatever the case of its name", "[certs]") {
  Mint world;
  const auto first = world.leaf("example.test");
  CHECK(world.leaf("example.test") == first);
  CHECK(world.leaf("EXAMPLE.test.") == first);
  CHECK(world.leaf("www.example.test") != first);
  CHECK(world.mint->cached() == 2);
}

TEST_CASE("the cache is bounded and forgets what was used longest ago", "[certs]") {
  Mint world(3);
  const WallTime now = wall_now();
  const auto a = world.leaf("a.test", now);
  const auto b = world.leaf("b.test", now);
  const auto c = world.leaf("c.test", now);
  CHECK(world.leaf("a.test", now) == a);  // so b is the oldest now
  world.leaf("d.test", now);
  CHECK(world.mint->cached() == 3);
  CHECK(world.leaf("a.test", now) == a);
  CHECK(world.leaf("c.test", now) == c);
  CHECK(world.leaf("b.test", now) != b);
  for (int i = 0; i < 100; ++i) world.leaf("host" + std::to_string(i) + ".test", now);
  CHECK(world.mint->cached() == 3);
  CHECK(verified_by_openssl(*world.authority, *a, Host::parse("a.test").value()) == 1);  // still whole in our hands
}

TEST_CASE("a leaf is made anew when two thirds of its life are over", "[certs]") {
  Mint world;
  const WallTime now = wall_now();
  const auto first = world.leaf("example.test", now);
  CHECK(first->refresh_at > now + days(57));
  CHECK(first->refresh_at < now + days(61));
  CHECK(world.leaf("example.test", first->refresh_at - Seconds(1)) == first);
  const auto second = world.leaf("example.test", first->refresh_at);
  CHECK(second != first);
  CHECK(second->not_after > first->not_after);
  CHECK(world.leaf("example.test", first->refresh_at) == second);
  CHECK(world.mint->cached() == 1);
  // The clock was wrong and is put back: a leaf from the future is of no use.
  CHECK(world.leaf("example.test", now) != second);
}

TEST_CASE("a leaf never outlives its authority, nor begins before it", "[certs]") {
  Mint world;
  const WallTime end = world.authority->not_after();
  const auto late = world.leaf("late.test", end - days(2));
  CHECK(late->not_after == end);
  CHECK(late->refresh_at > end - days(2));
  CHECK(late->refresh_at < end);
  const auto early = world.leaf("early.test", world.authority->not_before() + Seconds(5));
  CHECK(early->not_before == world.authority->not_before());
  for (const WallTime outside : {end, end + days(1), world.authority->not_before() - Seconds(1)}) {
    const auto refused = world.mint->leaf_for(Host::parse("late.test").value(), outside);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind == Error::Kind::refused);
    CHECK_THAT(refused.error().what, Catch::Contains("tollgate ca rotate"));
  }
}

TEST_CASE("many threads share a mint, and agree on each host's leaf", "[certs]") {
  Mint world(16);
  constexpr int hosts = 12;
  const WallTime now = wall_now();
  std::atomic<int> failures{0};
  std::vector<std::vector<const Leaf*>> seen(6, std::vector<const Leaf*>(hosts));
  std::vector<std::thread> threads;
  for (auto& mine : seen) {
    threads.emplace_back([&, &mine_leaves = mine] {
      for (int i = 0; i < 40 * hosts; ++i) {
        const auto host = Host::parse("host" + std::to_string(i % hosts) + ".test").value();
        const auto leaf = world.mint->leaf_for(host, now);
        if (!leaf) ++failures;
        if (leaf) mine_leaves[static_cast<std::size_t>(i % hosts)] = leaf->get();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(world.mint->cached() == hosts);
  for (const auto& leaves : seen) CHECK(leaves == seen[0]);
}

TEST_CASE("threads that crowd a small cache out still get the right leaves", "[certs]") {
  Mint world(2);
  const WallTime now = wall_now();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&world, &wrong, now, thread] {
      for (int i = 0; i < 60; ++i) {
        const std::string name = "host" + std::to_string((i + thread) % 7) + ".test";
        const auto leaf = world.mint->leaf_for(Host::parse(name).value(), now);
        if (!leaf || hosts_of(*(*leaf)->certificate) != std::vector<std::string>{name}) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(world.mint->cached() == 2);
}

}  // namespace tollgate::certs::test
