// certificate_zoo DIR: writes every specimen into DIR, for tests in other languages:
//   KIND.pem       the leaf, then what the origin sends after it
//   KIND.key       the leaf's key, PKCS#8
//   KIND.ocsp      the OCSP response it staples, DER, if it does
//   anchors.pem    what the client is to trust
//   manifest.json  {"KIND": {"verdict": "good" | "bad", "host": …, "sentence": a part of it | null, "ocsp": true |
//   false}}
#include <fmt/format.h>
#include <openssl/pem.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "certs/handles.h"
#include "tests/certs/zoo.h"

namespace tollgate::certs::test {
namespace {

namespace fs = std::filesystem;

void must(bool ok, const fs::path& path) {
  if (!ok) throw std::runtime_error("cannot write " + path.string());
}

void write_certificates(const fs::path& path, const std::vector<SharedX509>& certificates) {
  const BioHandle out(BIO_new_file(path.c_str(), "w"));
  must(out != nullptr, path);
  for (const SharedX509& certificate : certificates) must(PEM_write_bio_X509(out.get(), certificate.get()) == 1, path);
}

void write_key(const fs::path& path, const SharedKey& key) {
  const BioHandle out(BIO_new_file(path.c_str(), "w"));
  must(out && PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1, path);
}

void write_bytes(const fs::path& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary);
  out << bytes;
  must(out.flush().good(), path);
}

// The specimens' texts are printable ASCII.
std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

void write_zoo(const fs::path& folder) {
  const World world = make_world();
  fs::create_directories(folder);
  write_certificates(folder / "anchors.pem", world.anchors());
  std::string manifest;
  for (const Kind& kind : all_kinds()) {
    const Specimen specimen = kind.make(world);
    const std::string name(kind.name);
    std::vector<SharedX509> sent = specimen.chain;
    sent.insert(sent.begin(), specimen.leaf.certificate);
    write_certificates(folder / (name + ".pem"), sent);
    write_key(folder / (name + ".key"), specimen.leaf.key);
    if (!specimen.staple.empty()) write_bytes(folder / (name + ".ocsp"), as_text(specimen.staple));
    const bool good = kind.verdict == Verdict::good;
    manifest +=
        fmt::format("{}\n  {}: {{\"verdict\": \"{}\", \"host\": {}, \"sentence\": {}, \"ocsp\": {}}}",
                    manifest.empty() ? "" : ",", json_string(name), good ? "good" : "bad", json_string(specimen.host),
                    good ? "null" : json_string(specimen.sentence), !specimen.staple.empty());
  }
  write_bytes(folder / "manifest.json", "{" + manifest + "\n}\n");
}

}  // namespace
}  // namespace tollgate::certs::test

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: certificate_zoo DIR\n");
    return 2;
  }
  try {
    tollgate::certs::test::write_zoo(argv[1]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "certificate_zoo: {}\n", error.what());
    return 1;
  }
  return 0;
}
