"""Byte streams for tests that must see exactly how the other side ends: TCP, and TLS over TCP.

Python's own SSLSocket hides what matters here (it takes a FIN without close_notify for a clean end and cannot
half-close), so TLS runs over memory buffers. Every read and write has a deadline; nothing here can wait for ever.
"""

from __future__ import annotations

import enum
import re
import socket
import ssl
import struct
import threading
from dataclasses import dataclass, field

TIMEOUT_S = 15.0  # generous: a sanitized gateway on a busy machine is slow


class End(enum.Enum):
    """How the other side ended its direction."""

    CLOSE_NOTIFY = "close_notify"  # RFC 8446 §6.1
    FIN = "fin"  # over TLS: truncated, no close_notify came
    RESET = "reset"
    ALERT = "alert"  # a fatal TLS alert; `Stream.alert` says which


class Ended(EOFError):
    """The other side ended before what was waited for had come."""


class Stream:
    """TCP. `end` is None until the other side has ended."""

    def __init__(self, sock: socket.socket, timeout: float = TIMEOUT_S):
        self.sock = sock
        self.sock.settimeout(timeout)
        self.end: End | None = None
        self.alert: str | None = None
        self.received = bytearray()  # everything that ever came, for comparing
        self._ahead = bytearray()

    # Reading

    def _receive(self) -> bytes:
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            self.end = End.RESET
            return b""
        if not data:
            self.end = End.FIN
        return data

    def read(self) -> bytes:
        """Some bytes, at least one; b"" at the end, and `end` says how it was."""
        if self._ahead:
            data = bytes(self._ahead)
            self._ahead.clear()
            return data
        if self.end:
            return b""
        data = self._receive()
        self.received += data
        return data

    def unread(self, data: bytes) -> None:
        self._ahead[:0] = data

    def read_exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            more = self.read()
            if not more:
                raise Ended(f"{self.end} after {len(data)} of {size} bytes: {bytes(data[-80:])!r}")
            data += more
        self.unread(bytes(data[size:]))
        return bytes(data[:size])

    def read_until(self, mark: bytes, limit: int = 1 << 20) -> bytes:
        """Everything up to and including `mark`."""
        data = bytearray()
        while (at := data.find(mark)) < 0:
            more = self.read()
            if not more:
                raise Ended(f"{self.end} before {mark!r}: {bytes(data[-200:])!r}")
            data += more
            assert len(data) < limit, f"no {mark!r} within {limit} bytes"
        self.unread(bytes(data[at + len(mark) :]))
        return bytes(data[: at + len(mark)])

    def read_to_end(self) -> bytes:
        data = bytearray()
        while more := self.read():
            data += more
        return bytes(data)

    # Writing

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def half_close(self) -> None:
        """No more bytes from us; the other direction goes on."""
        self.sock.shutdown(socket.SHUT_WR)

    # Ending

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            self.sock.shutdown(socket.SHUT_RD)  # wakes a reader in another thread, which would keep the socket open
        except OSError:
            pass
        self.sock.close()

    def close(self) -> None:
        """Ends our direction cleanly, then drains the other, so that what we sent is not lost to a reset."""
        drain_and_close(self.sock)

    def fin(self) -> None:
        """Ends our direction on TCP, whatever runs above it."""
        self.sock.shutdown(socket.SHUT_WR)


