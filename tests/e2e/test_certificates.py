"""Forty-odd kinds of origin certificates: none that is bad is laundered, every good one works.

The certificates come from certificate_zoo (tests/certs), which the environment names: the same specimens that the unit
tests of certs/ are held to.
"""

import atexit
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from certificates import client_context
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from harness import Gateway, connect, free_port, get, kill_group, spawn, tls_inside


@dataclass(frozen=True)
class Kind:
    name: str
    good: bool
    host: str
    sentence: str | None  # a part of what the owner is told
    folder: Path
    staples: bool

    @property
    def certificate(self) -> bytes:
        """The leaf, DER."""
        return x509.load_pem_x509_certificate((self.folder / f"{self.name}.pem").read_bytes()).public_bytes(
            Encoding.DER
        )


def write_zoo() -> list[Kind]:
    folder = Path(tempfile.mkdtemp(prefix="certificate_zoo-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    subprocess.run([os.environ["CERTIFICATE_ZOO"], folder], check=True, timeout=60)
    manifest = json.loads((folder / "manifest.json").read_text())
    return [
        Kind(name, entry["verdict"] == "good", entry["host"], entry["sentence"], folder, entry["ocsp"])
        for name, entry in manifest.items()
    ]


# s_server does not staple what it cannot parse; the unit tests of certs/ have that kind.
ZOO = [kind for kind in write_zoo() if kind.name != "ocsp-garbage"]
GOOD = [pytest.param(kind, id=kind.name) for kind in ZOO if kind.good]
BAD = [pytest.param(kind, id=kind.name) for kind in ZOO if not kind.good]


class ZooOrigin:
    """`openssl s_server`, because it staples OCSP responses and takes any key; it serves /hello."""

    def __init__(self, kind: Kind, port: int | None = None):
        address = "[::1]" if kind.host == "[::1]" else "127.0.0.1"
        self.name, self.port = kind.host, port or free_port()
        command = [
            "openssl",
            "s_server",
            "-accept",
            f"{address}:{self.port}",
            "-cert",
            kind.folder / f"{kind.name}.pem",
            "-key",
            kind.folder / f"{kind.name}.key",
            "-cert_chain",
            kind.folder / f"{kind.name}.pem",
            "-HTTP",
            "-cipher",
            "DEFAULT:@SECLEVEL=0",
            "-alpn",
            "http/1.1",
        ]
        if kind.staples:
            command += ["-status_file", kind.folder / f"{kind.name}.ocsp"]
        self._log = tempfile.TemporaryFile()
        self.folder = Path(tempfile.mkdtemp(prefix="zoo-origin-"))
        (self.folder / "hello").write_bytes(b"HTTP/1.0 200 ok\r\nContent-Length: 5\r\n\r\nhello")
        self._process = spawn(command, stdout=self._log, stderr=self._log, cwd=self.folder)
        wait_until_it_listens(self)

    @property
    def authority(self) -> str:
        return f"{self.name}:{self.port}"

    def output(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def close(self) -> None:
        kill_group(self._process)
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_until_it_listens(origin: ZooOrigin) -> None:
    deadline = time.monotonic() + 15
    while "ACCEPT" not in origin.output():
        assert origin._process.poll() is None, origin.output()
        assert time.monotonic() < deadline, origin.output()
        time.sleep(0.01)


@pytest.fixture(scope="module", params=["passthrough", "refuse"])
def both(request, tmp_path_factory):
    yield from run_gateway(tmp_path_factory, request.param)


@pytest.fixture(scope="module")
def passing(tmp_path_factory):
    yield from run_gateway(tmp_path_factory, "passthrough")


@pytest.fixture(scope="module")
def refusing(tmp_path_factory):
    yield from run_gateway(tmp_path_factory, "refuse")


def run_gateway(tmp_path_factory, choice: str):
    with Gateway(
        tmp_path_factory.mktemp(choice) / "state",
        anchors=ZOO[0].folder / "anchors.pem",
        settings=(f"upstream.bad_certificate={choice}", "upstream.allow_loopback=true"),
        resolve=("*.test=127.0.0.1", "*.example=127.0.0.1"),
    ) as running:
        yield running


@pytest.fixture
def origin(request):
    running = ZooOrigin(request.getfixturevalue("kind"))
    yield running
    running.close()


def undemanding_client() -> ssl.SSLContext:
    """Takes any certificate, however weak, so that it can be looked at."""
    context = client_context(None, alpn=("http/1.1",))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def connection_to(gateway: Gateway, origin: ZooOrigin) -> dict:
    """By its authority: many kinds share a host name, and a port may come again."""
    return gateway.wait_for(
        kind="connection",
        where=lambda record: record["closed"] is not None and record["host"].lower() == origin.authority.lower(),
    )[0]


def server_name(kind: Kind) -> str:
    return kind.host.strip("[]")


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_certificate_is_shown_to_the_client_as_it_is(passing, kind, origin):
    stream = tls_inside(passing, connect(passing, origin.authority), server_name(kind), context=undemanding_client())
    assert stream.peer_certificate() == kind.certificate, "the client was not shown the origin's own certificate"
    stream.close()
    connection = connection_to(passing, origin)
    assert (connection["treatment"], connection["reason"]) == ("passthrough", "upstream_certificate")
    assert kind.sentence in connection["error"], connection["error"]
    assert not passing.log(kind="exchange", connection=connection["id"])


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_certificate_ends_the_connection_where_that_is_chosen(refusing, kind, origin):
    tunnel = connect(refusing, origin.authority)
    with pytest.raises((ssl.SSLError, OSError)):
        tls_inside(refusing, tunnel, server_name(kind), context=undemanding_client())
    tunnel.sock.close()
    connection = connection_to(refusing, origin)
    assert (connection["treatment"], connection["reason"]) == ("failed", "upstream_certificate")
    assert kind.sentence in connection["error"], connection["error"]
    assert "200 ok" not in origin.output()


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_certificate_is_intercepted_and_works(both, kind, origin):
    stream = tls_inside(both, connect(both, origin.authority), server_name(kind))
    assert stream.peer_certificate() != kind.certificate
    answer = get(stream, origin.authority, "/hello")
    assert (answer.status, answer.body) == (200, b"hello")
    stream.close()
    connection = connection_to(both, origin)
    assert (connection["treatment"], connection["error"]) == ("intercepted", "")


def test_a_verdict_is_not_remembered_from_one_certificate_to_the_next(passing, ca_world):
    """A good certificate is no credit for a bad one of the same name and port: sessions resume, verdicts do not."""
    good, bad = next(
        (one, other) for one in ZOO for other in ZOO if one.good and not other.good and one.host == other.host
    )
    origin = ZooOrigin(good)
    for _ in range(2):
        tls_inside(passing, connect(passing, origin.authority), server_name(good)).close()
    origin.close()
    origin = ZooOrigin(bad, origin.port)
    stream = tls_inside(passing, connect(passing, origin.authority), server_name(bad), context=undemanding_client())
    assert stream.peer_certificate() == bad.certificate
    origin.close()


def test_the_zoo_has_at_least_forty_kinds():
    assert len(ZOO) >= 40
