"""HTTP/2 from either side in blocking style, over python-h2: one thread reads frames, each stream is read by whoever
holds it. For tests that speak whole HTTP/2; those that break it write frames themselves (test_h2_conformance.py).
"""

from __future__ import annotations

import queue
import struct
import threading
import time
from collections.abc import Callable

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
from hyperframe.frame import GoAwayFrame

from origins import Origin, Visit
from streams import TIMEOUT_S, Ended, Stream

Fields = list[tuple[str, str]]
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
INTERNAL_ERROR, CANCEL, HTTP_1_1_REQUIRED = 0x2, 0x8, 0xD  # RFC 9113 §7


class Reset(Exception):
    """The stream was ended by RST_STREAM (`code`), or with its connection (`code` None)."""

    def __init__(self, code: int | None):
        super().__init__(f"stream reset with {code}")
        self.code = code


class H2Stream:
    """One stream. What comes is taken in order: heads, data, trailers."""

    def __init__(self, peer: H2Peer, number: int):
        self.peer, self.number = peer, number
        self.fields: Fields = []  # of the request (server side) or the final response (client side)
        self.interim: list[Fields] = []
        self.trailers: Fields | None = None
        self.reset_code: int | None = None
        self._events: queue.Queue = queue.Queue()

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.fields if key == name), None)

    @property
    def status(self) -> int:
        return int(self.get(":status"))

    # Reading

    def _next(self) -> h2.events.Event:
        try:
            event = self._events.get(timeout=TIMEOUT_S)
        except queue.Empty:
            raise TimeoutError(f"nothing on stream {self.number} for {TIMEOUT_S} s") from None
        if isinstance(event, h2.events.StreamReset):
            self.reset_code = int(event.error_code)
            self._events.put(event)  # for everyone who asks again
            raise Reset(self.reset_code)
        if event is None:
            self._events.put(None)
            raise Reset(None)
        return event

    def response(self) -> H2Stream:
        """Waits for the final response head."""
        while not isinstance(event := self._next(), h2.events.ResponseReceived):
            assert isinstance(event, h2.events.InformationalResponseReceived), event
            self.interim.append(event.headers)
        self.fields = event.headers
        return self

    def read(self, *, acknowledge: bool = True) -> bytes:
        """The next DATA frame's content, or b"" at END_STREAM. Without `acknowledge` the peer's window stays used."""
        while True:
            event = self._next()
            if isinstance(event, h2.events.TrailersReceived):
                self.trailers = event.headers
            elif isinstance(event, h2.events.StreamEnded):
                self._events.put(event)  # for everyone who asks again
                return b""
            else:
                assert isinstance(event, h2.events.DataReceived), event
                if acknowledge:
                    self.acknowledge(event.flow_controlled_length)
                if event.data:
                    return event.data

    def acknowledge(self, count: int) -> None:
        if count:
            self.peer.do(lambda h2c: h2c.acknowledge_received_data(count, self.number))

    def read_to_end(self) -> bytes:
        data = bytearray()
        while more := self.read():
            data += more
        return bytes(data)

    # Writing

    def head(self, fields: Fields, *, end: bool = False) -> None:
        """A request head, an interim or final response head, or trailers."""
        self.peer.do(lambda h2c: h2c.send_headers(self.number, fields, end_stream=end))

    def send(self, data: bytes, *, end: bool = False, timeout: float = TIMEOUT_S) -> int:
        """Sends as the peer's windows allow; how much went before `timeout` where they stay shut."""
        sent, deadline = 0, time.monotonic() + timeout
        while sent < len(data):
            with self.peer.windows:
                while (room := self.peer.room(self.number)) == 0:
                    if self.reset_code is not None or self.peer.closed:
                        raise Reset(self.reset_code)
                    if not self.peer.windows.wait(deadline - time.monotonic()):
                        return sent
            piece = data[sent : sent + room]
            sent += len(piece)
            self.peer.do(lambda h2c: h2c.send_data(self.number, piece, end_stream=end and sent == len(data)))
        if not data:
            self.peer.do(lambda h2c: h2c.send_data(self.number, b"", end_stream=end))
        return sent

    def reset(self, code: int) -> None:
        self.peer.do(lambda h2c: h2c.reset_stream(self.number, code))

    def end(self) -> None:
        self.peer.do(lambda h2c: h2c.end_stream(self.number))


