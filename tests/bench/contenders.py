"""The programs that compare.py sets side by side, the origin behind them, and how each is started, watched and ended.

Every contender terminates the client's TLS, verifies the origin's certificate and encrypts again. What differs from one
to the next, and cannot be made alike, is said in its docstring and in docs/benchmarks.md.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

COLD_NAMES = 500
ROUNDS_AT_MOST = 20  # each has its own *.cN.test
BIG_BYTES = 10_000_000
PAGE = b"hello\n"
START_DEADLINE_S = 20.0
CLOCK_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Absent(Exception):
    """A program that is not installed."""


class Bench:
    """What all share: a folder, a certificate authority for the origin, the origin's port, cores and priority."""

    def __init__(self, folder: Path, nice: int, gateway: Path):
        self.folder = folder
        self.nice = nice
        self.gateway = gateway
        self.origin_port = free_port()
        folder.chmod(0o755)  # squid and nginx's worker run as other users when root starts them
        make_certificates(folder)
        www = folder / "www"
        www.mkdir()
        (www / "index.html").write_bytes(PAGE)
        (www / "big").write_bytes(os.urandom(1000) * (BIG_BYTES // 1000))
        names = ["a.test"] + [f"n{i}.c{r}.test" for r in range(ROUNDS_AT_MOST) for i in range(COLD_NAMES)]
        (folder / "hosts").write_text("".join(f"127.0.0.1 {name}\n" for name in names))

    def prefix(self, core: int) -> list[str]:
        return ["nice", "-n", str(self.nice), "taskset", "-c", str(core)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


def make_key_and_root(folder: Path, name: str) -> None:
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder / f"{name}.key")
    openssl("req", "-x509", "-new", "-key", folder / f"{name}.key", "-days", "30", "-subj", f"/CN=bench {name}",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", folder / f"{name}.pem")  # fmt: skip


def make_certificates(folder: Path) -> None:
    """root: the origin's and HAProxy's issuer; forger: what sslsplit and squid mint with; all keys P-256."""
    make_key_and_root(folder, "root")
    make_key_and_root(folder, "forger")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder / "leaf.key")
    names = ",".join(["DNS:a.test"] + [f"DNS:*.c{r}.test" for r in range(ROUNDS_AT_MOST)])
    (folder / "leaf.ext").write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
    openssl("req", "-new", "-key", folder / "leaf.key", "-subj", "/CN=a.test", "-out", folder / "leaf.csr")
    openssl("x509", "-req", "-in", folder / "leaf.csr", "-CA", folder / "root.pem", "-CAkey", folder / "root.key",
            "-CAcreateserial", "-days", "30", "-extfile", folder / "leaf.ext", "-out", folder / "leaf.pem")  # fmt: skip
    (folder / "both.pem").write_text((folder / "leaf.pem").read_text() + (folder / "leaf.key").read_text())


class Process:
    """A program in a session of its own, so that it and whatever it forks can be found, counted and killed."""

    def __init__(self, command: list[str], log: Path, cwd: Path, environment: dict[str, str] | None = None):
        with log.open("ab") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=cwd,
                                            start_new_session=True, env={**os.environ, **(environment or {})})  # fmt: skip
        self.log = log

    def alive(self) -> bool:
        return self.process.poll() is None

    def tree(self) -> list[int]:
        """The process and its descendants, and all of its session."""
        parents: dict[int, int] = {}
        found = set()
        for entry in os.listdir("/proc"):
            fields = stat_fields(int(entry)) if entry.isdigit() else None
            if fields is None:
                continue
            parents[int(entry)] = int(fields[1])
            if int(fields[3]) == self.process.pid:
                found.add(int(entry))
        found.add(self.process.pid)
        while True:
            more = {pid for pid, parent in parents.items() if parent in found} - found
            if not more:
                return sorted(found)
            found |= more

    def cpu_s(self) -> float:
        """User and system time of the whole tree so far."""
        every = (stat_fields(pid) for pid in self.tree())
        return sum(int(fields[11]) + int(fields[12]) for fields in every if fields is not None) * CLOCK_TICK_S

    def pss_bytes(self) -> int:
        total = 0
        for pid in self.tree():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) * 1024
        return total

    def kill(self) -> None:
        pids = self.tree() if self.alive() else [self.process.pid]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(3)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for pid in pids[1:] if self.process.poll() is not None else pids:
            fields = stat_fields(pid)
            if fields is not None and int(fields[3]) == self.process.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait(5)


