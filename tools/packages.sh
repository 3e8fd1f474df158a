# shellcheck shell=bash
# The Debian 12 packages that tollgate needs, in one place, and how they are installed. Sourced by run and test.

# To build and run the gateway.
# shellcheck disable=SC2034 # used by those who source this file, as are the next two
build_packages=(
  g++ cmake ninja-build pkg-config ca-certificates
  libssl-dev libevent-dev libnghttp2-dev libc-ares-dev libsqlite3-dev zlib1g-dev
  libprotobuf-dev protobuf-compiler libspdlog-dev libfmt-dev libexpected-dev
  libtomlplusplus-dev libcli11-dev rapidjson-dev libboost-dev
)
# To run every test: the second compiler and its checks, real clients, real servers.
# shellcheck disable=SC2034
test_packages=(
  catch2 ccache clang clang-tidy clang-format libclang-rt-14-dev llvm-14
  curl nghttp2-client git nodejs chromium libnss3-tools sqlite3 openssl
  nginx-light python3 python3-h2 python3-pytest python3-cryptography python3-websockets
)
# To compare tollgate with others (tests/bench).
# shellcheck disable=SC2034
bench_packages=(haproxy sslsplit squid-openssl mitmproxy)

# Packages that bring a service, and its name: the service is neither started now nor at the next boot, because tests
# and benchmarks start their own with their own settings.
declare -A services=([nginx-light]=nginx [haproxy]=haproxy [squid-openssl]=squid)

say() { printf '==> %s\n' "$*" >&2; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    say "packages are missing, and installing them needs root: run this as root, or install sudo"
    return 1
  fi
}

# Those of the packages $@ that are not installed, one a line.
missing_packages() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p') || true
  printf '%s\n' "$@" | grep -vxF -f <(printf '%s\n' "$installed") || true
}

# A package's scripts ask /usr/sbin/policy-rc.d before they start a service (invoke-rc.d(8), deb-systemd-invoke(1p)): for the
# time of the installation there is one that says no (101). One that is there already is respected and left alone.
readonly policy=/usr/sbin/policy-rc.d
readonly policy_mark='# tollgate: no services while packages are being installed'
forbid_services() {
  [ -e "$policy" ] || printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" | as_root install -m 755 /dev/stdin "$policy"
}
allow_services() {
  if grep -qsxF "$policy_mark" "$policy"; then as_root rm -f "$policy"; fi
}

# Installs what is missing of the packages $@; needs neither root nor network when nothing is. All output goes to stderr.
install_packages() (
  mapfile -t missing < <(missing_packages "$@")
  [ "${#missing[@]}" -gt 0 ] || exit 0
  if ! command -v apt-get >/dev/null; then
    say "these Debian packages are missing, and there is no apt-get to install them: ${missing[*]}"
    exit 1
  fi
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  trap allow_services EXIT
  trap 'exit 130' INT TERM
  forbid_services || exit 1
  # In `env`, because sudo drops the environment.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update >&2 || exit 1
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}" >&2 || exit 1
  for package in "${missing[@]}"; do
    if [ -n "${services[$package]:-}" ]; then as_root update-rc.d "${services[$package]}" disable >&2 || exit 1; fi
  done
)
