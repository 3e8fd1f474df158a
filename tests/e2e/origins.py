"""Origins that do exactly what a test says, and remember what they were sent."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from certificates import CaWorld, Identity, server_context
from gateway import eventually
from streams import Message, Stream, TlsStream, read_content, read_head, read_request

_names = itertools.count(1)


def unique_name(stem: str) -> str:
    """A host name that no other test uses, so that the log of a shared gateway can be asked for it."""
    return f"{stem}-{next(_names)}.test"


@dataclass
class Visit:
    """One connection to an origin."""

    number: int
    server_name: str | None = None
    alpn: str | None = None
    version: str | None = None
    resumed: bool = False
    stream: Stream | None = None
    requests: list[Message] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def received(self) -> bytes:
        """All bytes that came after the TLS handshake."""
        return bytes(self.stream.received) if self.stream else b""


Script = Callable[[Stream, Visit], None]


class Origin:
    """A TCP listener whose every connection runs `serve` in its own thread. Threads end with their sockets."""

    def __init__(
        self,
        worlds: CaWorld,
        *,
        name: str | None = None,
        tls: bool = True,
        identity: Identity | None = None,
        alpn: tuple[str, ...] = ("http/1.1",),
        address: str = "127.0.0.1",
        port: int = 0,
        context: ssl.SSLContext | None = None,
    ):
        self.name = name or unique_name("origin")
        self.tls = tls
        self.identity = identity or (worlds.identity(self.name) if tls else None)
        self.context = context or (server_context(self.identity, alpn=alpn) if tls else None)
        if self.context:
            self.context.sni_callback = self._note_server_name
        self.visits: list[Visit] = []
        self.failures: list[BaseException] = []
        self._noted = threading.local()
        self._sockets: set[socket.socket] = set()
        self._closing = False
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family, backlog=512)
        self.address, self.port = self._listener.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def authority(self) -> str:
        return f"{self.name}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.authority}"

    @property
    def requests(self) -> list[Message]:
        return [request for visit in list(self.visits) for request in visit.requests]

    def visit(self, number: int = 0) -> Visit:
        """The connection of that number, once its handshake is done."""
        eventually(lambda: len(self.visits) > number and self.visits[number].stream)
        return self.visits[number]

    def serve(self, stream: Stream, visit: Visit) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._closing = True
        try:
            self._listener.shutdown(socket.SHUT_RDWR)  # close() alone leaves accept() waiting
        except OSError:
            pass
        self._listener.close()
        for sock in list(self._sockets):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        assert not self.failures, f"{self.name}'s script failed: {self.failures!r}"

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            visit = Visit(len(self.visits))
            self.visits.append(visit)
            self._sockets.add(sock)
            threading.Thread(target=self._visit, args=(sock, visit), daemon=True).start()

    def _visit(self, sock: socket.socket, visit: Visit) -> None:
        try:
            if not self._open(sock, visit):
                return
            self.serve(visit.stream, visit)
            visit.stream.close()
        except (OSError, EOFError):
            pass  # the other side went away; what that means is for the test to say
        except BaseException as error:
            if not self._closing:
                self.failures.append(error)
        finally:
            self._sockets.discard(sock)
            sock.close()
            visit.done.set()

    def _open(self, sock: socket.socket, visit: Visit) -> bool:
        if not self.tls:
            visit.stream = Stream(sock)
            return True
        self._noted.name = None
        try:
            stream = TlsStream(sock, self.context, server_side=True)
        except (ssl.SSLError, OSError):
            return False
        visit.server_name = self._noted.name
        visit.alpn, visit.version, visit.resumed = stream.alpn, stream.version, stream.resumed
        visit.stream = stream
        return True

    def _note_server_name(self, _engine, name: str | None, _context) -> None:
        self._noted.name = name


class ScriptedOrigin(Origin):
    """The script gets each connection's stream and writes and reads what it likes; a clean close follows it."""

    def __init__(self, worlds: CaWorld, script: Script, **options):
        self._script = script
        super().__init__(worlds, **options)

    def serve(self, stream: Stream, visit: Visit) -> None:
        self._script(stream, visit)


# Scripts


def answering(answer: Callable[[Message], bytes] | bytes) -> Script:
    """A well-behaved HTTP/1.1 server: for each request the bytes of `answer`, until either side closes."""

    def script(stream: Stream, visit: Visit) -> None:
        persistent = True
        while persistent and (first := stream.read()):
            stream.unread(first)
            request = read_head(stream)
            if (request.get("expect") or "").lower() == "100-continue":
                stream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            read_content(stream, request)
            visit.requests.append(request)
            stream.send(answer(request) if callable(answer) else answer)
            persistent = request.start.endswith("1.1") and "close" not in (request.get("connection") or "").lower()

    return script


def once(answer: bytes) -> Script:
    """Reads one request, sends `answer`, and leaves the close to whoever closes after it."""

    def script(stream: Stream, visit: Visit) -> None:
        visit.requests.append(read_request(stream))
        stream.send(answer)

    return script


def response(
    body: bytes = b"", *, status: str = "200 OK", fields: str = "Content-Type: text/plain\r\n", length: bool = True
) -> bytes:
    head = f"HTTP/1.1 {status}\r\n{fields}" + (f"Content-Length: {len(body)}\r\n" if length else "")
    return head.encode() + b"\r\n" + body


def chunked(*chunks: bytes, trailers: str = "") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in chunks) + b"0\r\n" + trailers.encode() + b"\r\n"


def echo(request: Message) -> bytes:
    """The request's raw head and content as the response's content."""
    return response(b"" if request.method == "HEAD" else request.head + request.body)