def stat_fields(pid: int) -> list[str] | None:
    """/proc/PID/stat from the state on: [1] parent, [3] session, [11] and [12] ticks; None when it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def need(*places: str) -> str:
    for place in places:
        found = shutil.which(place, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/lib/squid")
        if found:
            return found
    raise Absent(f"{places[0]} is not installed")


def first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return (done.stdout + done.stderr).strip().splitlines()[0]


class Contender:
    """One program under load. start() gives a fresh process; `port` is where clients connect."""

    name = ""
    package = ""
    http2 = False
    idle_connections = 1000

    def __init__(self, bench: Bench):
        self.bench = bench
        self.folder = bench.folder / self.name
        self.folder.mkdir()
        self.port = free_port()
        self.running: Process | None = None
        self.prepare()

    def prepare(self) -> None:
        """Writes configuration; raises Absent when the program is not there."""

    def version(self) -> str:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return {}

    def trust(self) -> Path:
        """What a client has to trust."""
        return self.bench.folder / "root.pem"

    def connect_option(self) -> list[str]:
        """How the load generator is told to ask for a tunnel; none: it speaks TLS at once."""
        return []

    def port_for(self, scenario: str) -> int:
        return self.port

    def process(self) -> Process:
        assert self.running is not None, f"{self.name} is not running"
        return self.running

    def start(self) -> None:
        self.running = Process(self.bench.prefix(core=0) + self.command(), self.folder / "log", self.folder,
                               self.environment())  # fmt: skip
        deadline = time.monotonic() + START_DEADLINE_S
        while not (accepts(self.port) and self.trust().exists()):
            if not self.running.alive() or time.monotonic() > deadline:
                tail = (self.folder / "log").read_text(errors="replace")[-2000:]
                self.stop()
                raise RuntimeError(f"{self.name} did not start:\n{tail}")
            time.sleep(0.05)

    def stop(self) -> None:
        if self.running is not None:
            self.running.kill()
            self.running = None


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Tollgate(Contender):
    """`tollgate run` as a user runs it: every exchange in the journal, and from there in SQLite, on the same core."""

    name = "tollgate"
    http2 = True

    def version(self) -> str:
        return first_line([str(self.bench.gateway), "--version"])

    def command(self) -> list[str]:
        settings = {
            "state.dir": f'"{self.folder}/state"',
            "listen.proxy": f'"127.0.0.1:{self.port}"',
            "listen.admin": '"off"',
            "workers": "1",
            "upstream.ca_file": f'"{self.bench.folder}/root.pem"',
            "upstream.resolve": '["*.test=127.0.0.1"]',
            "log.level": '"warn"',
        }
        return [str(self.bench.gateway), "run", *(f"--set={key}={value}" for key, value in settings.items())]

    def trust(self) -> Path:
        return self.folder / "state/ca/ca.pem"

    def connect_option(self) -> list[str]:
        return ["--connect", f":{self.bench.origin_port}"]


class HaProxy(Contender):
    """The practical limit: it forges nothing (one certificate holds every name), logs nothing, needs no CONNECT."""

    name = "haproxy"
    http2 = True

    def prepare(self) -> None:
        self.program = need("haproxy")
        server = f"server origin 127.0.0.1:{self.bench.origin_port} ssl verify required ca-file {self.bench.folder}/root.pem sni ssl_fc_sni"
        (self.folder / "haproxy.cfg").write_text(
            f"""global
  nbthread 1
  maxconn 8000
  tune.ssl.cachesize 100000
defaults
  mode http
  http-reuse never
  timeout connect 10s
  timeout client 600s
  timeout server 600s
frontend phones
  bind 127.0.0.1:{self.port} ssl crt {self.bench.folder}/both.pem alpn h2,http/1.1
  use_backend h2 if {{ ssl_fc_alpn h2 }}
  default_backend h1
backend h1
  {server} alpn http/1.1
backend h2
  {server} alpn h2
