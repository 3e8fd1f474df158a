"""RFC 9113 from a client that breaks it, part one: frames, stream states, settings, flow control. What the gateway must
answer, case by case, in the spirit of h2spec.
"""

import pytest
from h2wire import (
    ACK,
    CANCEL,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    ENABLE_CONNECT_PROTOCOL,
    ENABLE_PUSH,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    NO_ERROR,
    PADDED,
    PING,
    PRIORITIZED,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    REFUSED_STREAM,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    Cases,
    frame,
    number,
    settings,
)

case = Cases()


# §3.4 the preface


@case("3.4", "an invalid connection preface ends the connection")
def _(open_wire):
    open_wire(preface=b"INVALID CONNECTION PREFACE\r\n\r\n", first=b"").connection_error(
        PROTOCOL_ERROR, may_just_close=True
    )


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


@case("5.1", "closed: HEADERS are no new request; a connection error, or ignored")
def _(open_wire):
    wire = open_wire()
    wire.request(1)
    wire.response(1)
    # nghttp2 cannot tell a stream that it has forgotten from one that both sides have closed, and ignores the block.
    wire.request(1, path="/closed")
    wire.send(frame(PING, 0, 0, b"are you?"))
    got = wire.until(lambda got: got.kind in (PING, GOAWAY))
    assert got.kind == PING or got.code in (STREAM_CLOSED, PROTOCOL_ERROR)
    assert "/closed" not in [stream.get(":path") for stream in wire.origin.streams]


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
    for stream in (1, 101, 2**31 - 1):
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
    wire.send(
        frame(HEADERS, END_STREAM | END_HEADERS | PRIORITIZED, 1, number(0) + b"\x10" + wire.block(wire.fields()))
    )
    wire.response(1)


@case("5.3.1", "a stream that depends on itself is an error or ignored, the deprecated scheme being gone")
def _(open_wire):
    wire = open_wire()
    wire.send(
        frame(HEADERS, END_STREAM | END_HEADERS | PRIORITIZED, 1, number(1) + b"\x10" + wire.block(wire.fields()))
    )
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
    open_wire(first=settings((INITIAL_WINDOW_SIZE, 2**31))).connection_error(FLOW_CONTROL_ERROR)


@case("6.5.2", "MAX_FRAME_SIZE below 2^14 is PROTOCOL_ERROR")
def _(open_wire):
    open_wire(first=settings((MAX_FRAME_SIZE, 2**14 - 1))).connection_error(PROTOCOL_ERROR)


@case("6.5.2", "MAX_FRAME_SIZE above 2^24-1 is PROTOCOL_ERROR")
def _(open_wire):
    open_wire(first=settings((MAX_FRAME_SIZE, 2**24))).connection_error(PROTOCOL_ERROR)


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
    wire = open_wire(first=settings((INITIAL_WINDOW_SIZE, 2**31 - 1)))
    wire.request(1, path="/large")
    while len(wire.data.get(1, b"")) < 65535:
        assert wire.next_frame() is not None
    wire.alive()
    assert len(wire.data[1]) == 65535, "the window was overrun"
    wire.send(frame(WINDOW_UPDATE, 0, 0, number(2**20)))
    assert len(wire.response(1)) == 100_000


@case("6.9.1", "a connection window above 2^31-1 is FLOW_CONTROL_ERROR")
def _(open_wire):
    wire = open_wire()
    wire.send(frame(WINDOW_UPDATE, 0, 0, number(2**31 - 1)) * 2)
    wire.connection_error(FLOW_CONTROL_ERROR)


@case("6.9.1", "a stream window above 2^31-1 is FLOW_CONTROL_ERROR")
def _(open_wire):
    wire = open_wire()
    wire.request(1, path="/hold")
    wire.send(frame(WINDOW_UPDATE, 0, 1, number(2**31 - 1)) * 2)
    wire.stream_error(1, FLOW_CONTROL_ERROR)


@case("6.9.1", "a client that overruns the gateway's window is FLOW_CONTROL_ERROR")
def _(open_wire):
    wire = open_wire()
    wire.until(lambda got: got.kind == SETTINGS)
    wire.request(1, path="/hold", method="POST", flags=END_HEADERS)
    # More than the gateway's window and the origin's together, were they as large as they may be.
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
    wire.send(frame(WINDOW_UPDATE, 0, 1, number(2**30)) + settings((INITIAL_WINDOW_SIZE, 2**31 - 1)))
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
    wire.send(
        frame(HEADERS, END_STREAM, 1, block[:20])
        + frame(CONTINUATION, 0, 1, b"")
        + frame(CONTINUATION, 0, 1, block[20:200])
        + frame(CONTINUATION, END_HEADERS, 1, block[200:])
    )
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


@pytest.mark.parametrize("check", case.params)
def test_h2(open_wire, check):
    check(open_wire)


def test_there_are_enough_cases():
    assert len(case.params) >= 60
