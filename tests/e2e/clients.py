"""Clients: a CONNECT by hand, TLS inside it, and what lets programs without proxy support go through the gateway."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from certificates import client_context
from gateway import Gateway, spawn
from h2peer import H2Peer
from streams import TIMEOUT_S, Message, Stream, TlsStream, read_response

PROCESS_TIMEOUT_S = 90


def dial(gateway: Gateway, timeout: float = TIMEOUT_S) -> socket.socket:
    sock = socket.create_connection(gateway.proxy, timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def connect_answer(gateway: Gateway, authority: str, *fields: str) -> tuple[Stream, Message]:
    """CONNECT (RFC 9110 §9.3.6): the connection and what the gateway answered."""
    stream = Stream(dial(gateway))
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}", *fields, "", ""]
    stream.send("\r\n".join(lines).encode())
    return stream, read_response(stream, "HEAD")


def connect(gateway: Gateway, authority: str, *fields: str) -> Stream:
    """A tunnel: what is inside goes to `authority`."""
    stream, answer = connect_answer(gateway, authority, *fields)
    assert answer.status == 200, f"CONNECT {authority}: {answer.start}"
    return stream


def tls_inside(
    gateway: Gateway,
    tunnel: Stream,
    server_name: str | None,
    *,
    alpn: tuple[str, ...] = ("http/1.1",),
    trust: Path | None | str = "gateway",
    **options,
) -> TlsStream:
    """A TLS handshake inside the tunnel. Trusts the gateway's CA; with None any certificate."""
    versions = {name: options.pop(name) for name in ("minimum", "maximum") if name in options}
    context = options.pop("context", None) or client_context(
        gateway.ca_file if trust == "gateway" else trust, alpn=alpn, **versions
    )
    if server_name is None:
        context.check_hostname = False
    return TlsStream(tunnel.sock, context, server_name=server_name, **options)


def tls_through(gateway: Gateway, origin, *, server_name: str | None = "", **options) -> TlsStream:
    """CONNECT to `origin` (anything with name and authority) and the TLS handshake."""
    tunnel = connect(gateway, origin.authority)
    return tls_inside(gateway, tunnel, origin.name if server_name == "" else server_name, **options)


def get(
    stream: Stream, authority: str, path: str = "/", *fields: str, method: str = "GET", body: bytes = b""
) -> Message:
    """One HTTP/1.1 request, and its final response."""
    send_request(stream, authority, path, *fields, method=method, body=body)
    return read_response(stream, method)


def send_request(
    stream: Stream, authority: str, path: str = "/", *fields: str, method: str = "GET", body: bytes = b""
) -> None:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {authority}", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    stream.send("\r\n".join([*lines, "", ""]).encode() + body)


def h2_through(gateway: Gateway, origin, **options) -> H2Peer:
    """An HTTP/2 connection to `origin`."""
    stream = tls_through(gateway, origin, alpn=("h2", "http/1.1"))
    assert stream.alpn == "h2", stream.alpn
    return H2Peer(stream, client=True, **options)


class ConnectForwarder:
    """A local port; each connection to it becomes a CONNECT to `authority` through the gateway (nghttp and h2load have
    no proxy support)."""

    def __init__(self, gateway: Gateway, authority: str):
        self._gateway, self._authority = gateway, authority
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> ConnectForwarder:
        return self

    def __exit__(self, *_) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(sock,), daemon=True).start()

    def _forward(self, sock: socket.socket) -> None:
        with sock:
            tunnel = connect(self._gateway, self._authority)
            with tunnel.sock:
                splice(sock, tunnel.sock)


def splice(one: socket.socket, other: socket.socket) -> None:
    """Copies both ways until both directions have ended; an end is passed on, a reset too."""
    towards = {one: other, other: one}
    for sock in (one, other):
        sock.settimeout(PROCESS_TIMEOUT_S)
    while towards:
        ready, _, _ = select.select(list(towards), [], [], PROCESS_TIMEOUT_S)
        if not ready:
            return
        for source in ready:
            try:
                data = source.recv(65536)
                if data:
                    towards[source].sendall(data)
                    continue
                towards.pop(source).shutdown(socket.SHUT_WR)
            except OSError:
                return


@dataclass
class Curled:
    """What a curl did. `facts` are its -w variables."""

    code: int
    body: bytes
    error: str
    facts: dict[str, str]

    @property
    def status(self) -> int:
        return int(self.facts["http_code"])


WRITE_OUT = "\n".join(
    f"{name} %{{{name}}}"
    for name in (
        "http_code",
        "http_version",
        "http_connect",
        "num_connects",
        "size_download",
        "size_upload",
        "ssl_verify_result",
    )
)


def run(
    command: list, *, check: bool = True, timeout: float = PROCESS_TIMEOUT_S, **options
) -> subprocess.CompletedProcess:
    """A program to its end, in a process group that does not outlive the deadline."""
    process = spawn(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    try:
        output, error = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, error = process.communicate()
        raise AssertionError(f"{command[0]} did not end within {timeout} s:\n{output!r}\n{error!r}") from None
    done = subprocess.CompletedProcess(command, process.returncode, output, error)
    if check:
        assert (
            done.returncode == 0
        ), f"{command}: exit code {done.returncode}\n{output[-2000:]!r}\n{error[-4000:].decode()}"
    return done


def curl(gateway: Gateway, *arguments, check: bool = True) -> Curled:
    """curl through the gateway, trusting the gateway's CA and nothing else."""
    command = [
        "curl",
        "--silent",
        "--show-error",
        "--proxy",
        gateway.proxy_url,
        "--noproxy",
        "",
        "--cacert",
        gateway.ca_file,
        "--max-time",
        "40",
        "--write-out",
        "%{stderr}\n@@\n" + WRITE_OUT,
        *arguments,
    ]
    done = run(command, check=check)
    error, _, facts = done.stderr.decode().rpartition("\n@@\n")
    return Curled(done.returncode, done.stdout, error, dict(re.findall(r"^(\w+) (.*)$", facts, re.M)))
