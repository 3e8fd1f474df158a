// A TLS handshake in memory, between a client that trusts `trust` and an origin that shows a specimen.
#pragma once

#include <optional>
#include <string>

#include "certs/trust.h"
#include "tests/certs/zoo.h"

namespace tollgate::certs::test {

struct Outcome {
  bool completed = false;
  long verify_result = 0;
  std::optional<CertificateFailure> failure;
};

enum class Expecting : std::uint8_t { the_host, nobody };

// `version` is TLS1_2_VERSION or TLS1_3_VERSION. The origin's side is as careless as OpenSSL can be made (SECLEVEL 0),
// so that what is refused is refused by the client.
Outcome shake_hands(const Trust& trust, const Specimen& specimen, int version,
                    Expecting expecting = Expecting::the_host);

// Writes PEM certificates into a new file of the system's temporary folder, which is removed with the object.
class AnchorFile {
 public:
  explicit AnchorFile(const std::vector<SharedX509>& anchors);
  explicit AnchorFile(std::string_view content);
  ~AnchorFile();
  AnchorFile(const AnchorFile&) = delete;
  AnchorFile& operator=(const AnchorFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace tollgate::certs::test
