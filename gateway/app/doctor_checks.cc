#include "gateway/app/doctor_checks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "certs/authority.h"
#include "certs/trust.h"
#include "gateway/app/ca_command.h"
#include "gateway/app/state_dir.h"
#include "gateway/config/settings.h"
#include "gateway/net/socket.h"
#include "gateway/store/store.h"

namespace tollgate::app {
namespace {

constexpr ByteCount little_room = 256 * mebibyte;
constexpr ByteCount far_behind = 64 * mebibyte;
constexpr auto soon = std::chrono::hours(30 * 24);
constexpr Millis answer_in{2000};
// A connection and its origin's; 1,000 of them is a household at its busiest.
constexpr rlim_t descriptors_wanted = 4096;

Finding fine(std::string text) { return {Grade::fine, std::move(text), ""}; }
Finding note(std::string text, std::string remedy) { return {Grade::note, std::move(text), std::move(remedy)}; }
Finding wrong(std::string text, std::string remedy) { return {Grade::wrong, std::move(text), std::move(remedy)}; }

std::string day(WallTime time) { return rfc3339(time).substr(0, 10); }

// Writes and removes a small file in `dir`: what a full or read-only disk refuses. 0, or errno.
int try_to_write(const std::filesystem::path& dir) {
  std::string name = (dir / ".doctor-XXXXXX").string();
  const Descriptor file(mkostemp(name.data(), O_CLOEXEC));
  if (!file) return errno;
  const std::string content(4096, 'x');
  errno = 0;
  const bool written = write(file.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
                       fsync(file.get()) == 0;
  const int error = written ? 0 : (errno != 0 ? errno : ENOSPC);
  unlink(name.c_str());
  return error;
}

// Whether somebody takes connections at `address`. 0, or errno.
int try_to_connect(const SocketAddress& address) {
  const auto socket = net::start_connecting(address);
  if (!socket) return ECONNREFUSED;
  pollfd writable{socket->get(), POLLOUT, 0};
  if (poll(&writable, 1, static_cast<int>(answer_in.count())) != 1) return ETIMEDOUT;
  return net::connect_error(socket->get());
}

std::string why(int error) { return std::generic_category().message(error); }

Finding look_at_listener(std::string_view key, const config::Listen& listen, bool running) {
  if (!listen) return note(fmt::format("{} is off", key), "");
  if (running && listen->port == 0)
    return fine(fmt::format("{} has a port chosen by the kernel: see the ready line", key));
  if (running) {
    const int error = try_to_connect(*listen);
    if (error == 0) return fine(fmt::format("{} {} answers", key, listen->text()));
    return wrong(fmt::format("{} {} does not answer: {}", key, listen->text(), why(error)),
                 "was the running gateway started with other settings? Compare its ready line");
  }
  const auto free = net::check_free(*listen);
  if (!free) return wrong(fmt::format("{}: {}", key, free.error().what), "");
  return fine(fmt::format("{} {} is free", key, listen->text()));
}

}  // namespace

Findings check_settings(const config::Config& config, WallTime) {
  std::vector<std::string> differing;
  for (const config::Setting& setting : config::settings) {
    std::string value = toml_value(setting, config);
    if (value != toml_value(setting, config::defaults()))
      differing.push_back(fmt::format("{} = {}", setting.key, value));
  }
  if (differing.empty()) return {fine("all defaults")};
  return {fine(fmt::format("not default: {}", fmt::join(differing, ", ")))};
}

Findings check_state(const config::Config& config, WallTime) {
  const std::string dir = config.state_dir.string();
  const auto checked = StateDir::check(config.state_dir);
  if (!checked && checked.error().kind == Error::Kind::not_found) {
    return {note(fmt::format("{} does not exist", dir), "the first `tollgate run` makes it")};
  }
  if (!checked) return {wrong(checked.error().what, "")};
  if (const int error = try_to_write(config.state_dir); error != 0) {
    return {wrong(fmt::format("{} cannot be written: {}", dir, why(error)),
                  "until it can, a running gateway keeps new records in memory and in the end loses them: make room")};
  }
  struct statvfs disk {};
  if (statvfs(config.state_dir.c_str(), &disk) != 0) return {wrong(fmt::format("{}: {}", dir, why(errno)), "")};
  const ByteCount room = static_cast<ByteCount>(disk.f_bavail) * disk.f_frsize;
  if (room < little_room) {
    return {wrong(fmt::format("{} has {} left", dir, readable(room)), "make room, or lower log.retention_size")};
  }
  return {fine(fmt::format("{}, closed to others, {} left on its disk", dir, readable(room)))};
}

Findings check_authority(const config::Config& config, WallTime now) {
  const auto passphrase = read_passphrase(config);
  if (!passphrase) return {wrong(passphrase.error().what, "mend ca.passphrase_file")};
  const auto authority = certs::Authority::open(authority_dir(config), *passphrase, now);
  if (!authority && authority.error().kind == Error::Kind::not_found) {
    return {note("there is none yet", "the first `tollgate run` makes it; so does `tollgate ca init`")};
  }
  if (!authority) return {wrong(authority.error().what, "")};
  const certs::Authority& found = **authority;
  if (found.not_after() - now < soon) {
    return {wrong(fmt::format("{} expires on {}", found.common_name(), day(found.not_after())),
                  "`tollgate ca rotate`, then have the phones trust the new certificate")};
  }
  return {fine(fmt::format("{}, valid until {}", found.common_name(), day(found.not_after()))),
          fine(fmt::format("SHA-256 {}", found.fingerprint()))};
}

Findings check_gateway(const config::Config& config, WallTime) {
  if (const auto pid = StateDir::holder(config.state_dir)) return {fine(fmt::format("running, process {}", *pid))};
  return {note("not running", "`tollgate run`")};
}

Findings check_listeners(const config::Config& config, WallTime) {
  const bool running = StateDir::holder(config.state_dir).has_value();
  Findings findings{look_at_listener("listen.proxy", config.listen_proxy, running),
                    look_at_listener("listen.admin", config.listen_admin, running)};
  if (config.listen_proxy && config.listen_proxy->ip.is_loopback()) {
    findings.push_back(note("listen.proxy takes connections from this machine only",
                            fmt::format("for a phone: listen.proxy = \"0.0.0.0:{}\"", config.listen_proxy->port)));
  }
  return findings;
}

Findings check_log(const config::Config& config, WallTime) {
  const auto counts = store::count_store(config.state_dir);
  if (!counts && counts.error().kind == Error::Kind::not_found) return {note("nothing is recorded yet", "")};
  if (!counts) return {wrong(counts.error().what, "")};
  if (!counts->exists && counts->journal_bytes == 0) return {note("nothing is recorded yet", "")};
  Findings findings;
  if (const auto sound = store::check_store(config.state_dir); !sound) {
    findings.push_back(wrong(sound.error().what, "restart the gateway: it rebuilds the database from the journal"));
  }
  if (counts->lag > far_behind) {
    findings.push_back(wrong(fmt::format("{} of the journal are not in the database", readable(counts->lag)),
                             StateDir::holder(config.state_dir) ? "see the running gateway's log for the reason"
                                                                : "`tollgate run` catches up"));
  }
  findings.push_back(
      fine(fmt::format("{} exchanges, {} connections; database {}, journal {}", counts->exchanges, counts->connections,
                       readable(counts->database_bytes), readable(counts->journal_bytes))));
  return findings;
}

Findings check_trust(const config::Config& config, WallTime) {
  const auto trust =
      config.upstream_ca_file.empty() ? certs::Trust::system() : certs::Trust::from_file(config.upstream_ca_file);
  if (!trust) {
    return {wrong(trust.error().what,
                  config.upstream_ca_file.empty() ? "install the package ca-certificates" : "mend upstream.ca_file")};
  }
  return {fine(fmt::format("{} trust anchors in {}", (*trust)->anchors(), (*trust)->source().string()))};
}

Findings check_limits(const config::Config& config, WallTime) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  // The gateway raises its soft limit itself; the hard one is what it can have.
  const rlim_t wanted = std::max<rlim_t>(descriptors_wanted, rlim_t{2} * config.limits_connections);
  if (limit.rlim_max < wanted) {
    return {wrong(fmt::format("{} file descriptors at most; {} are wanted", limit.rlim_max, wanted),
                  fmt::format("ulimit -n {}, or LimitNOFILE={} in the service's unit", wanted, wanted))};
  }
  return {fine(fmt::format("{} file descriptors", limit.rlim_max))};
}

Findings check_clock(const config::Config& config, WallTime now) {
  struct stat database {};
  if (stat(config::store_file(config).c_str(), &database) == 0) {
    const WallTime written = from_micros(std::int64_t{database.st_mtim.tv_sec} * 1'000'000);
    if (written > now + std::chrono::minutes(10)) {
      return {wrong(fmt::format("it is {}, but the log was written at {}", rfc3339(now), rfc3339(written)),
                    "set the clock: phones refuse certificates that begin in their future")};
    }
  }
  timex state{};
  if (adjtimex(&state) == TIME_ERROR || (state.status & STA_UNSYNC) != 0) {
    return {note(fmt::format("{}, not synchronised with a time server", rfc3339(now)), "`timedatectl set-ntp true`")};
  }
  return {fine(fmt::format("{}, synchronised", rfc3339(now)))};
}

}  // namespace tollgate::app
