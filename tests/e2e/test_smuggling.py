"""Request and response smuggling: tests/e2e/data/smuggling_cases.txt through the running gateway, inside TLS and in
absolute-form. What two implementations could read differently is refused, and the origin sees nothing that is not in
the log.
"""

import collections
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import (
    Ended,
    Gateway,
    ScriptedOrigin,
    Stream,
    connect,
    dial,
    read_content,
    read_head,
    read_response,
    response,
    tls_inside,
)

NAME = "origin.test"  # what the cases ask for
ANY_NUMBER = 100  # of responses


@dataclass(frozen=True)
class Case:
    side: str
    expect: str
    name: str
    section: str
    raw: bytes


def read_cases() -> list[Case]:
    lines = (Path(__file__).parent / "data/smuggling_cases.txt").read_text("ascii").splitlines()
    columns = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [Case(*each[:4], each[4].encode("ascii").decode("unicode_escape").encode("latin-1")) for each in columns]


CASES = read_cases()
REQUESTS = [pytest.param(case, id=case.name) for case in CASES if case.side == "request"]
# What comes after a whole response spoils the connection, not the response: test_misbehaving_origins.py has that one.
RESPONSES = [case for case in CASES if case.side == "response" and case.name != "response-after-the-response"]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, ca_world):
    settings = ("limits.head=3s", "limits.idle=5s")
    with Gateway(
        tmp_path_factory.mktemp("gateway") / "state", anchors=ca_world.root_file, settings=settings
    ) as running:
        yield running


def answer_each(stream: Stream, visit) -> None:
    """Reads requests as leniently as it can, and answers those that come whole."""
    while first := stream.read():
        stream.unread(first)
        request = read_head(stream)
        visit.requests.append(request)
        try:
            read_content(stream, request)
        except ValueError:
            return  # a chunk size that Python cannot read either
        body = b"" if request.method == "HEAD" else b"answered"
        stream.send(response(body))


class Way:
    """One way through the gateway to a recording origin: inside TLS, or in absolute-form to the proxy itself."""

    def __init__(self, gateway: Gateway, world, name: str):
        self.gateway, self.name = gateway, name
        self.origin = ScriptedOrigin(world, answer_each, name=NAME, tls=name == "tls")

    def open(self) -> Stream:
        if self.name == "absolute":
            return Stream(dial(self.gateway))
        return tls_inside(self.gateway, connect(self.gateway, self.origin.authority), NAME)

    def bytes_for(self, case: Case) -> bytes:
        """Towards a proxy targets are absolute-form, and name the origin's port; all else stays, byte by byte."""
        if self.name == "tls" or case.raw.startswith(b"CONNECT"):
            return case.raw
        with_port = self.origin.authority.encode()
        raw = re.sub(rb"^(\s*[^ \r\n]+) (/[^ \r\n]*) (HTTP/)", rb"\1 http://origin.test\2 \3", case.raw, count=1)
        raw = raw.replace(b" /next ", b" http://origin.test/next ")
        raw = raw.replace(b"OPTIONS * ", b"OPTIONS http://origin.test ")
        return re.sub(rb"(?i)(//|Host: )origin\.test(:80)?(?=[/ \r])", rb"\g<1>" + with_port, raw)


def path_of(target: str) -> str:
    """Of `OPTIONS *` too, which is a URL without a path where it is asked of a proxy (RFC 9112 §3.2.4)."""
    if target == "*":
        return "/"
    return re.sub(r"^https?://[^/]*", "", target, flags=re.I).partition("?")[0]


@pytest.fixture(scope="module", params=["tls", "absolute"])
def way(request, gateway, ca_world):
    made = Way(gateway, ca_world, request.param)
    yield made
    check_everything_is_logged(made)
    made.origin.close()


def check_everything_is_logged(way: Way) -> None:
    """Every request whose head the origin saw is an exchange of that method and path, as often as it was seen."""
    seen = collections.Counter((request.method, path_of(request.target)) for request in way.origin.requests)
    scheme = "https" if way.name == "tls" else "http"
    logged = collections.Counter(
        (record["method"], path_of(record["path"]))
        for record in way.gateway.log(NAME, kind="exchange")
        if record["scheme"] == scheme
    )
    missing = {key: count - logged[key] for key, count in seen.items() if logged[key] < count}
    assert not missing, f"seen by the origin and not in the log: {missing}"


