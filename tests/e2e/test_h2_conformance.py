"""RFC 9113 from a client that breaks it: what the gateway must answer, case by case, in the spirit of h2spec. An origin
stands behind it; a request that is malformed must never reach it.
"""

import itertools

import pytest
from h2wire import (ACK, CANCEL, COMPRESSION_ERROR, CONTINUATION, DATA, ENABLE_CONNECT_PROTOCOL, ENABLE_PUSH, END_HEADERS,
                    END_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, HEADERS,
                    INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, NO_ERROR, PADDED, PING,
                    PRIORITIZED, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM, RST_STREAM, SETTINGS,
                    STREAM_CLOSED, WINDOW_UPDATE, H2Wire, frame, number, settings)
from harness import H2Origin, tls_through

CASES = []


def case(section: str, name: str):
    """A case: a function of the connection. Its requests go to a path of its own, /case-N."""

    def register(function):
        CASES.append(pytest.param(function, id=f"{section} {name}"))
        return function

    return register


@pytest.fixture(scope="module")
def origin(ca_world):
    """Answers every request with its path and a hundred bytes; /hold is never answered."""

    def script(stream):
        stream.content = stream.read_to_end()
        if stream.get(":path").startswith("/hold"):
            return
        size = 100_000 if stream.get(":path").startswith("/large") else 100
        stream.head([(":status", "200")])
        stream.send(b"x" * size, end=True)

    running = H2Origin(ca_world, script)
    yield running
    running.close()


@pytest.fixture
def open_wire(gateway, origin):
    opened = []

    def open_one(**options) -> H2Wire:
        stream = tls_through(gateway, origin, alpn=("h2", "http/1.1"))
        assert stream.alpn == "h2"
        opened.append(stream)
        return H2Wire(stream, origin.authority, **options)

    yield open_one
    for stream in opened:
        stream.sock.close()


# §3.4 the preface


@case("3.4", "an invalid connection preface ends the connection")
def _(open_wire):
    open_wire(preface=b"INVALID CONNECTION PREFACE\r\n\r\n", first=b"").connection_error(PROTOCOL_ERROR, may_just_close=True)


@case("3.4", "the server's preface is a SETTINGS frame, and comes first")
def _(open_wire):
    assert open_wire().next_frame().kind == SETTINGS


@case("3.4", "a preface without SETTINGS behind it is a connection error")
def _(open_wire):
    open_wire(first=frame(PING, 0, 0, b"12345678")).connection_error(PROTOCOL_ERROR)


# §4 frames


@case("4.1", "a frame of an unknown type is ignored")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(0x77, 0xFF, 0, b"whatever") + frame(0x16, 0, 1, b"and this"))
    wire.alive()


@case("4.1", "undefined flags are ignored")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(PING, 0x16, 0, b"87654321"))
    assert wire.until(lambda got: got.kind == PING).payload == b"87654321"


@case("4.1", "the reserved bit of the stream identifier is ignored")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(PING, 0, 0, b"reserved", reserved=True))
    assert wire.until(lambda got: got.kind == PING).payload == b"reserved"


@case("4.2", "a DATA frame of 2^14 octets is taken")
def _(open_wire):
    wire = open_wire()
    wire.request(1, method="POST", flags=END_HEADERS)
    wire.send(frame(DATA, END_STREAM, 1, b"x" * 16384))
    wire.response(1)


@case("4.2", "a DATA frame larger than SETTINGS_MAX_FRAME_SIZE is FRAME_SIZE_ERROR")
def _(open_wire):
    wire = open_wire()
    wire.until(lambda got: got.kind == SETTINGS)
    wire.request(1, method="POST", flags=END_HEADERS)
    wire.send(frame(DATA, END_STREAM, 1, b"x" * (wire.server_settings.get(MAX_FRAME_SIZE, 16384) + 1)))
    wire.stream_error(1, FRAME_SIZE_ERROR)


