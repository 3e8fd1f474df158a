"""The program under test: started, watched, asked for its log, stopped; and what its records must look like."""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DEADLINE_S = 20.0  # for the gateway to start, to stop, to bring a record
SANITIZER_REPORT = re.compile(
    r"(ERROR|WARNING): (Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:"
)

# The contract's fields, and not read from the sources: what users rely on stays even if a schema loses it.
APP_FIELDS = {"id", "name", "confidence", "evidence"}
CONTRACT_FIELDS = {
    "exchange": set(
        "kind id time device connection http method scheme host path query status request_bytes response_bytes "
        "request_type response_type user_agent duration_ms app class class_confidence class_evidence owner "
        "identifiers action rule active".split()
    ),
    "connection": set(
        "kind id time device opened closed transport destination sni alpn ja4 treatment reason tls_client "
        "tls_upstream bytes_up bytes_down app error activity".split()
    ),
    "dns": set("kind id time device query type answers ttl cnames rcode action rule app connected".split()),
    "hint": set("kind id time device app event on".split()),
}
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1  # prctl(2)
TREATMENTS = {"intercepted", "passthrough", "blocked", "failed"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


def schema_fields() -> dict[str, set[str]]:
    """Each record's fields as proto/record.proto declares them: every record has exactly these."""
    text = (REPOSITORY / "proto/record.proto").read_text()
    messages = dict(re.findall(r"^message (\w+) \{\n(.*?)^\}", text, re.M | re.S))
    return {
        kind: {"kind"} | set(re.findall(r"^  (?:optional |repeated )?\w+ (\w+) = \d+", messages[kind.title()], re.M))
        for kind in CONTRACT_FIELDS
    }


def check_record(record: dict) -> None:
    """Every field is always there, numbers are numbers, times are RFC 3339 in UTC with microseconds."""
    kind = record["kind"]
    missing = CONTRACT_FIELDS[kind] - record.keys()
    assert not missing, f"{kind} record without {missing}: {record}"
    unknown = record.keys() - schema_fields()[kind]
    assert not unknown, f"{kind} record with undeclared {unknown}: {record}"
    assert ULID.fullmatch(record["id"]), record
    for name in ("time", "opened", "closed"):
        if record.get(name) is not None:
            assert TIME.fullmatch(record[name]), f"{name}: {record}"
    if kind in ("exchange", "connection"):
        assert record["app"].keys() == APP_FIELDS, record
    if kind == "exchange":
        check_exchange(record)
    if kind == "connection":
        check_connection(record)


def check_exchange(record: dict) -> None:
    assert record["http"] in ("1.0", "1.1", "2"), record
    for name in ("status", "request_bytes", "response_bytes"):
        assert type(record[name]) is int and record[name] >= 0, f"{name}: {record}"
    assert type(record["duration_ms"]) in (int, float) and record["duration_ms"] >= 0, record
    assert "?" not in record["path"], record
    assert all("=" not in key for key in record["query"]), record
    assert record["action"] in ("allowed", "blocked", "redacted"), record
    assert record["active"] in (True, False, None), record


def check_connection(record: dict) -> None:
    assert record["opened"] == record["time"], record
    assert record["treatment"] in TREATMENTS, record
    assert record["transport"] in ("proxy", "socks", "transparent"), record
    assert isinstance(record["alpn"], (str, list)), record
    times = [burst[0] for burst in record["activity"]]
    assert times == sorted(times) and len(times) <= 4096, record
    assert all(len(burst) == 3 and all(type(number) is int for number in burst) for burst in record["activity"]), record


def host_name(record: dict) -> str:
    """An exchange's host without its port, a connection's server name or what the client asked for."""
    host = record.get("sni") or record["host"]
    return host.rpartition(":")[0].strip("[]") if re.search(r"(^\[.*\]|^[^:]+):\d+$", host) else host.strip("[]")


class Gateway:
    """One running `tollgate run`. Use as a context manager: leaving it stops the gateway and checks how it went."""

    def __init__(
        self,
        state_dir: Path,
        *,
        anchors: Path | None = None,
        settings: tuple[str, ...] = (),
        resolve: tuple[str, ...] = ("*.test=127.0.0.1",),
        preexec: Callable[[], None] | None = None,
        binary: str | None = None,
    ):
        self.binary = binary or os.environ["TOLLGATE"]
        self.state_dir = state_dir
        self.stderr_file = state_dir.parent / f"{state_dir.name}.stderr"
        options = [
            f"state.dir={state_dir}",
            "listen.proxy=127.0.0.1:0",
            "listen.admin=127.0.0.1:0",
            f"upstream.resolve={json.dumps(list(resolve))}",
        ]
        if anchors:
            options.append(f"upstream.ca_file={anchors}")
        self.options = [f"--set={option}" for option in (*options, *settings)]
        self._preexec = preexec
        self.process: subprocess.Popen | None = None
        self.proxy = self.admin = ("", 0)

    # Running

    def start(self) -> Gateway:
        self.state_dir.parent.mkdir(parents=True, exist_ok=True)
        self.process = spawn(
            [self.binary, "run", *self.options],
            stdout=subprocess.PIPE,
            stderr=self.stderr_file.open("ab"),
            cwd=self.state_dir.parent,
            preexec=self._preexec,
            env=environment(),
        )
        line = read_line(self.process)
        assert line.startswith("ready "), f"no ready line but {line!r}; stderr:\n{self.stderr()}"
        listeners = dict(word.split("=", 1) for word in line.split()[1:])
        self.proxy, self.admin = (split_address(listeners[name]) for name in ("proxy", "admin"))
        return self

    def stop(self) -> None:
        """SIGTERM: drains and exits 0."""
        if self.process is None:
            return
        process, self.process = self.process, None
        try:
            process.send_signal(signal.SIGTERM)
            code = process.wait(DEADLINE_S)
        finally:
            kill_group(process)
        assert code == 0, f"exit code {code} after SIGTERM; stderr:\n{self.stderr()}"
        assert not SANITIZER_REPORT.search(self.stderr()), self.stderr()

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        assert self.process is not None
        process, self.process = self.process, None
        kill_group(process)

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def __enter__(self) -> Gateway:
        return self.start()

    def __exit__(self, kind, *_) -> None:
        if kind is None:
            self.stop()
        elif self.process is not None:
            self.kill()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def proxy_url(self) -> str:
        return f"http://{self.proxy[0]}:{self.proxy[1]}"

    @property
    def ca_file(self) -> Path:
        return self.state_dir / "ca/ca.pem"

    @property
    def token(self) -> str:
        return (self.state_dir / "admin.token").read_text().strip()

    def stderr(self) -> str:
        return self.stderr_file.read_text(errors="replace") if self.stderr_file.exists() else ""

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def memory(self, name: str = "VmRSS") -> int:
        """Bytes; `VmHWM` is the peak of VmRSS."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{name}:\s+(\d+) kB", status, re.M)[1]) * 1024

    def fetch_admin(self, path: str, *, token: str | None = None) -> tuple[int, str]:
        request = urllib.request.Request(f"http://{self.admin[0]}:{self.admin[1]}{path}")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=DEADLINE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    # The log

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [self.binary, *arguments, *self.options],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.state_dir.parent,
        )
        assert not SANITIZER_REPORT.search(done.stderr), done.stderr
        if check:
            assert done.returncode == 0, f"{arguments}: exit code {done.returncode}\n{done.stderr}"
        return done

    def log(self, host: str | None = None, *options: str, **fields) -> list[dict]:
        """`tollgate log --json`: records in their order, each one checked; of `host` and with equal `fields` only."""
        lines = self.command("log", "--json", *options).stdout.splitlines()
        records = [json.loads(line) for line in lines]
        for record in records:
            check_record(record)
        return [
            record
            for record in records
            if all(record.get(name) == value for name, value in fields.items())
            and (host is None or (record["kind"] in ("exchange", "connection") and host_name(record) == host))
        ]

    def wait_for(
        self,
        host: str | None = None,
        *,
        count: int = 1,
        timeout: float = DEADLINE_S,
        where: Callable[[dict], bool] = lambda record: True,
        **fields,
    ) -> list[dict]:
        """Asks the log until it has `count` such records; then exactly so many."""
        deadline = time.monotonic() + timeout
        while True:
            found = [record for record in self.log(host, **fields) if where(record)]
            if len(found) >= count:
                assert len(found) == count, f"{len(found)} records instead of {count}: {found[-5:]}"
                return found
            assert time.monotonic() < deadline, (
                f"{len(found)} of {count} records of {host} with {fields}: {found[-3:]}\n"
                f"the log's end: {self.log(host)[-5:]}\nstderr:\n{self.stderr()[-4000:]}"
            )
            time.sleep(0.1)

    def exchange(self, host: str, **fields) -> dict:
        """The one finished exchange with that host."""
        fields.setdefault("kind", "exchange")
        return self.wait_for(host, where=lambda record: record["state"] != "open", **fields)[0]

    def connection(self, host: str, **fields) -> dict:
        """The one closed connection to that host."""
        return self.wait_for(host, where=lambda record: record["closed"] is not None, kind="connection", **fields)[0]


def environment() -> dict[str, str]:
    """AddressSanitizer keeps what was freed for a while, by default more than what tests of memory allow."""
    options = os.environ.get("ASAN_OPTIONS", "")
    return os.environ | {"ASAN_OPTIONS": f"quarantine_size_mb=8:{options}"}


def eventually(condition: Callable[[], object], timeout: float = DEADLINE_S) -> None:
    """Asks until the condition is true."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s"
        time.sleep(0.05)


def split_address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def read_line(process: subprocess.Popen, timeout: float = DEADLINE_S) -> str:
    """The next stdout line; "" when the process ends without one."""
    deadline = time.monotonic() + timeout
    os.set_blocking(process.stdout.fileno(), False)
    line = b""
    while not line.endswith(b"\n"):
        piece = process.stdout.readline()
        line += piece or b""
        if not piece and process.poll() is not None:
            break
        assert time.monotonic() < deadline, f"no line within {timeout} s, only {line!r}"
        if not piece:
            time.sleep(0.01)
    return line.decode()


def spawn(command: list, *, preexec: Callable[[], None] | None = None, **options) -> subprocess.Popen:
    """A process that leads its own group (kill_group() ends it) and dies with this one, however this one dies."""

    def prepare() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if preexec:
            preexec()

    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen([str(word) for word in command], start_new_session=True, preexec_fn=prepare, **options)


def kill_group(process: subprocess.Popen) -> None:
    """Ends the process and everything that it started (it leads its own session)."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait(10)
    for pipe in (process.stdout, process.stderr, process.stdin):
        if pipe:
            pipe.close()
