"""HTTP/2 frame by frame (RFC 9113 §4), for clients that break rules on purpose, and words for what must come of it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import hpack
import pytest

from streams import End, Ended, TlsStream

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, PRIORITIZED = 0x4, 0x8, 0x20
(
    NO_ERROR,
    PROTOCOL_ERROR,
    INTERNAL_ERROR,
    FLOW_CONTROL_ERROR,
    SETTINGS_TIMEOUT,
    STREAM_CLOSED,
    FRAME_SIZE_ERROR,
    REFUSED_STREAM,
    CANCEL,
    COMPRESSION_ERROR,
    CONNECT_ERROR,
    ENHANCE_YOUR_CALM,
    INADEQUATE_SECURITY,
    HTTP_1_1_REQUIRED,
) = range(14)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
(
    HEADER_TABLE_SIZE,
    ENABLE_PUSH,
    MAX_CONCURRENT_STREAMS,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
) = range(1, 7)
ENABLE_CONNECT_PROTOCOL = 8


@dataclass
class Frame:
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def code(self) -> int:
        """Of a RST_STREAM or GOAWAY."""
        at = 0 if self.kind == RST_STREAM else 4
        return struct.unpack_from(">L", self.payload, at)[0]


def frame(
    kind: int, flags: int, stream: int, payload: bytes = b"", *, length: int | None = None, reserved: bool = False
) -> bytes:
    size = len(payload) if length is None else length
    return (
        struct.pack(">L", size)[1:]
        + struct.pack(">BBL", kind, flags, stream | (0x80000000 if reserved else 0))
        + payload
    )


def settings(*values: tuple[int, int]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HL", *value) for value in values))


def number(value: int) -> bytes:
    return struct.pack(">L", value)


class Cases:
    """A file's cases as pytest parameters: `@case("6.7", "a PING is answered")` on a function of `open_wire`."""

    def __init__(self):
        self.params = []

    def __call__(self, section: str, name: str):
        def register(function):
            self.params.append(pytest.param(function, id=f"{section} {name}"))
            return function

        return register


class H2Wire:
    """A client connection. Answers SETTINGS with an ACK (unless `quiet`) and nothing else by itself."""

    def __init__(
        self, stream: TlsStream, origin, *, preface: bytes = PREFACE, first: bytes | None = None, quiet: bool = False
    ):
        self.stream, self.origin, self.authority = stream, origin, origin.authority
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.decoder.max_header_list_size = 1 << 20
        self.server_settings: dict[int, int] = {}
        self.frames: list[Frame] = []
        self.data: dict[int, bytes] = {}
        self.heads: dict[int, list[list[tuple[str, str]]]] = {}
        self._quiet = quiet
        self.send(preface + (settings() if first is None else first))

    # Writing

    def send(self, data: bytes) -> None:
        self.stream.send(data)

    def fields(
        self, *extra: tuple[str, str], path: str = "/", method: str = "GET", leave_out: tuple[str, ...] = ()
    ) -> list:
        every = [(":method", method), (":scheme", "https"), (":authority", self.authority), (":path", path), *extra]
        return [field for field in every if field[0] not in leave_out]

    def block(self, fields: list[tuple[str, str]]) -> bytes:
        return self.encoder.encode(fields, huffman=False)

    def request(self, stream: int, *extra: tuple[str, str], flags: int = END_STREAM | END_HEADERS, **options) -> None:
        self.send(frame(HEADERS, flags, stream, self.block(self.fields(*extra, **options))))

    # Reading

    def next_frame(self) -> Frame | None:
        """The next frame, or None at the end of the connection."""
        try:
            head = self.stream.read_exactly(9)
            size = int.from_bytes(head[:3], "big")
            got = Frame(head[3], head[4], int.from_bytes(head[5:9], "big") & 0x7FFFFFFF, self.stream.read_exactly(size))
        except (Ended, ConnectionError):
            return None
        self.frames.append(got)
        self._note(got)
        return got

    def _note(self, got: Frame) -> None:
        if got.kind == SETTINGS and not got.flags & ACK:
            self.server_settings |= dict(struct.iter_unpack(">HL", got.payload))
            if not self._quiet:
                self._try_to_send(frame(SETTINGS, ACK, 0))
        elif got.kind == HEADERS:
            assert got.flags & END_HEADERS, "the test origins' heads fit a frame"
            payload = got.payload[5:] if got.flags & PRIORITIZED else got.payload
            self.heads.setdefault(got.stream, []).append(self.decoder.decode(payload))
        elif got.kind == DATA:
            self.data[got.stream] = self.data.get(got.stream, b"") + got.payload

    def _try_to_send(self, data: bytes) -> None:
        try:
            self.send(data)
        except OSError:
            pass

    def until(self, wanted) -> Frame | None:
        """Reads until a frame for which `wanted` is true, and returns it; None when the connection ends first."""
        while (got := self.next_frame()) is not None:
            if wanted(got):
                return got
        return None

    # What must come

    def connection_error(self, *codes: int, may_just_close: bool = False) -> None:
        """RFC 9113 §5.4.1: GOAWAY with one of `codes`, then the end of the connection."""
        goaway = self.until(lambda got: got.kind == GOAWAY and got.code != NO_ERROR)
        if goaway is None:
            assert may_just_close, f"closed without a GOAWAY: {self.frames}"
            return
        assert goaway.code in codes, f"GOAWAY with {goaway.code} instead of {codes}"
        assert self.until(lambda got: False) is None
        assert self.stream.end in (End.CLOSE_NOTIFY, End.FIN, End.RESET)

    def stream_error(self, stream: int, *codes: int) -> None:
        """§5.4.2: RST_STREAM with one of `codes`; a connection error with one of them is allowed too."""
        got = self.until(
            lambda got: (got.kind == RST_STREAM and got.stream == stream) or (got.kind == GOAWAY and got.code)
        )
        assert got is not None, f"the connection just closed: {self.frames}"
        assert got.code in codes, f"{got} instead of {codes}"

    def refusal(self, stream: int) -> None:
        """§8.1.1: a malformed request is a stream error PROTOCOL_ERROR, or answered with a 4xx."""
        got = self.until(
            lambda got: got.stream == stream and got.kind in (RST_STREAM, HEADERS) or got.kind == GOAWAY and got.code
        )
        assert got is not None, f"the connection just closed: {self.frames}"
        if got.kind == HEADERS:
            assert dict(self.heads[stream][-1])[":status"] in ("400", "431"), self.heads[stream]
        else:
            assert got.code == PROTOCOL_ERROR, got

    def response(self, stream: int, status: int = 200) -> bytes:
        """A whole response, and its content."""

        def over(got: Frame) -> bool:
            failed = (got.kind == RST_STREAM and got.stream == stream and got.code) or (got.kind == GOAWAY and got.code)
            assert not failed, got
            return got.stream == stream and got.kind in (HEADERS, DATA) and bool(got.flags & END_STREAM)

        assert self.until(over) is not None, f"the connection ended: {self.frames}"
        statuses = [value for head in self.heads[stream] for name, value in head if name == ":status"]
        assert int(statuses[-1]) == status, self.heads[stream]
        return self.data.get(stream, b"")

    def alive(self) -> None:
        """The connection still answers a PING, and no stream was reset meanwhile."""
        self.send(frame(PING, 0, 0, b"are you?"))
        pong = self.until(lambda got: got.kind == PING and got.flags & ACK or got.kind in (GOAWAY, RST_STREAM))
        assert pong is not None and pong.kind == PING and pong.payload == b"are you?", pong
