// Config: every setting of tollgate, checked, with its defaults filled in. Immutable once loaded: what can be reloaded
// is a new Config. The keys, their defaults and their meaning are the table in settings.h; for people,
// docs/configuration.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/address.h"
#include "gateway/base/names.h"
#include "gateway/base/result.h"
#include "gateway/base/units.h"

namespace tollgate::config {

// Where a listener listens; nullopt is `off`. Port 0 asks the kernel for a free one.
using Listen = std::optional<SocketAddress>;

// What happens when an origin's certificate does not verify.
enum class BadCertificate : std::uint8_t {
  passthrough,  // the ClientHello is replayed untouched, so that the app judges the real certificate itself
  refuse,       // the connection is closed
};
std::string_view name(BadCertificate choice);

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };
std::string_view name(LogLevel level);  // as start_logging() takes it

// `NAME=ADDR` of upstream.resolve: an answer given before DNS is asked. NAME is a host name, or `*.` and a host name:
// then it stands for every name below that one, at any depth, but not for the name itself.
struct FixedAnswer {
  std::string pattern;  // lower case, `api.example.test` or `*.test`
  IpAddress address;
  // Errors: malformed, with what is allowed.
  static Result<FixedAnswer> parse(std::string_view text);
  std::string text() const;  // `*.test=127.0.0.1`
  bool operator==(const FixedAnswer&) const = default;
};

// The most specific answer for `host`, or nullptr: an exact name before any glob, a longer glob before a shorter one,
// and of equals the one that was written first. (Several addresses for one name are not offered: the first one is
// used.)
const FixedAnswer* match(const std::vector<FixedAnswer>& answers, const HostName& host);

// `sqlite:FILE`; a relative FILE lies in state.dir.
struct StoreUrl {
  std::filesystem::path file;
  // Errors: malformed, with what is allowed.
  static Result<StoreUrl> parse(std::string_view text);
  std::string text() const;
  bool operator==(const StoreUrl&) const = default;
};

struct Config {
  std::filesystem::path state_dir;

  Listen listen_proxy;
  Listen listen_admin;

  std::filesystem::path upstream_ca_file;     // empty: the system's store
  std::vector<FixedAnswer> upstream_resolve;  // see match()
  std::vector<SocketAddress> upstream_dns;    // empty: the system's resolvers
  BadCertificate upstream_bad_certificate{};
  bool upstream_allow_loopback = false;

  std::filesystem::path ca_passphrase_file;  // empty: the CA key is not encrypted

  StoreUrl store_url;
  std::uint32_t workers = 0;  // 0: one a core; see worker_count()

  Millis log_retention_age{};
  ByteCount log_retention_size = 0;
  LogLevel log_level{};

  Seconds drain{};

  std::uint32_t limits_connections = 0;  // client connections; 0: as many as the descriptor limit has room for
  Millis limits_idle{};                  // a connection, tunnel or stream on which nothing moves
  Millis limits_head{};                  // from the first byte of a request head, or of a CONNECT, to its last
  Millis limits_client_hello{};          // from the first byte inside a CONNECT to the whole ClientHello
  Millis limits_upstream_connect{};      // name resolution, TCP and TLS towards an origin, all together
  Millis limits_server_first{};  // how long a client may be silent after a CONNECT before the server is let speak first

  bool operator==(const Config&) const = default;
};

// The store's file, its relative path taken from state.dir.
std::filesystem::path store_file(const Config& config);
// Event loops to start: `workers`, or one for each core that this process may run on. At least 1.
std::uint32_t worker_count(const Config& config);

// The file that is read when none is named, if it exists.
inline constexpr std::string_view default_file = "tollgate.toml";

// Reads `file` (nullopt: default_file when there is one), then applies `sets` (`key=value`) in their order over it. A
// value of a set is TOML where it parses as TOML, else a string; a list may be given as one value or by repeating the
// key. Errors: malformed  one line for each thing that is wrong, all of them: `FILE:LINE:COL: key: value: what is
// allowed`,
//                    or `--set key=value: …`
//         not_found  `file` was named and is not there
//         io         it cannot be read
Result<Config> load(const std::optional<std::filesystem::path>& file, const std::vector<std::string>& sets);

// load() for text that is already in memory; `file_name` is for errors only. Pure.
Result<Config> parse(std::string_view toml, std::string_view file_name, const std::vector<std::string>& sets);

// Every setting as a TOML file which parse() reads back as an equal Config, comments included: the sample file.
std::string to_toml(const Config& config);

}  // namespace tollgate::config