"""
        )

    def version(self) -> str:
        return first_line([self.program, "-v"])

    def command(self) -> list[str]:
        return [self.program, "-db", "-f", str(self.folder / "haproxy.cfg")]


class SslSplit(Contender):
    """TLS 1.2 at most. Its `https` mode answers every request with `Connection: close`, so what needs a connection that
    stays goes to a second port in its `ssl` mode, which relays bytes and does not look at HTTP."""

    name = "sslsplit"

    def prepare(self) -> None:
        self.program = need("sslsplit")
        self.bytes_port = free_port()

    def version(self) -> str:
        return first_line([self.program, "-V"])

    def command(self) -> list[str]:
        certificates, origin = self.bench.folder, ["127.0.0.1", str(self.bench.origin_port)]
        return [self.program, *(["-u", "root"] if os.getuid() == 0 else []), "-o", "VerifyPeer=yes",
                "-c", f"{certificates}/forger.pem", "-k", f"{certificates}/forger.key", "-K", f"{certificates}/leaf.key",
                "https", "127.0.0.1", str(self.port), *origin,
                "ssl", "127.0.0.1", str(self.bytes_port), *origin]  # fmt: skip

    def environment(self) -> dict[str, str]:
        return {"SSL_CERT_FILE": str(self.bench.folder / "root.pem")}

    def trust(self) -> Path:
        return self.bench.folder / "forger.pem"

    def port_for(self, scenario: str) -> int:
        return self.port if scenario in ("full", "resumed", "cold") else self.bytes_port


class Squid(Contender):
    """ssl-bump after looking at the origin's certificate (stare, then bump); no cache, no access log; its leaves are RSA."""

    name = "squid"

    def prepare(self) -> None:
        self.program = need("squid")
        certificates = need("security_file_certgen")
        database = self.folder / "certificates"
        subprocess.run([certificates, "-c", "-s", database, "-M", "16MB"], check=True, capture_output=True, timeout=30)
        if os.getuid() == 0:
            for path in (self.folder, database, *database.rglob("*")):
                shutil.chown(path, "proxy")
        (self.folder / "squid.conf").write_text(
            f"""http_port 127.0.0.1:{self.port} ssl-bump generate-host-certificates=on dynamic_cert_mem_cache_size=16MB tls-cert={self.bench.folder}/forger.pem tls-key={self.bench.folder}/forger.key
sslcrtd_program {certificates} -s {database} -M 16MB
sslcrtd_children 5 startup=1 idle=1
ssl_bump stare all
ssl_bump bump all
tls_outgoing_options cafile={self.bench.folder}/root.pem
http_access allow all
hosts_file {self.bench.folder}/hosts
cache deny all
access_log none
cache_log {self.folder}/cache.log
pid_filename {self.folder}/squid.pid
coredump_dir {self.folder}
max_filedescriptors 16384
client_idle_pconn_timeout 10 minutes
server_idle_pconn_timeout 10 minutes
shutdown_lifetime 0 seconds
visible_hostname bench.test
pinger_enable off
"""
        )

    def version(self) -> str:
        return first_line([self.program, "-v"])

    def command(self) -> list[str]:
        return [self.program, "-N", "-f", str(self.folder / "squid.conf")]

    def trust(self) -> Path:
        return self.bench.folder / "forger.pem"

    def connect_option(self) -> list[str]:
        return ["--connect", f":{self.bench.origin_port}"]


class MitmProxy(Contender):
    """It has no fixed answers for names, so clients CONNECT to the origin's address and their SNI says the name; its
    leaves are RSA, and large bodies are streamed (by default it would hold them whole)."""

    name = "mitmproxy"
    http2 = True
    idle_connections = 200

    def prepare(self) -> None:
        self.program = need("mitmdump")

    def version(self) -> str:
        return first_line([self.program, "--version"])

    def command(self) -> list[str]:
        return [self.program, "-q", "--listen-host", "127.0.0.1", "-p", str(self.port),
                "--set", f"confdir={self.folder}", "--set", "stream_large_bodies=64k",
                "--set", f"ssl_verify_upstream_trusted_ca={self.bench.folder}/root.pem"]  # fmt: skip

    def trust(self) -> Path:
        return self.folder / "mitmproxy-ca-cert.pem"

    def connect_option(self) -> list[str]:
        return ["--connect", f"127.0.0.1:{self.bench.origin_port}"]


class Origin(Contender):
    """nginx on the load generator's core; as a contender it is `direct`: nothing in between."""

    name = "direct"
    http2 = True

    def prepare(self) -> None:
        self.program = need("nginx")
        self.port = self.bench.origin_port
        f = self.folder
        temporary = " ".join(f"{kind}_temp_path {f}/{kind};" for kind in
                             ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))  # fmt: skip
        (f / "nginx.conf").write_text(
            f"""daemon off; worker_processes 1; pid {f}/pid; error_log {f}/error.log;
events {{ worker_connections 8000; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; http2_max_concurrent_streams 256; {temporary}
  server {{
    listen 127.0.0.1:{self.port} ssl http2 backlog=2048;
    ssl_certificate {self.bench.folder}/leaf.pem; ssl_certificate_key {self.bench.folder}/leaf.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    root {self.bench.folder}/www;
  }}
}}
"""
        )

    def version(self) -> str:
        return first_line([self.program, "-v"])

    def command(self) -> list[str]:
        return [self.program, "-c", str(self.folder / "nginx.conf"), "-e", str(self.folder / "error.log")]

    def start(self) -> None:
        self.running = Process(self.bench.prefix(core=1) + self.command(), self.folder / "log", self.folder)
        deadline = time.monotonic() + START_DEADLINE_S
        while not accepts(self.port):
            if not self.running.alive() or time.monotonic() > deadline:
                raise RuntimeError("the origin did not start: " + (self.folder / "log").read_text(errors="replace"))
            time.sleep(0.05)


CONTENDERS: list[type[Contender]] = [Tollgate, HaProxy, SslSplit, Squid, MitmProxy]
