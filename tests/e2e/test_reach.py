"""Whom the gateway lets go where: the admin side, local addresses in every spelling, loops, and requests that no proxy
should take.
"""

import contextlib
import json
import socket
import subprocess
import threading

import pytest
from harness import Gateway, Stream, answering, connect_answer, curl, dial, read_response, response

# The admin side


def test_healthz_needs_no_token_and_metrics_do(gateway, scripted):
    origin = scripted(answering(response()))
    curl(gateway, origin.url)
    assert gateway.fetch_admin("/healthz")[0] == 200
    assert gateway.fetch_admin("/metrics")[0] in (401, 403)
    assert gateway.fetch_admin("/metrics", token="not-the-token")[0] in (401, 403)
    status, text = gateway.fetch_admin("/metrics", token=gateway.token)
    assert status == 200
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    assert samples and all(name.startswith("tollgate_") for name in samples)
    described = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP ")}
    typed = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    assert described == typed
    assert {name.split("{")[0] for name in samples} <= described
    accepted = [float(value) for name, value in samples.items() if "connections" in name and "accepted" in name]
    assert accepted and sum(accepted) >= 1


def test_the_admin_side_knows_its_paths_and_its_host(gateway):
    assert gateway.fetch_admin("/nowhere", token=gateway.token)[0] == 404
    with socket.create_connection(gateway.admin, 5) as sock:  # DNS rebinding: another name for our address
        stream = Stream(sock)
        stream.send(
            f"GET /metrics HTTP/1.1\r\nHost: evil.test\r\nAuthorization: Bearer {gateway.token}\r\n\r\n".encode()
        )
        assert read_response(stream).status in (400, 403, 421)


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/api/v1/exchanges"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "admin.test"])
def test_the_admin_side_cannot_be_reached_through_the_proxy(gateway, host, path):
    """admin.test resolves to 127.0.0.1, which upstream.resolve makes reachable: but not the gateway's own ports."""
    _, port = gateway.admin
    stream = Stream(dial(gateway))
    stream.send(f"GET http://{host}:{port}{path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
    answer = read_response(stream)
    assert answer.status in (403, 502), answer
    assert_no_way(gateway, f"{host}:{port}", f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())


def assert_no_way(gateway: Gateway, authority: str, hello: bytes) -> None:
    """CONNECT is refused, or leads nowhere: of what is said inside nothing is answered with a success."""
    stream, answer = connect_answer(gateway, authority)
    if answer.status != 200:
        assert 400 <= answer.status < 600
        return
    stream.send(hello)
    inside = stream.read_to_end()
    assert not inside or inside.split(b" ")[1][:1] in (b"4", b"5"), inside


# Where clients may not go. Nothing here is named by upstream.resolve, so nothing is reachable.

LOCAL = [
    "127.0.0.1",
    "127.0.0.2",
    "127.1",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0.0.0.0",
    "0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "localhost",
    "localhost.",
    "169.254.169.254",
    "[fe80::1]",
    "[::ffff:169.254.169.254]",
    "[fd00:ec2::254]",
    "224.0.0.1",
    "[ff02::1]",
    "255.255.255.255",
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    with Gateway(
        tmp_path_factory.mktemp("guarded") / "state",
        resolve=("unused.test=192.0.2.55",),
        settings=("limits.upstream_connect=2s",),
    ) as running:
        yield running


@pytest.fixture(scope="module")
def local_server():
    """Listens on every address; whoever gets through to it is heard."""
    heard = []
    listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)

    def accept():
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            heard.append(sock.getpeername())
            sock.close()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1], heard
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize("host", LOCAL)
def test_local_addresses_are_refused_in_every_spelling(guarded, local_server, host):
    port, heard = local_server
    request = f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    assert_no_way(guarded, f"{host}:{port}", request)
    stream = Stream(dial(guarded))
    stream.send(f"GET http://{host}:{port}/ HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    answer = read_response(stream)
    assert answer.status in (400, 403, 502, 504)
    assert not heard, "the connection was made"


def own_addresses() -> list[str]:
    out = subprocess.run(["ip", "-json", "address"], capture_output=True, check=True).stdout
    return [
        address["local"] for link in json.loads(out) for address in link["addr_info"] if address["scope"] == "global"
    ]


def test_the_gateway_s_own_addresses_are_refused(guarded, local_server):
    port, heard = local_server
    addresses = own_addresses()
    for address in addresses:
        host = f"[{address}]" if ":" in address else address
        assert_no_way(guarded, f"{host}:{port}", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert not heard


def test_a_name_that_resolves_to_loopback_is_refused_after_resolution(start_gateway, local_server):
    """With DNS of our own: a public-looking name whose address is 127.0.0.1 (DNS rebinding)."""
    port, heard = local_server
    with fake_dns("127.0.0.1") as dns:
        gateway = start_gateway(f'upstream.dns=["{dns}"]', resolve=("unused.test=192.0.2.55",))
        assert_no_way(gateway, f"rebound.example:{port}", b"GET / HTTP/1.1\r\nHost: rebound.example\r\n\r\n")
        answer = curl(gateway, f"http://rebound.example:{port}/", check=False)
        assert answer.status in (403, 502)
    assert not heard
    records = gateway.wait_for(
        "rebound.example", kind="connection", count=2, where=lambda each: each["closed"] is not None
    )
    assert all(each["treatment"] == "failed" and each["error"] for each in records)


@contextlib.contextmanager
def fake_dns(address: str):
    """Answers every A question with `address` and everything else with nothing."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                query, peer = sock.recvfrom(1500)
            except OSError:
                return
            if not query:
                return
            end = query.index(b"\0", 12) + 5
            is_a = query[end - 4 : end - 2] == b"\0\1"
            answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(address) if is_a else b""
            sock.sendto(
                query[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_a else b"\0\0") + b"\0\0\0\0" + query[12:end] + answer,
                peer,
            )

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"127.0.0.1:{sock.getsockname()[1]}"
    finally:
        waker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        waker.sendto(b"", sock.getsockname())
        waker.close()
        sock.close()


def test_a_loop_to_the_proxy_s_own_port_is_refused(gateway):
    """loop.test is 127.0.0.1, which upstream.resolve allows: but not our own listeners there."""
    before = gateway.descriptors()
    for host in ("loop.test", "127.0.0.1"):
        authority = f"{host}:{gateway.proxy[1]}"
        stream, answer = connect_answer(gateway, authority)
        if answer.status == 200:
            stream.send(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
            assert not stream.read_to_end().startswith(b"HTTP/1.1 200")
        stream.sock.close()
        plain = curl(gateway, f"http://{authority}/", check=False)
        assert plain.status in (403, 502, 508)
    assert gateway.descriptors() <= before + 2


def test_with_allow_loopback_the_own_ports_are_still_refused(start_gateway):
    gateway = start_gateway("upstream.allow_loopback=true", resolve=("unused.test=192.0.2.55",))
    for port in (gateway.proxy[1], gateway.admin[1]):
        assert_no_way(gateway, f"127.0.0.1:{port}", f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())


# What a proxy must read with care


@pytest.mark.parametrize(
    "request_line",
    [
        "CONNECT origin.test HTTP/1.1",
        "CONNECT origin.test:0 HTTP/1.1",
        "CONNECT origin.test:65536 HTTP/1.1",
        "CONNECT http://origin.test:443/ HTTP/1.1",
        "CONNECT user@origin.test:443 HTTP/1.1",
        "CONNECT :443 HTTP/1.1",
        "CONNECT [::1:443 HTTP/1.1",
        "CONNECT origin.test:https HTTP/1.1",
        "CONNECT a b:443 HTTP/1.1",
        "CONNECT origin.test:443 HTTP/2.0",
        "GET / HTTP/1.1",
        "GET * HTTP/1.1",
        "FOO",
        "",
    ],
)
def test_a_bad_proxy_request_is_answered_and_closed(gateway, request_line):
    stream = Stream(dial(gateway))
    stream.send(f"{request_line}\r\nHost: origin.test:443\r\n\r\n".encode())
    answer = read_response(stream, "GET")
    assert answer.status in (400, 404, 421, 501, 505), answer.start
    stream.read_to_end()
    assert stream.end is not None


def test_a_request_head_that_is_too_large_is_431(gateway):
    stream = Stream(dial(gateway))
    stream.send(b"GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\nX: " + b"a" * 100_000)
    assert read_response(stream).status == 431
