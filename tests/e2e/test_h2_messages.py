"""RFC 9113 from a client that breaks it, part two: messages and floods. A request that is malformed never reaches the
origin; a flood ends with its own connection.
"""

import itertools

import pytest
from h2wire import (
    ACK,
    CANCEL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    GOAWAY,
    HEADERS,
    MAX_HEADER_LIST_SIZE,
    NO_ERROR,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Cases,
    H2Wire,
    frame,
    number,
    settings,
)

case = Cases()


# §8 HTTP: malformed requests are refused and the origin never hears of them

_marks = itertools.count(1)

MALFORMED = {
    "8.2.1 an upper-case field name": dict(extra=[("X-Upper", "1")]),
    "8.2.1 a field name with a space": dict(extra=[("x y", "1")]),
    "8.2.1 a field name with a colon in it": dict(extra=[("x:y", "1")]),
    "8.2.1 an empty field name": dict(extra=[("", "1")]),
    "8.2.1 a field value with CR LF": dict(extra=[("x", "1\r\ny: 2")]),
    "8.2.1 a field value with NUL": dict(extra=[("x", "1\0")]),
    "8.2.1 a field value with a bare LF": dict(extra=[("x", "1\n2")]),
    "8.2.2 a connection-specific field: Connection": dict(extra=[("connection", "keep-alive")]),
    "8.2.2 a connection-specific field: Transfer-Encoding": dict(extra=[("transfer-encoding", "chunked")]),
    "8.2.2 a connection-specific field: Keep-Alive": dict(extra=[("keep-alive", "timeout=5")]),
    "8.2.2 a connection-specific field: Upgrade": dict(extra=[("upgrade", "websocket")]),
    "8.2.2 a connection-specific field: Proxy-Connection": dict(extra=[("proxy-connection", "keep-alive")]),
    "8.2.2 a TE other than trailers": dict(extra=[("te", "trailers, deflate")]),
    "8.3 an unknown pseudo-header field": dict(extra=[(":unknown", "1")]),
    "8.3 a response's pseudo-header field": dict(extra=[(":status", "200")]),
    "8.3 a pseudo-header field after a regular one": dict(extra=[("x", "1"), (":path", "/b")], leave_out=(":path",)),
    "8.3.1 an empty :path": dict(path=""),
    "8.3.1 a :path without a slash": dict(path="no-slash"),
    "8.3.1 no :method": dict(leave_out=(":method",)),
    "8.3.1 no :scheme": dict(leave_out=(":scheme",)),
    "8.3.1 no :path": dict(leave_out=(":path",)),
    "8.3.1 two :method": dict(extra=[(":method", "POST")]),
    "8.3.1 two :path": dict(extra=[(":path", "/b")]),
    "8.3.1 two :scheme": dict(extra=[(":scheme", "http")]),
    "8.3.1 two :authority": dict(extra=[(":authority", "other.test")]),
    "8.3.1 a Host that contradicts :authority": dict(extra=[("host", "other.test")]),
    "8.3.1 neither :authority nor Host": dict(leave_out=(":authority",)),
    "8.5 CONNECT with a :path": dict(method="CONNECT"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_8_malformed_requests_are_refused_and_never_forwarded(open_wire, h2_server, name):
    options = dict(MALFORMED[name])
    extra = options.pop("extra", [])
    mark = f"malformed-{next(_marks)}"
    wire = open_wire()
    fields = wire.fields(*extra, ("x-mark", mark), **options)
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, wire.block(fields)))
    wire.refusal(1)
    assert mark not in [stream.get("x-mark") for stream in h2_server.streams]


@case("8.1", "a second HEADERS without END_STREAM is malformed")
def _(open_wire):
    wire = open_wire()
    wire.request(1, method="POST", path="/hold", flags=END_HEADERS)
    wire.send(frame(HEADERS, END_HEADERS, 1, wire.block([("x-trailer", "1")])))
    wire.stream_error(1, PROTOCOL_ERROR)


@case("8.1", "request trailers are fine, and reach the origin")
def _(open_wire):
    wire = open_wire()
    wire.request(1, method="POST", flags=END_HEADERS)
    wire.send(frame(DATA, 0, 1, b"content"))
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, wire.block([("x-sum", "7")])))
    wire.response(1)


@case("8.1", "a pseudo-header field in trailers is malformed")
def _(open_wire):
    wire = open_wire()
    wire.request(1, method="POST", path="/hold", flags=END_HEADERS)
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, wire.block([(":method", "GET")])))
    wire.stream_error(1, PROTOCOL_ERROR)


@case("8.1.1", "less content than content-length is malformed")
def _(open_wire):
    wire = open_wire()
    wire.request(1, ("content-length", "10"), method="POST", flags=END_HEADERS)
    wire.send(frame(DATA, END_STREAM, 1, b"short"))
    wire.refusal(1)


@case("8.1.1", "more content than content-length is malformed")
def _(open_wire):
    wire = open_wire()
    wire.request(1, ("content-length", "1"), method="POST", flags=END_HEADERS)
    wire.send(frame(DATA, END_STREAM, 1, b"too long"))
    wire.refusal(1)


@case("8.1.1", "content without any where content-length says there is some is malformed")
def _(open_wire):
    wire = open_wire()
    wire.request(1, ("content-length", "1"))
    wire.refusal(1)


@case("8.2.2", "TE: trailers is fine")
def _(open_wire):
    wire = open_wire()
    wire.request(1, ("te", "trailers"))
    wire.response(1)


