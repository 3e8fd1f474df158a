"""Fixtures. A file's tests share a gateway unless one needs its own; host names are unique: they share its log."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from h2wire import H2Wire  # noqa: E402
from harness import CaWorld, Gateway, H2Origin, Nginx, ScriptedOrigin, tls_through  # noqa: E402


def pytest_configure() -> None:
    if not os.access(os.environ.get("TOLLGATE", ""), os.X_OK):
        pytest.exit("TOLLGATE must name the tollgate binary", 2)
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        os.environ.pop(name, None)


@pytest.fixture(scope="module")
def ca_world(tmp_path_factory) -> CaWorld:
    return CaWorld(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, ca_world):
    """A gateway with nothing but the test's trust anchor and names, for the tests of one file."""
    with Gateway(tmp_path_factory.mktemp("gateway") / "state", anchors=ca_world.root_file) as running:
        yield running


@pytest.fixture
def start_gateway(tmp_path, ca_world):
    """Starts gateways of a test's own: `start_gateway("limits.head=1s", …)`."""
    started = []

    def start(*settings: str, name: str = "own", **options) -> Gateway:
        options.setdefault("anchors", ca_world.root_file)
        started.append(Gateway(tmp_path / name, settings=settings, **options))
        return started[-1].start()

    yield start
    errors = []
    for each in started:
        try:
            each.stop()
        except AssertionError as error:
            errors.append(error)
    assert not errors, errors


@pytest.fixture(scope="module")
def nginx(tmp_path_factory, ca_world):
    running = Nginx(tmp_path_factory.mktemp("nginx"), ca_world)
    yield running
    running.close()


@pytest.fixture
def scripted(ca_world):
    """Origins that follow a script: `scripted(once(response(b"…")))`."""
    yield from origin_maker(ScriptedOrigin, ca_world)


@pytest.fixture
def h2_origin(ca_world):
    """HTTP/2 origins: `h2_origin(reply(b"…"))`."""
    yield from origin_maker(H2Origin, ca_world)


@pytest.fixture(scope="module")
def h2_server(ca_world):
    """Answers every request with a hundred bytes, /large with a hundred thousand, /hold never."""

    def script(stream):
        stream.content = stream.read_to_end()
        if stream.get(":path").startswith("/hold"):
            return
        stream.head([(":status", "200")])
        stream.send(b"x" * (100_000 if stream.get(":path").startswith("/large") else 100), end=True)

    running = H2Origin(ca_world, script)
    yield running
    running.close()


@pytest.fixture
def open_wire(gateway, h2_server):
    """Connections through the gateway to `h2_server`, frame by frame."""
    opened = []

    def open_one(**options) -> H2Wire:
        stream = tls_through(gateway, h2_server, alpn=("h2", "http/1.1"))
        opened.append(stream)
        assert stream.alpn == "h2"
        return H2Wire(stream, h2_server, **options)

    yield open_one
    for stream in opened:
        stream.sock.close()


def origin_maker(kind: type, world: CaWorld):
    made = []

    def make(script, **options):
        made.append(kind(world, script, **options))
        return made[-1]

    yield make
    for origin in made:
        origin.close()
