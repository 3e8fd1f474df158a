// Every setting, once: parsing, --set, errors, `doctor`, the sample file and docs/configuration.md come from this
// table.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gateway/config/config.h"

namespace tollgate::config {

// A number, size or duration is within both, which are included and written as the value is. Empty: any.
struct Range {
  std::string_view low, high;
};

using Field =
    std::variant<std::filesystem::path Config::*, Listen Config::*, std::vector<FixedAnswer> Config::*,
                 std::vector<SocketAddress> Config::*, BadCertificate Config::*, bool Config::*, StoreUrl Config::*,
                 std::uint32_t Config::*, Millis Config::*, Seconds Config::*, ByteCount Config::*, LogLevel Config::*>;

struct Setting {
  std::string_view key;
  std::string_view fallback;  // as the value of a --set; a path may be empty only if this is
  std::string_view meaning;   // Markdown, one sentence
  Field field;
  Range range{};
};

inline constexpr auto settings = std::to_array<Setting>({
    {"state.dir", "state", "everything the gateway writes, mode 0700", &Config::state_dir},

    {"listen.proxy", "127.0.0.1:8080", "HTTP proxy (CONNECT and absolute-form); `off` disables it",
     &Config::listen_proxy},
    {"listen.admin", "127.0.0.1:8088", "metrics and health; `off` disables it", &Config::listen_admin},

    {"upstream.ca_file", "", "PEM file of trust anchors for origins; empty is the system's store",
     &Config::upstream_ca_file},
    {"upstream.resolve", "[]",
     "fixed answers before DNS, `NAME=ADDR` or `*.test=127.0.0.1`; an address named here is always reachable",
     &Config::upstream_resolve},
    {"upstream.dns", "[]", "resolvers, `ADDR` or `ADDR:PORT`; empty is the system's", &Config::upstream_dns},
    {"upstream.bad_certificate", "passthrough",
     "an origin's certificate does not verify: `passthrough` replays the ClientHello untouched so that the app judges "
     "the certificate itself, `refuse` closes the connection",
     &Config::upstream_bad_certificate},
    {"upstream.allow_loopback", "false",
     "whether a client may reach loopback, link-local, metadata and the gateway's own addresses",
     &Config::upstream_allow_loopback},

    {"ca.passphrase_file", "", "file whose first line encrypts the CA key; empty leaves the key unencrypted",
     &Config::ca_passphrase_file},

    {"store.url", "sqlite:tollgate.db", "where the log can be asked; a relative file lies in `state.dir`",
     &Config::store_url},
    {"workers", "0", "event loops; 0 is one for each core", &Config::workers, {"0", "256"}},

    {"log.retention_age",
     "30d",
     "records older than this, counted from their arrival, are removed",
     &Config::log_retention_age,
     {"1m", "36500d"}},
    {"log.retention_size",
     "2GiB",
     "the oldest records are removed when the log is larger than this",
     &Config::log_retention_size,
     {"1MiB", "1024TiB"}},
    {"log.level", "info", "what the program itself says on stderr", &Config::log_level},

    {"drain_s", "10", "seconds that open connections get to finish after SIGTERM", &Config::drain, {"0", "3600"}},

    {"limits.connections",
     "0",
     "client connections at once; 0 is as many as the descriptor limit has room for",
     &Config::limits_connections,
     {"0", "10000000"}},
    // Push connections of phones are silent for up to half an hour; a shorter limit would wake them more often.
    {"limits.idle",
     "1h",
     "a connection on which nothing moves is closed after this",
     &Config::limits_idle,
     {"1s", "7d"}},
    {"limits.head", "30s", "time for a whole request head", &Config::limits_head, {"100ms", "60s"}},
    {"limits.client_hello", "10s", "time for a whole ClientHello", &Config::limits_client_hello, {"100ms", "60s"}},
    {"limits.upstream_connect",
     "10s",
     "time to resolve, connect to and complete TLS with an origin",
     &Config::limits_upstream_connect,
     {"100ms", "5m"}},
    {"limits.server_first",
     "250ms",
     "a client that is silent for this long after its CONNECT is taken for one whose server speaks first",
     &Config::limits_server_first,
     {"10ms", "10s"}},
});

// What a value of this setting may be, for error messages and the documentation: `off or an address and port, …`.
std::string allowed(const Setting& setting);

// The setting's value in `config` as TOML: `"state"`, `[]`, `10`.
std::string toml_value(const Setting& setting, const Config& config);

// All fallbacks.
const Config& defaults();

}  // namespace tollgate::config