def responses_to(stream: Stream, raw: bytes, expected: int) -> list:
    """Sends, and reads `expected` final responses, or until the connection ends."""
    try:
        stream.send(raw)
    except OSError:
        pass  # refused before all of it was sent
    got = []
    try:
        while len(got) < expected and (first := stream.read()):
            stream.unread(first)
            got.append(read_response(stream, raw.split(b" ", 1)[0].decode("latin-1") if not got else "GET"))
    except (Ended, ValueError):
        pass
    return got


@pytest.mark.parametrize("case", REQUESTS)
def test_requests(way, case):
    before = len(way.origin.visits)
    stream = way.open()
    expected = ANY_NUMBER if case.expect == "malformed" else int(case.expect)
    answers = responses_to(stream, way.bytes_for(case), expected)
    statuses = [answer.status for answer in answers]
    stream.sock.close()
    received = b"".join(visit.received for visit in way.origin.visits[before:])
    if case.expect == "malformed":
        assert b"/smuggled" not in received
        assert statuses and statuses[-1] in (400, 414, 417, 431, 501, 505), statuses
        assert stream.end is not None, "the connection is closed"
    elif case.raw.startswith(b"CONNECT "):
        assert statuses == ([200] if way.name == "absolute" else [501]) and not received  # one tunnel is enough
    else:
        assert statuses == [200] * expected, f"{statuses}; the origin saw {received!r}"
        assert sum(len(visit.requests) for visit in way.origin.visits[before:]) == expected


def test_responses(gateway, ca_world):
    """All in one, because they differ in the origin's script: each origin answers one GET, and closes."""
    wrong, origins = [], []
    for case in RESPONSES:

        def script(stream, visit, raw=case.raw):
            visit.requests.append(read_head(stream))
            stream.send(raw)

        origin = ScriptedOrigin(ca_world, script)
        origins.append((case, origin))
        stream = tls_inside(gateway, connect(gateway, origin.authority), origin.name)
        stream.send(f"GET /{case.name} HTTP/1.1\r\nHost: {origin.authority}\r\n\r\n".encode())
        try:
            answer = read_response(stream)
            rest = stream.read_to_end()
        except (Ended, ValueError):
            answer, rest = None, b""
        stream.sock.close()
        whole = answer is not None and answer.status != 502
        if case.expect == "malformed" and whole and answer.end is None and rest == b"" and len(answer.body):
            wrong.append(f"{case.name}: a whole {answer.status}")
        if case.expect != "malformed" and not whole:
            wrong.append(f"{case.name}: {answer and answer.status}")
        if rest:
            wrong.append(f"{case.name}: {rest!r} after the response")
    records = {
        record["path"]: record
        for record in gateway.wait_for(
            where=lambda record: record["path"].lstrip("/") in {case.name for case, _ in origins}
            and record["state"] != "open",
            kind="exchange",
            count=len(origins),
        )
    }
    for case, origin in origins:
        complete = records[f"/{case.name}"]["state"] == "complete" and records[f"/{case.name}"]["status"] != 502
        if complete != (case.expect != "malformed"):
            wrong.append(f"{case.name}: {records[f'/{case.name}']}")
        origin.close()
    assert not wrong, "\n".join(wrong)


def test_there_are_at_least_eighty_cases():
    assert len(REQUESTS) >= 80


def test_a_second_request_on_the_connection_after_a_refusal_is_not_read(gateway, ca_world):
    origin = ScriptedOrigin(ca_world, answer_each)
    stream = tls_inside(gateway, connect(gateway, origin.authority), origin.name)
    stream.send(
        f"GET /ok HTTP/1.1\r\nHost: {origin.authority}\r\n\r\nGET /bad HTTP/1.1\r\nHost : {origin.authority}\r\n\r\n"
        f"GET /smuggled HTTP/1.1\r\nHost: {origin.authority}\r\n\r\n".encode()
    )
    assert read_response(stream).body == b"answered"
    assert read_response(stream).status == 400
    assert stream.read_to_end() == b""
    assert [request.target for request in origin.requests] == ["/ok"]
    origin.close()
