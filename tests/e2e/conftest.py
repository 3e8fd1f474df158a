"""Fixtures. A gateway is shared by a file's tests unless a test needs its own; hosts are unique, so that its log can be."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import CaWorld, Gateway, H2Origin, Nginx, ScriptedOrigin  # noqa: E402


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


def origin_maker(kind: type, world: CaWorld):
    made = []

    def make(script, **options):
        made.append(kind(world, script, **options))
        return made[-1]

    yield make
    for origin in made:
        origin.close()