@case("4.2", "a HEADERS frame larger than SETTINGS_MAX_FRAME_SIZE is FRAME_SIZE_ERROR")
def _(open_wire):
    wire = open_wire()
    wire.until(lambda got: got.kind == SETTINGS)
    size = wire.server_settings.get(MAX_FRAME_SIZE, 16384)
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, wire.block(wire.fields(("x", "y" * size)))))
    wire.connection_error(FRAME_SIZE_ERROR)


@case("4.3", "a field block that does not decompress is COMPRESSION_ERROR")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x00\x85\xff\xff\xff\xff\xff\xff"))
    wire.connection_error(COMPRESSION_ERROR)


@case("4.3", "an index beyond the dynamic table is COMPRESSION_ERROR")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, wire.block(wire.fields()) + b"\xfe"))
    wire.connection_error(COMPRESSION_ERROR)


@case("4.3", "a dynamic table size update after a field is COMPRESSION_ERROR (RFC 7541 §4.2)")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, wire.block(wire.fields()) + b"\x20"))
    wire.connection_error(COMPRESSION_ERROR)


@case("4.3", "a dynamic table larger than SETTINGS_HEADER_TABLE_SIZE is COMPRESSION_ERROR (RFC 7541 §6.3)")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x3f\xe1\xff\x7f" + wire.block(wire.fields())))
    wire.connection_error(COMPRESSION_ERROR)


@case("4.3", "a Huffman string padded with more than 7 bits is COMPRESSION_ERROR (RFC 7541 §5.2)")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, wire.block(wire.fields()) + b"\x00\x01a\x83\x1f\xff\xff"))
    wire.connection_error(COMPRESSION_ERROR)


@case("4.3", "a Huffman string with the EOS symbol is COMPRESSION_ERROR (RFC 7541 §5.2)")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, wire.block(wire.fields()) + b"\x00\x01a\x84\xff\xff\xff\xff"))
    wire.connection_error(COMPRESSION_ERROR)