class TlsStream(Stream):
    """TLS over TCP. Thread-safe for one reader beside one writer."""

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_name: str | None = None,
        session: ssl.SSLSession | None = None,
        timeout: float = TIMEOUT_S,
        cut: int | None = None,
    ):
        super().__init__(sock, timeout)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._engine = context.wrap_bio(self._in, self._out, server_side=server_side, server_hostname=server_name)
        if session is not None:
            self._engine.session = session
        self._lock = threading.Lock()  # the engine
        self._send_lock = threading.Lock()  # the order of records
        self._cut = cut
        self._handshake()

    def _flush(self) -> None:
        with self._send_lock:
            with self._lock:
                data = self._out.read()
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self._cut is None:
            self.sock.sendall(data)
            return
        for at in range(0, len(data), self._cut):
            self.sock.sendall(data[at : at + self._cut])

    def _feed(self) -> None:
        data = self.sock.recv(65536)
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()

    def _handshake(self) -> None:
        while True:
            try:
                self._engine.do_handshake()
                self._flush()
                return
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
            except ssl.SSLError:
                self._flush_quietly()
                raise

    def _flush_quietly(self) -> None:
        try:
            self._flush()
        except OSError:
            pass

    def _receive(self) -> bytes:
        while True:
            try:
                with self._lock:
                    data = self._engine.read(65536)
                if data:
                    return data
                self.end = End.CLOSE_NOTIFY
                return b""
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLZeroReturnError:
                self.end = End.CLOSE_NOTIFY
                return b""
            except ssl.SSLEOFError:
                self.end = End.FIN
                return b""
            except ssl.SSLError as error:
                self.alert = alert_name(error)
                self.end = End.FIN if "eof" in self.alert else End.ALERT
                return b""
            try:
                self._flush_quietly()
                self._feed()
            except (ConnectionResetError, BrokenPipeError):
                self.end = End.RESET
                return b""

    def send(self, data: bytes) -> None:
        with self._send_lock:
            for at in range(0, len(data), 65536):
                with self._lock:
                    self._engine.write(data[at : at + 65536])
                    records = self._out.read()
                self._write(records)

    def close_notify(self) -> None:
        """Sends close_notify without waiting for the other side's (RFC 8446 §6.1)."""
        with self._lock:
            try:
                self._engine.unwrap()
            except ssl.SSLError:
                pass  # "want read": ours is written, theirs has not come
        self._flush_quietly()

    def half_close(self) -> None:
        self.close_notify()

    def close(self) -> None:
        self.close_notify()
        drain_and_close(self.sock)

    @property
    def alpn(self) -> str | None:
        return self._engine.selected_alpn_protocol()

    @property
    def version(self) -> str:
        return self._engine.version()

    @property
    def session(self) -> ssl.SSLSession:
        return self._engine.session

    @property
    def resumed(self) -> bool:
        return self._engine.session_reused

    def peer_certificate(self) -> bytes:
        """DER."""
        return self._engine.getpeercert(binary_form=True)


def drain_and_close(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(2.0)
        while sock.recv(65536):
            pass
    except OSError:
        pass
    sock.close()


def alert_name(error: ssl.SSLError) -> str:
    """`bad_certificate`, `internal_error` …: the alert that the other side sent, or what OpenSSL found wrong."""
    text = (error.reason or str(error)).lower()
    return re.sub(r"^(tlsv1|sslv3|tlsv13|ssl/tls)_alert_", "", text)


# HTTP/1.1, read as leniently as it comes: the tests look at bytes, not at a parser's opinion of them.


@dataclass
class Message:
    """A request or response, whole."""

    start: str
    fields: list[tuple[str, str]]
    head: bytes  # as on the wire, with the empty line
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)
    end: End | None = None  # set where the connection ended with the message

    @property
    def status(self) -> int:
        return int(self.start.split(" ", 2)[1])

    @property
    def method(self) -> str:
        return self.start.split(" ", 1)[0]

    @property
    def target(self) -> str:
        return self.start.split(" ", 2)[1]

    def get(self, name: str) -> str | None:
        values = [value for key, value in self.fields if key.lower() == name.lower()]
        return ", ".join(values) if values else None


def parse_fields(lines: list[bytes]) -> list[tuple[str, str]]:
    pairs = (line.decode("latin-1").partition(":") for line in lines if line)
    return [(name, value.strip()) for name, _, value in pairs]


def read_head(stream: Stream) -> Message:
    head = stream.read_until(b"\r\n\r\n")
    start, *lines = head[:-4].split(b"\r\n")
    return Message(start.decode("latin-1"), parse_fields(lines), head)


def read_chunked(stream: Stream, message: Message) -> None:
    while True:
        size = int(stream.read_until(b"\r\n").split(b";")[0], 16)
        if size == 0:
            break
        message.body += stream.read_exactly(size)
        assert stream.read_exactly(2) == b"\r\n"
    lines = []
    while (line := stream.read_until(b"\r\n")) != b"\r\n":
        lines.append(line[:-2])
    message.trailers = parse_fields(lines)


def read_content(stream: Stream, request: Message) -> None:
    if (request.get("transfer-encoding") or "").lower() == "chunked":
        read_chunked(stream, request)
    elif length := request.get("content-length"):
        request.body = stream.read_exactly(int(length))


def read_request(stream: Stream) -> Message:
    request = read_head(stream)
    read_content(stream, request)
    return request


def read_response(stream: Stream, method: str = "GET", *, final: bool = True) -> Message:
    """The next response; with `final` the interim ones before it are dropped."""
    message = read_head(stream)
    while final and message.status < 200 and message.status != 101:
        message = read_head(stream)
    if method == "HEAD" or message.status in (204, 304) or message.status < 200:
        return message
    if (message.get("transfer-encoding") or "").lower() == "chunked":
        read_chunked(stream, message)
    elif (length := message.get("content-length")) is not None:
        message.body = stream.read_exactly(int(length))
    else:
        message.body = stream.read_to_end()
        message.end = stream.end
    return message