@case("8.2.3", "a Cookie in several lines is fine")
def _(open_wire):
    wire = open_wire()
    wire.request(1, ("cookie", "a=1"), ("cookie", "b=2"))
    wire.response(1)


@case("8.3.1", "OPTIONS * is fine")
def _(open_wire):
    wire = open_wire()
    wire.request(1, method="OPTIONS", path="*")
    wire.response(1)


@case("8.5", "a plain CONNECT inside is refused cleanly and the connection lives")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(HEADERS, END_HEADERS, 1, wire.block([(":method", "CONNECT"), (":authority", "other.test:443")])))
    got = wire.until(lambda got: got.stream == 1 and got.kind in (HEADERS, RST_STREAM))
    if got.kind == HEADERS:
        assert 400 <= int(dict(wire.heads[1][0])[":status"]) < 600
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 3, wire.block(wire.fields())))
    wire.response(3)


# §10.5 floods: the connection is ended, or the flood is without effect; the gateway goes on serving others


def flood(wire: H2Wire, data: bytes, rounds: int) -> None:
    """Sends without reading; then the connection has ended, or still works. Which of them is the gateway's choice."""
    try:
        for _ in range(rounds):
            wire.send(data)
    except OSError:
        return
    try:
        wire.send(frame(PING, 0, 0, b"are you?"))
    except OSError:
        return
    wire.until(lambda got: got.kind == GOAWAY or (got.kind == PING and got.flags & ACK and got.payload == b"are you?"))


FLOODS = {
    "SETTINGS": lambda wire: (settings() * 100, 200),
    "PING": lambda wire: (frame(PING, 0, 0, b"12345678") * 100, 200),
    "empty DATA": lambda wire: (frame(DATA, 0, 1, b"") * 100, 200),
    "PRIORITY": lambda wire: (frame(PRIORITY, 0, 7, number(0) + b"\x10") * 100, 200),
    "WINDOW_UPDATE": lambda wire: (frame(WINDOW_UPDATE, 0, 1, number(1)) * 100, 200),
    "unknown frames": lambda wire: (frame(0x77, 0, 0, b"x" * 100) * 100, 100),
}


@pytest.mark.parametrize("name", FLOODS)
def test_10_5_floods_do_not_grow_memory_or_stop_others(gateway, open_wire, name):
    other = open_wire()
    before = gateway.memory()
    wire = open_wire()
    wire.request(1, method="POST", path="/hold", flags=END_HEADERS)
    flood(wire, *FLOODS[name](wire))
    other.request(1)
    other.response(1)
    assert gateway.memory() < before + 64 * 1024 * 1024


def test_10_5_rapid_reset_does_not_flood_the_origin(open_wire, h2_server):
    """CVE-2023-44487: requests that are taken back at once."""
    before = len(h2_server.streams)
    other, wire = open_wire(), open_wire()
    try:
        for index in range(5000):
            stream = 1 + 2 * index
            wire.send(
                frame(HEADERS, END_STREAM | END_HEADERS, stream, wire.block(wire.fields(path="/hold")))
                + frame(RST_STREAM, 0, stream, number(CANCEL))
            )
    except OSError:
        pass
    ended = wire.until(lambda got: got.kind == GOAWAY)
    assert ended is None or ended.code in (ENHANCE_YOUR_CALM, PROTOCOL_ERROR, NO_ERROR)
    other.request(1)
    other.response(1)
    assert len(h2_server.streams) - before < 5000


def test_10_5_1_an_endless_field_block_is_cut_off(open_wire, gateway):
    """CVE-2024-27316: CONTINUATION frames without end."""
    before = gateway.memory()
    wire = open_wire()
    wire.send(frame(HEADERS, END_STREAM, 1, wire.block(wire.fields())))
    piece = b"\x00\x7f\x81\x01" + b"a" * 256 + b"\x7f\xf1\x7d" + b"b" * 16240  # a literal with a long value
    try:
        for _ in range(2000):
            wire.send(frame(CONTINUATION, 0, 1, piece[:16384]))
    except OSError:
        pass
    else:
        ended = wire.until(lambda got: got.kind == GOAWAY)
        assert ended is None or ended.code != NO_ERROR
    assert gateway.memory() < before + 64 * 1024 * 1024


def test_10_5_1_a_header_list_above_the_announced_limit_is_refused(open_wire, h2_server):
    wire = open_wire()
    wire.until(lambda got: got.kind == SETTINGS)
    limit = wire.server_settings[MAX_HEADER_LIST_SIZE]
    assert 16 * 1024 <= limit <= 1024 * 1024
    value = "v" * 4000
    block = wire.block(wire.fields(*[(f"x-{index}", value) for index in range(limit // 4000 + 2)], path="/too-large"))
    pieces = [block[at : at + 16384] for at in range(0, len(block), 16384)]
    wire.send(frame(HEADERS, END_STREAM, 1, pieces[0]))
    for piece in pieces[1:]:
        wire.send(frame(CONTINUATION, END_HEADERS if piece is pieces[-1] else 0, 1, piece))
    got = wire.until(lambda got: got.kind in (HEADERS, RST_STREAM, GOAWAY))
    if got is not None and got.kind == HEADERS:
        assert dict(wire.heads[1][0])[":status"] == "431"
    assert "/too-large" not in [stream.get(":path") for stream in h2_server.streams]


@pytest.mark.parametrize("check", case.params)
def test_h2(open_wire, check):
    check(open_wire)