class H2Peer:
    """One side of an HTTP/2 connection. `on_stream` (server side) runs in a thread of its own for each request."""

    def __init__(
        self,
        stream: Stream,
        *,
        client: bool,
        on_stream: Callable[[H2Stream], None] | None = None,
        settings: dict[int, int] | None = None,
    ):
        self.stream = stream
        self.streams: dict[int, H2Stream] = {}
        self.goaway: tuple[int, int] | None = None  # last stream, code
        self.goaway_seen = threading.Event()
        self.settings_seen = threading.Event()
        self.closed = False
        self.windows = threading.Condition()
        self.failures: list[BaseException] = []
        self._on_stream = on_stream
        self._lock = threading.RLock()
        self._cut = b""  # of a frame that has not come whole
        self._preface_left = 0 if client else len(PREFACE)
        # Tests send what python-h2 would refuse or tidy up.
        config = h2.config.H2Configuration(
            client_side=client,
            header_encoding="utf-8",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self._h2 = h2.connection.H2Connection(config)
        if settings:
            values = {**dict(self._h2.local_settings), **settings}
            self._h2.local_settings = h2.settings.Settings(client=client, initial_values=values)
        self.do(lambda h2c: h2c.initiate_connection())
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def do(self, action: Callable[[h2.connection.H2Connection], object]) -> object:
        """Runs `action` on the python-h2 connection and sends what it wants sent."""
        with self._lock:
            result = action(self._h2)
            self.stream.send(self._h2.data_to_send())
            return result

    def announced(self, setting: int) -> int | None:
        """The other side's setting, if it has been announced."""
        with self._lock:
            return self._h2.remote_settings.get(setting)

    def room(self, number: int) -> int:
        """How much may be sent on the stream now."""
        with self._lock:
            try:
                return min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
            except h2.exceptions.StreamClosedError:
                return 0

    def request(self, fields: Fields, body: bytes | None = None, *, end: bool = True) -> H2Stream:
        """Opens a stream (client side). Without a body `end` says whether the head ends it."""
        with self._lock:
            number = self._h2.get_next_available_stream_id()
            stream = self.streams[number] = H2Stream(self, number)
            stream.head(fields, end=end and body is None)
        if body is not None:
            stream.send(body, end=end)
        return stream

    def get(self, authority: str, path: str = "/", *extra: tuple[str, str], method: str = "GET") -> H2Stream:
        return self.request(
            [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path), *extra]
        )

    def go_away(self, last_stream: int, code: int = 0) -> None:
        """GOAWAY past python-h2, which sends nothing after one, not even for the streams in flight (RFC 9113 §6.8)."""
        with self._lock:
            self.stream.send(GoAwayFrame(last_stream_id=last_stream, error_code=code).serialize())

    def close(self) -> None:
        try:
            self.do(lambda h2c: h2c.close_connection())
        except (OSError, h2.exceptions.ProtocolError):
            pass
        self.stream.close()

    def join(self) -> None:
        self._reader.join(TIMEOUT_S)

    def _read(self) -> None:
        try:
            while data := self.stream.read():
                with self._lock:
                    events = self._h2.receive_data(self._without_goaway(data))
                    self.stream.send(self._h2.data_to_send())
                for event in events:
                    self._dispatch(event)
                with self.windows:
                    self.windows.notify_all()
        except (OSError, Ended):
            pass
        except h2.exceptions.ProtocolError as error:
            self.failures.append(error)
            self._send_goaway()
        finally:
            self.closed = True
            for stream in list(self.streams.values()):
                stream._events.put(None)
            with self.windows:
                self.windows.notify_all()

    def _without_goaway(self, data: bytes) -> bytes:
        """Whole frames for python-h2, but for GOAWAY, after which it would take nothing more: that is noted here."""
        passed = data[: self._preface_left]
        self._preface_left -= len(passed)
        data = self._cut + data[len(passed) :]
        while len(data) >= 9 and len(data) >= (size := 9 + int.from_bytes(data[:3], "big")):
            frame, data = data[:size], data[size:]
            if frame[3] == GoAwayFrame.type:
                self.goaway = struct.unpack(">LL", frame[9:17])
                self.goaway_seen.set()
            else:
                passed += frame
        self._cut = data
        return passed

    def _send_goaway(self) -> None:
        """python-h2 has queued it with the error that it found."""
        try:
            self.stream.send(self._h2.data_to_send())
            self.stream.close()
        except OSError:
            pass

    def _dispatch(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self.settings_seen.set()
        elif isinstance(event, h2.events.RequestReceived):
            stream = self.streams[event.stream_id] = H2Stream(self, event.stream_id)
            stream.fields = event.headers
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()
        elif isinstance(
            event,
            (
                h2.events.DataReceived,
                h2.events.ResponseReceived,
                h2.events.TrailersReceived,
                h2.events.InformationalResponseReceived,
                h2.events.StreamEnded,
                h2.events.StreamReset,
            ),
        ):
            stream = self.streams.get(event.stream_id)
            if stream:
                if isinstance(event, h2.events.StreamReset):
                    stream.reset_code = int(event.error_code)
                stream._events.put(event)

    def _serve(self, stream: H2Stream) -> None:
        try:
            self._on_stream(stream)
        except (Reset, OSError, h2.exceptions.ProtocolError):
            pass  # the stream or connection ended under the script; the test judges what was seen
        except BaseException as error:
            self.failures.append(error)


class H2Origin(Origin):
    """An HTTP/2 server; `script` gets each stream. `streams` holds them all, in the order of their requests."""

    def __init__(
        self,
        worlds,
        script: Callable[[H2Stream], None],
        *,
        settings: dict[int, int] | None = None,
        alpn: tuple[str, ...] = ("h2",),
        **options,
    ):
        self._script = script
        self._settings = settings
        self.streams: list[H2Stream] = []
        self.peers: list[H2Peer] = []
        super().__init__(worlds, alpn=alpn, **options)

    def serve(self, stream: Stream, visit: Visit) -> None:
        peer = H2Peer(stream, client=False, on_stream=self._note, settings=self._settings)
        self.peers.append(peer)
        peer._reader.join()
        self.failures += peer.failures

    def _note(self, stream: H2Stream) -> None:
        self.streams.append(stream)
        self._script(stream)


def reply(body: bytes = b"", *, status: int = 200, fields: Fields = ()) -> Callable[[H2Stream], None]:
    """A script: reads the request to its end, then answers."""

    def script(stream: H2Stream) -> None:
        stream.content = stream.read_to_end()
        stream.head([(":status", str(status)), ("content-length", str(len(body))), *fields], end=not body)
        if body:
            stream.send(body, end=True)

    return script