@case("4.3", "another frame between HEADERS and CONTINUATION is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.request(1, flags=END_STREAM)
    wire.send(frame(PING, 0, 0, b"between!"))
    wire.connection_error(PROTOCOL_ERROR)


@case("4.3", "HEADERS of another stream between HEADERS and CONTINUATION is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.request(1, flags=END_STREAM)
    wire.request(3)
    wire.connection_error(PROTOCOL_ERROR)


# §5.1 stream states


@case("5.1", "idle: DATA is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(DATA, END_STREAM, 1, b"early"))
    wire.connection_error(PROTOCOL_ERROR, STREAM_CLOSED)


@case("5.1", "idle: RST_STREAM is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(RST_STREAM, 0, 1, number(CANCEL)))
    wire.connection_error(PROTOCOL_ERROR)


@case("5.1", "idle: WINDOW_UPDATE is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(WINDOW_UPDATE, 0, 1, number(100)))
    wire.connection_error(PROTOCOL_ERROR)


@case("5.1", "idle: CONTINUATION is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(CONTINUATION, END_HEADERS, 1, wire.block(wire.fields())))
    wire.connection_error(PROTOCOL_ERROR)


@case("5.1", "half-closed (remote): DATA is STREAM_CLOSED")
def _(open_wire):
    wire = open_wire()
    wire.request(1, path="/hold")
    wire.send(frame(DATA, END_STREAM, 1, b"late"))
    wire.stream_error(1, STREAM_CLOSED)


@case("5.1", "half-closed (remote): HEADERS is STREAM_CLOSED")
def _(open_wire):
    wire = open_wire()
    wire.request(1, path="/hold")
    wire.request(1, path="/again")
    wire.stream_error(1, STREAM_CLOSED)


@case("5.1", "half-closed (remote): WINDOW_UPDATE is fine")
def _(open_wire):
    wire = open_wire()
    wire.request(1, path="/hold")
    wire.send(frame(WINDOW_UPDATE, 0, 1, number(100)))
    wire.alive()


@case("5.1", "closed: HEADERS is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.request(1)
    wire.response(1)
    wire.request(1)
    wire.connection_error(STREAM_CLOSED, PROTOCOL_ERROR)


@case("5.1", "closed: WINDOW_UPDATE and RST_STREAM are tolerated for a while")
def _(open_wire):
    wire = open_wire()
    wire.request(1)
    wire.response(1)
    wire.send(frame(WINDOW_UPDATE, 0, 1, number(100)) + frame(RST_STREAM, 0, 1, number(CANCEL)))
    wire.alive()


@case("5.1", "closed by the client's RST_STREAM: DATA does no harm to the connection, or is STREAM_CLOSED")
def _(open_wire):
    wire = open_wire()
    wire.request(1, path="/hold", method="POST", flags=END_HEADERS)
    wire.send(frame(RST_STREAM, 0, 1, number(CANCEL)) + frame(DATA, END_STREAM, 1, b"late"))
    wire.send(frame(PING, 0, 0, b"are you?"))
    got = wire.until(lambda got: got.kind in (PING, RST_STREAM, GOAWAY))
    assert got.kind == PING or got.code == STREAM_CLOSED, got


@case("5.1.1", "an even stream identifier from a client is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.request(2)
    wire.connection_error(PROTOCOL_ERROR)


@case("5.1.1", "a stream identifier smaller than one before it is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.request(5)
    wire.response(5)
    wire.request(3)
    wire.connection_error(PROTOCOL_ERROR, STREAM_CLOSED)


@case("5.1.1", "stream identifiers may leave gaps")
def _(open_wire):
    wire = open_wire()
    for stream in (1, 101, 2 ** 31 - 1):
        wire.request(stream)
        wire.response(stream)


@case("5.1.2", "more streams than SETTINGS_MAX_CONCURRENT_STREAMS are refused, not forwarded")
def _(open_wire):
    wire = open_wire()
    wire.until(lambda got: got.kind == SETTINGS)
    limit = wire.server_settings[MAX_CONCURRENT_STREAMS]
    assert 1 <= limit <= 1000
    for index in range(limit + 1):
        wire.request(1 + 2 * index, path="/hold")
    wire.stream_error(1 + 2 * limit, REFUSED_STREAM, PROTOCOL_ERROR)


@case("5.3.1", "a HEADERS frame with a priority is fine")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS | PRIORITIZED, 1, number(0) + b"\x10" + wire.block(wire.fields())))
    wire.response(1)


@case("5.3.1", "a stream that depends on itself is an error or ignored, the deprecated scheme being gone")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS | PRIORITIZED, 1, number(1) + b"\x10" + wire.block(wire.fields())))
    got = wire.until(lambda got: got.kind in (RST_STREAM, GOAWAY, HEADERS))
    assert got.kind == HEADERS or got.code == PROTOCOL_ERROR


@case("5.4.1", "an invalid frame after a valid request answers the one and ends with GOAWAY")
def _(open_wire):
    wire = open_wire()
    wire.request(1)
    wire.response(1)
    wire.send(frame(SETTINGS, 0, 1))
    wire.connection_error(PROTOCOL_ERROR)
    goaway = next(got for got in wire.frames if got.kind == GOAWAY)
    assert int.from_bytes(goaway.payload[:4], "big") >= 1, "the last stream that was processed is named"


@case("5.5", "an unknown setting is ignored and acknowledged")
def _(open_wire):
    wire = open_wire(first=settings((0xFF, 1), (0x1234, 0xFFFFFFFF)))
    assert wire.until(lambda got: got.kind == SETTINGS and got.flags & ACK)
    wire.alive()


@case("5.5", "an unknown frame in the middle of a field block is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.request(1, flags=END_STREAM)
    wire.send(frame(0x77, 0, 0, b"extension") + frame(CONTINUATION, END_HEADERS, 1, b""))
    wire.connection_error(PROTOCOL_ERROR)


# §6.1 DATA


@case("6.1", "DATA on stream 0 is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(DATA, END_STREAM, 0, b"nobody's"))
    wire.connection_error(PROTOCOL_ERROR)


@case("6.1", "padding as long as the frame is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.request(1, method="POST", flags=END_HEADERS)
    wire.send(frame(DATA, END_STREAM | PADDED, 1, b"\x06short"))
    wire.connection_error(PROTOCOL_ERROR)


@case("6.1", "padding is taken off, and counts for flow control")
def _(open_wire):
    wire = open_wire()
    wire.request(1, method="POST", flags=END_HEADERS)
    for _ in range(8000):  # 2 MiB of almost only padding: more than the windows are, if padding were never given back
        wire.send(frame(DATA, PADDED, 1, b"\xff" + b"y" + b"\0" * 255))
    wire.send(frame(DATA, END_STREAM, 1, b"z"))
    wire.response(1)


# §6.2 HEADERS


@case("6.2", "HEADERS on stream 0 is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.request(0)
    wire.connection_error(PROTOCOL_ERROR)


@case("6.2", "padding as long as the frame is a connection error")
def _(open_wire):
    wire = open_wire()
    block = wire.block(wire.fields())
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, bytes([len(block) + 1]) + block))
    wire.connection_error(PROTOCOL_ERROR)


@case("6.2", "padded HEADERS with a priority is fine")
def _(open_wire):
    wire = open_wire()
    block = b"\x07" + number(0) + b"\x00" + wire.block(wire.fields()) + b"\0" * 7
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS | PADDED | PRIORITIZED, 1, block))
    wire.response(1)


# §6.3 PRIORITY


@case("6.3", "PRIORITY on stream 0 is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(PRIORITY, 0, 0, number(3) + b"\x00"))
    wire.connection_error(PROTOCOL_ERROR)


@case("6.3", "PRIORITY of another size than 5 is FRAME_SIZE_ERROR")
def _(open_wire):
    wire = open_wire()
    wire.request(1, path="/hold")
    wire.send(frame(PRIORITY, 0, 1, number(0)))
    wire.stream_error(1, FRAME_SIZE_ERROR)


@case("6.3", "PRIORITY may come in any state")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(PRIORITY, 0, 9, number(7) + b"\x20"))
    wire.request(1)
    wire.response(1)
    wire.send(frame(PRIORITY, 0, 1, number(0) + b"\x20"))
    wire.alive()


# §6.4 RST_STREAM


@case("6.4", "RST_STREAM on stream 0 is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(RST_STREAM, 0, 0, number(CANCEL)))
    wire.connection_error(PROTOCOL_ERROR)


@case("6.4", "RST_STREAM of another size than 4 is FRAME_SIZE_ERROR")
def _(open_wire):
    wire = open_wire()
    wire.request(1, path="/hold")
    wire.send(frame(RST_STREAM, 0, 1, b"\0\0\0"))
    wire.connection_error(FRAME_SIZE_ERROR)


# §6.5 SETTINGS


@case("6.5", "SETTINGS on a stream is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(SETTINGS, 0, 1, b""))
    wire.connection_error(PROTOCOL_ERROR)


@case("6.5", "an ACK with a payload is FRAME_SIZE_ERROR")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(SETTINGS, ACK, 0, b"\0\x03\0\0\0\x64"))
    wire.connection_error(FRAME_SIZE_ERROR)


@case("6.5", "a length that is no multiple of 6 is FRAME_SIZE_ERROR")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(SETTINGS, 0, 0, b"\0\x03\0"))
    wire.connection_error(FRAME_SIZE_ERROR)


@case("6.5.2", "ENABLE_PUSH other than 0 or 1 is PROTOCOL_ERROR")
def _(open_wire):
    open_wire(first=settings((ENABLE_PUSH, 2))).connection_error(PROTOCOL_ERROR)


@case("6.5.2", "INITIAL_WINDOW_SIZE above 2^31-1 is FLOW_CONTROL_ERROR")
def _(open_wire):
    open_wire(first=settings((INITIAL_WINDOW_SIZE, 2 ** 31))).connection_error(FLOW_CONTROL_ERROR)


@case("6.5.2", "MAX_FRAME_SIZE below 2^14 is PROTOCOL_ERROR")
def _(open_wire):
    open_wire(first=settings((MAX_FRAME_SIZE, 2 ** 14 - 1))).connection_error(PROTOCOL_ERROR)


@case("6.5.2", "MAX_FRAME_SIZE above 2^24-1 is PROTOCOL_ERROR")
def _(open_wire):
    open_wire(first=settings((MAX_FRAME_SIZE, 2 ** 24))).connection_error(PROTOCOL_ERROR)


@case("6.5.2", "ENABLE_CONNECT_PROTOCOL other than 0 or 1 is PROTOCOL_ERROR (RFC 8441 §3)")
def _(open_wire):
    open_wire(first=settings((ENABLE_CONNECT_PROTOCOL, 2))).connection_error(PROTOCOL_ERROR)


@case("6.5.3", "SETTINGS are acknowledged, each once")
def _(open_wire):
    wire = open_wire()
    wire.send(settings((MAX_CONCURRENT_STREAMS, 100)) + settings((INITIAL_WINDOW_SIZE, 70_000)))
    wire.alive()
    assert sum(got.kind == SETTINGS and got.flags & ACK for got in wire.frames) == 3


@case("6.5.3", "of a setting that is given twice the last value counts")
def _(open_wire):
    wire = open_wire(first=settings((INITIAL_WINDOW_SIZE, 100_000), (INITIAL_WINDOW_SIZE, 1)))
    wire.request(1)
    first = wire.until(lambda got: got.kind == DATA)
    assert len(first.payload) == 1


# §6.6 PUSH_PROMISE, §6.7 PING, §6.8 GOAWAY


@case("6.6", "a client's PUSH_PROMISE is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.request(1, path="/hold")
    wire.send(frame(PUSH_PROMISE, END_HEADERS, 1, number(2) + wire.block(wire.fields())))
    wire.connection_error(PROTOCOL_ERROR)


@case("6.7", "a PING is answered with its payload")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(PING, 0, 0, b"\0\xffpayld\r"))
    assert wire.until(lambda got: got.kind == PING) == wire.frames[-1]
    assert (wire.frames[-1].flags, wire.frames[-1].payload) == (ACK, b"\0\xffpayld\r")


@case("6.7", "a PING that is an ACK is not answered")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(PING, ACK, 0, b"unasked!"))
    wire.alive()
    assert [got.payload for got in wire.frames if got.kind == PING] == [b"are you?"]


@case("6.7", "a PING on a stream is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(PING, 0, 1, b"12345678"))
    wire.connection_error(PROTOCOL_ERROR)


@case("6.7", "a PING of another size than 8 is FRAME_SIZE_ERROR")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(PING, 0, 0, b"1234567"))
    wire.connection_error(FRAME_SIZE_ERROR)


@case("6.8", "GOAWAY on a stream is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(GOAWAY, 0, 1, number(0) + number(NO_ERROR)))
    wire.connection_error(PROTOCOL_ERROR)


@case("6.8", "after a client's GOAWAY what is in flight is still answered")
def _(open_wire):
    wire = open_wire()
    wire.request(1)
    wire.send(frame(GOAWAY, 0, 0, number(0) + number(NO_ERROR) + b"bye"))
    wire.response(1)


# §6.9 WINDOW_UPDATE


@case("6.9", "an increment of 0 on the connection is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(WINDOW_UPDATE, 0, 0, number(0)))
    wire.connection_error(PROTOCOL_ERROR)


@case("6.9", "an increment of 0 on a stream is a stream error")
def _(open_wire):
    wire = open_wire()
    wire.request(1, path="/hold")
    wire.send(frame(WINDOW_UPDATE, 0, 1, number(0)))
    wire.stream_error(1, PROTOCOL_ERROR)


@case("6.9", "another size than 4 is FRAME_SIZE_ERROR")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(WINDOW_UPDATE, 0, 0, b"\0\0\1"))
    wire.connection_error(FRAME_SIZE_ERROR)


@case("6.9.1", "no more DATA than the stream's window is sent")
def _(open_wire):
    wire = open_wire(first=settings((INITIAL_WINDOW_SIZE, 1000)))
    wire.request(1, path="/large")
    while len(wire.data.get(1, b"")) < 1000:
        assert wire.next_frame() is not None
    wire.alive()
    assert len(wire.data[1]) == 1000, "the window was overrun"
    wire.send(frame(WINDOW_UPDATE, 0, 1, number(500)))
    while len(wire.data[1]) < 1500:
        assert wire.next_frame() is not None
    wire.alive()
    assert len(wire.data[1]) == 1500


@case("6.9.1", "no more DATA than the connection's window is sent")
def _(open_wire):
    wire = open_wire(first=settings((INITIAL_WINDOW_SIZE, 2 ** 31 - 1)))
    wire.request(1, path="/large")
    while len(wire.data.get(1, b"")) < 65535:
        assert wire.next_frame() is not None
    wire.alive()
    assert len(wire.data[1]) == 65535, "the window was overrun"
    wire.send(frame(WINDOW_UPDATE, 0, 0, number(2 ** 20)))
    assert len(wire.response(1)) == 100_000


@case("6.9.1", "a connection window above 2^31-1 is FLOW_CONTROL_ERROR")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(WINDOW_UPDATE, 0, 0, number(2 ** 31 - 1)) * 2)
    wire.connection_error(FLOW_CONTROL_ERROR)


@case("6.9.1", "a stream window above 2^31-1 is FLOW_CONTROL_ERROR")
def _(open_wire):
    wire = open_wire()
    wire.request(1, path="/hold")
    wire.send(frame(WINDOW_UPDATE, 0, 1, number(2 ** 31 - 1)) * 2)
    wire.stream_error(1, FLOW_CONTROL_ERROR)


@case("6.9.1", "a client that overruns the gateway's window is FLOW_CONTROL_ERROR")
def _(open_wire):
    wire = open_wire()
    wire.until(lambda got: got.kind == SETTINGS)
    wire.request(1, path="/hold", method="POST", flags=END_HEADERS)
    # The origin reads nothing of /hold's content ahead of the client's end, but the gateway may: so more than both windows.
    chunk = frame(DATA, 0, 1, b"x" * 16384)
    try:
        for _ in range(16 * 1024 * 1024 // 16384):
            wire.send(chunk)
    except OSError:
        pass  # it has closed already
    got = wire.until(lambda got: got.kind in (RST_STREAM, GOAWAY))
    assert got is None or got.code == FLOW_CONTROL_ERROR, got


@case("6.9.2", "a smaller INITIAL_WINDOW_SIZE makes windows negative, and they recover")
def _(open_wire):
    wire = open_wire(first=settings((INITIAL_WINDOW_SIZE, 2000)))
    wire.request(1, path="/large")
    while len(wire.data.get(1, b"")) < 2000:
        assert wire.next_frame() is not None
    wire.send(settings((INITIAL_WINDOW_SIZE, 0)) + frame(WINDOW_UPDATE, 0, 1, number(1000)))
    wire.alive()
    assert len(wire.data[1]) == 2000, "the window is at -1000"
    wire.send(frame(WINDOW_UPDATE, 0, 1, number(1001)))
    while len(wire.data[1]) < 2001:
        assert wire.next_frame() is not None
    assert len(wire.data[1]) == 2001


@case("6.9.2", "an INITIAL_WINDOW_SIZE that overflows a stream's window is FLOW_CONTROL_ERROR")
def _(open_wire):
    wire = open_wire()
    wire.request(1, path="/hold")
    wire.send(frame(WINDOW_UPDATE, 0, 1, number(2 ** 30)) + settings((INITIAL_WINDOW_SIZE, 2 ** 31 - 1)))
    wire.stream_error(1, FLOW_CONTROL_ERROR)


# §6.10 CONTINUATION


@case("6.10", "a field block may be cut anywhere")
def _(open_wire):
    wire = open_wire()
    block = wire.block(wire.fields(("x-long", "y" * 100)))
    wire.send(frame(HEADERS, END_STREAM, 1, block[:1]))
    for byte in block[1:-1]:
        wire.send(frame(CONTINUATION, 0, 1, bytes([byte])))
    wire.send(frame(CONTINUATION, END_HEADERS, 1, block[-1:]))
    got = wire.until(lambda got: got.kind == HEADERS or got.kind == GOAWAY)
    # Some implementations bound the number of CONTINUATION frames (CVE-2024-28182): 120 are too many for those.
    assert got.kind == HEADERS or got.code == ENHANCE_YOUR_CALM


@case("6.10", "a few CONTINUATION frames, an empty one among them, are fine")
def _(open_wire):
    wire = open_wire()
    block = wire.block(wire.fields(("x-a", "b" * 300)))
    wire.send(frame(HEADERS, END_STREAM, 1, block[:20]) + frame(CONTINUATION, 0, 1, b"") + frame(CONTINUATION, 0, 1, block[20:200])
              + frame(CONTINUATION, END_HEADERS, 1, block[200:]))
    wire.response(1)


@case("6.10", "CONTINUATION on stream 0 is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.request(1, flags=END_STREAM)
    wire.send(frame(CONTINUATION, END_HEADERS, 0, b""))
    wire.connection_error(PROTOCOL_ERROR)


@case("6.10", "CONTINUATION after END_HEADERS is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.request(1, path="/hold")
    wire.send(frame(CONTINUATION, END_HEADERS, 1, b""))
    wire.connection_error(PROTOCOL_ERROR)


@case("6.10", "CONTINUATION after DATA is a connection error")
def _(open_wire):
    wire = open_wire()
    wire.request(1, method="POST", path="/hold", flags=END_HEADERS)
    wire.send(frame(DATA, 0, 1, b"content") + frame(CONTINUATION, END_HEADERS, 1, b""))
    wire.connection_error(PROTOCOL_ERROR)


# §8 HTTP: malformed requests are refused and the origin never hears of them

_malformed = itertools.count(1)

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
def test_8_malformed_requests_are_refused_and_never_forwarded(open_wire, origin, name):
    options = dict(MALFORMED[name])
    extra = options.pop("extra", [])
    mark = f"malformed-{next(_malformed)}"
    wire = open_wire()
    fields = wire.fields(*extra, ("x-mark", mark), **options)
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, wire.block(fields)))
    wire.refusal(1)
    assert mark not in [stream.get("x-mark") for stream in origin.streams]


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


def test_10_5_rapid_reset_does_not_flood_the_origin(open_wire, origin):
    """CVE-2023-44487: requests that are taken back at once."""
    before = len(origin.streams)
    other, wire = open_wire(), open_wire()
    try:
        for index in range(5000):
            stream = 1 + 2 * index
            wire.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, wire.block(wire.fields(path="/hold")))
                      + frame(RST_STREAM, 0, stream, number(CANCEL)))
    except OSError:
        pass
    ended = wire.until(lambda got: got.kind == GOAWAY)
    assert ended is None or ended.code in (ENHANCE_YOUR_CALM, PROTOCOL_ERROR, NO_ERROR)
    other.request(1)
    other.response(1)
    assert len(origin.streams) - before < 5000


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


def test_10_5_1_a_header_list_above_the_announced_limit_is_refused(open_wire, origin):
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
    assert "/too-large" not in [stream.get(":path") for stream in origin.streams]


@pytest.mark.parametrize("check", CASES)
def test_h2(open_wire, check):
    check(open_wire)


def test_there_are_at_least_sixty_cases():
    assert len(CASES) + len(MALFORMED) + len(FLOODS) >= 60
