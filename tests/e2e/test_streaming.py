"""Nothing is buffered whole: first bytes pass at once, a stalled side stalls the other, memory stays flat.

"At once" is shown by order, not by time: the second event is sent only when the client has confirmed the first. Memory
is meaningful only for a release binary: TOLLGATE_RELEASE names one. TOLLGATE_SLOW=1 moves 2 GiB instead of 256 MiB.
"""

import os
import threading
import time

import pytest
from harness import (
    Ended,
    Gateway,
    Nginx,
    Reset,
    ScriptedOrigin,
    curl,
    eventually,
    h2_through,
    read_head,
    read_request,
    reply,
    response,
    send_request,
    tls_through,
)

MIB = 1024 * 1024
LARGE = 2048 * MIB if os.environ.get("TOLLGATE_SLOW") == "1" else 256 * MIB
MEMORY_LIMIT = 100 * MIB
ROUNDS = 10


def test_server_sent_events_pass_one_by_one(gateway, scripted):
    confirmed = threading.Semaphore(0)

    def script(stream, visit):
        visit.requests.append(read_request(stream))
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(ROUNDS):
            event = f"data: {number}\n\n".encode()
            stream.send(b"%x\r\n%s\r\n" % (len(event), event))
            assert confirmed.acquire(timeout=15), f"event {number} did not reach the client"
        stream.send(b"0\r\n\r\n")

    origin = scripted(script)
    stream = tls_through(gateway, origin)
    send_request(stream, origin.authority, "/events")
    assert read_head(stream).status == 200
    for number in range(ROUNDS):
        event = f"data: {number}\n\n".encode()
        assert stream.read_exactly(len(event) + 5) == b"%x\r\n%s\r\n" % (len(event), event)
        confirmed.release()
    assert stream.read_exactly(5) == b"0\r\n\r\n"
    record = gateway.exchange(origin.name)
    assert (record["response_type"], record["state"]) == ("text/event-stream", "complete")


def test_server_sent_events_pass_one_by_one_over_h2(gateway, h2_origin):
    confirmed = threading.Semaphore(0)

    def script(stream):
        stream.read_to_end()
        stream.head([(":status", "200"), ("content-type", "text/event-stream")])
        for number in range(ROUNDS):
            stream.send(b"data: %d\n\n" % number)
            assert confirmed.acquire(timeout=15), f"event {number} did not reach the client"
        stream.end()

    origin = h2_origin(script)
    stream = h2_through(gateway, origin).get(origin.authority, "/events").response()
    for number in range(ROUNDS):
        assert stream.read() == b"data: %d\n\n" % number
        confirmed.release()
    assert stream.read() == b""


def test_a_request_s_content_passes_as_it_comes(gateway, scripted):
    """The client sends each piece only when the origin has said that it has the one before."""
    seen = threading.Semaphore(0)

    def script(stream, visit):
        read_head(stream)
        for number in range(ROUNDS):
            assert stream.read_exactly(11) == b"6\r\npiece%d\r\n" % number
            seen.release()
        assert stream.read_exactly(5) == b"0\r\n\r\n"
        stream.send(response(b"all"))

    origin = scripted(script)
    stream = tls_through(gateway, origin)
    stream.send(f"POST / HTTP/1.1\r\nHost: {origin.authority}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    for number in range(ROUNDS):
        stream.send(b"6\r\npiece%d\r\n" % number)
        assert seen.acquire(timeout=15), f"piece {number} did not reach the origin"
    stream.send(b"0\r\n\r\n")
    assert read_head(stream).status == 200


def test_grpc_bidirectional_ping_pong(gateway, h2_origin):
    """Each side answers the other's last message, within one stream; trailers end it."""

    def script(stream):
        stream.head([(":status", "200"), ("content-type", "application/grpc")])
        while message := stream.read():
            stream.send(b"pong " + message)
        stream.head([("grpc-status", "0")], end=True)

    origin = h2_origin(script)
    client = h2_through(gateway, origin)
    stream = client.request(
        [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", origin.authority),
            (":path", "/echo.Echo/Talk"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ],
        end=False,
    )
    assert stream.response().status == 200, "the head comes before any content was sent"
    for number in range(ROUNDS):
        stream.send(b"%d" % number)
        assert stream.read() == b"pong %d" % number
    stream.end()
    assert stream.read() == b"" and stream.trailers == [("grpc-status", "0")]
    record = gateway.exchange(origin.name)
    assert (record["request_bytes"], record["response_bytes"]) == (ROUNDS, 6 * ROUNDS)


def test_an_extended_connect_carries_a_websocket(gateway, h2_origin):
    """RFC 8441: announced to the client once the origin has announced it, then a stream of bytes both ways."""

    def script(stream):
        assert stream.get(":protocol") == "websocket"
        stream.head([(":status", "200"), ("sec-websocket-protocol", "chat")])
        while message := stream.read():
            stream.send(message)
        stream.end()

    origin = h2_origin(script, settings={0x8: 1})
    client = h2_through(gateway, origin)
    eventually(lambda: client.announced(0x8) == 1)
    stream = client.request(
        [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":authority", origin.authority),
            (":path", "/chat?key=value"),
            ("sec-websocket-version", "13"),
        ],
        end=False,
    )
    assert stream.response().status == 200
    for number in range(ROUNDS):
        message = b"\x82\x85\0\0\0\0%5d" % number  # a binary frame, masked with nothing
        stream.send(message)
        assert stream.read() == message
    stream.end()
    assert stream.read() == b""
    record = gateway.exchange(origin.name)
    assert (record["status"], record["path"], record["query"]) == (200, "/chat", ["key"])
    assert (record["method"], record["request_bytes"], record["response_bytes"]) == (
        "CONNECT",
        11 * ROUNDS,
        11 * ROUNDS,
    )


def test_an_extended_connect_is_not_announced_for_an_origin_that_has_not(gateway, h2_origin):
    origin = h2_origin(reply(b"plain"))
    client = h2_through(gateway, origin)
    assert client.get(origin.authority).response().read_to_end() == b"plain"
    assert not client.announced(0x8)


# Back-pressure


def count_what_goes(send, chunk: bytes, progress: list[int]) -> None:
    """Sends until it cannot; progress[0] says how much went."""
    try:
        while progress[0] < LARGE:
            send(chunk)
            progress[0] += len(chunk)
    except (OSError, Reset, Ended):
        pass


def wait_until_stalled(progress: list[int], quiet_s: float = 1.0) -> int:
    """How much had gone when nothing more went for `quiet_s`."""
    deadline = time.monotonic() + 30
    last, since = progress[0], time.monotonic()
    while time.monotonic() - since < quiet_s or not last:
        assert time.monotonic() < deadline, f"still sending after {progress[0]} bytes"
        time.sleep(0.05)
        if progress[0] != last:
            last, since = progress[0], time.monotonic()
    return last


# The kernel's socket buffers on both sides hold some megabytes (tcp_wmem and tcp_rmem reach 4 and 6 MiB); what the
# gateway itself may hold of one stream is far less. Without back-pressure all of LARGE would go.
STALL_LIMIT = 32 * MIB


def test_a_client_that_does_not_read_stops_the_origin(gateway, scripted):
    progress = [0]

    def script(stream, visit):
        visit.requests.append(read_request(stream))
        stream.sock.settimeout(60)
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
        count_what_goes(stream.send, b"x" * 65536, progress)

    origin = scripted(script)
    stream = tls_through(gateway, origin)
    send_request(stream, origin.authority)
    assert read_head(stream).status == 200
    assert wait_until_stalled(progress) < STALL_LIMIT
    before = progress[0]
    stream.read_exactly(8 * MIB)
    eventually(lambda: progress[0] > before)  # it goes on when the client does
    stream.reset()


def test_an_origin_that_does_not_read_stops_the_client(gateway, scripted):
    release, progress = threading.Event(), [0]

    def script(stream, visit):
        read_head(stream)
        release.wait(60)
        stream.reset()

    origin = scripted(script)
    stream = tls_through(gateway, origin)
    stream.sock.settimeout(60)
    stream.send(f"PUT / HTTP/1.1\r\nHost: {origin.authority}\r\nContent-Length: {LARGE}\r\n\r\n".encode())
    thread = threading.Thread(target=count_what_goes, args=(stream.send, b"x" * 65536, progress), daemon=True)
    thread.start()
    assert wait_until_stalled(progress) < STALL_LIMIT
    release.set()
    thread.join(30)
    assert not thread.is_alive()


def test_h2_a_stalled_stream_stalls_only_itself(gateway, h2_origin):
    progress = [0]

    def script(stream):
        stream.read_to_end()
        stream.head([(":status", "200")])
        if stream.get(":path") == "/large":
            # send() returns what went when the windows stay shut.
            while (went := stream.send(b"x" * 16384, timeout=5)) == 16384 and progress[0] < LARGE:
                progress[0] += went
        else:
            stream.send(b"quick", end=True)

    origin = h2_origin(script)
    client = h2_through(gateway, origin, settings={0x4: 65_535})
    client.do(lambda h2c: h2c.increment_flow_control_window(16 * MIB))
    stalled = client.get(origin.authority, "/large").response()
    first = stalled.read(acknowledge=False)
    assert (
        wait_until_stalled(progress) < 4 * MIB
    ), "what a stalled h2 stream makes the gateway hold is bounded by windows"
    for _ in range(5):
        assert client.get(origin.authority, "/quick").response().read_to_end() == b"quick"
    assert first
    stalled.reset(8)


def test_h2_an_origin_s_stall_reaches_the_client_s_window(gateway, h2_origin):
    release = threading.Event()

    def script(stream):
        release.wait(30)
        stream.head([(":status", "200")], end=True)

    origin = h2_origin(script, settings={0x4: 1000})
    client = h2_through(gateway, origin)
    stream = client.request(
        [(":method", "PUT"), (":scheme", "https"), (":authority", origin.authority), (":path", "/")], end=False
    )
    sent = stream.send(b"x" * (16 * MIB), timeout=2)
    assert sent < 4 * MIB, "the gateway took what the origin had not"
    assert sent >= 1000
    release.set()
    stream.reset(8)


# Memory


@pytest.fixture(scope="module")
def release_gateway(tmp_path_factory, ca_world):
    binary = os.environ.get("TOLLGATE_RELEASE") or os.environ["TOLLGATE"]
    with Gateway(tmp_path_factory.mktemp("release") / "state", anchors=ca_world.root_file, binary=binary) as running:
        yield running


def check_memory(gateway: Gateway) -> None:
    if os.environ.get("TOLLGATE_RELEASE"):  # a sanitizer's own memory is many times the program's
        assert gateway.memory("VmHWM") < MEMORY_LIMIT, f"{gateway.memory('VmHWM') / MIB:.0f} MiB at its highest"


@pytest.fixture(scope="module")
def sparse(nginx: Nginx, tmp_path_factory):
    """LARGE bytes that take no disk: a file for nginx to serve and curl to send."""
    for path in (nginx.folder / "www/sparse.bin", tmp_path_factory.mktemp("sparse") / "sparse.bin"):
        with path.open("wb") as file:
            file.truncate(LARGE)
    return path


@pytest.mark.parametrize("server", ["h1", "h2", "plain"])
def test_a_large_download_keeps_memory_flat(release_gateway, nginx, sparse, server):
    before = release_gateway.memory()
    answer = curl(release_gateway, nginx.url(server, "/sparse.bin"), "-o", "/dev/null", "--max-time", "80")
    assert int(answer.facts["size_download"]) == LARGE
    assert release_gateway.exchange(nginx.names[server], path="/sparse.bin")["response_bytes"] == LARGE
    assert release_gateway.memory() - before < MEMORY_LIMIT
    check_memory(release_gateway)


def test_a_large_upload_keeps_memory_flat(release_gateway, ca_world, sparse):
    def script(stream, visit):
        request = read_head(stream)
        left = int(request.get("content-length"))
        while left:
            stream.received.clear()  # the origin's own memory
            left -= len(stream.read())
        stream.send(response(b"taken"))

    origin = ScriptedOrigin(ca_world, script)
    before = release_gateway.memory()
    answer = curl(release_gateway, "-T", sparse, "-H", "Expect:", origin.url, "--max-time", "80")
    assert answer.body == b"taken"
    assert release_gateway.exchange(origin.name)["request_bytes"] == LARGE
    assert release_gateway.memory() - before < MEMORY_LIMIT
    check_memory(release_gateway)
    origin.close()


def test_a_large_h2_upload_keeps_memory_flat(release_gateway, nginx, sparse):
    before = release_gateway.memory()
    answer = curl(release_gateway, "-T", sparse, nginx.url("h2", "/upload/sparse.bin"), "--max-time", "80")
    assert answer.status == 201 and (nginx.folder / "www/upload/sparse.bin").stat().st_size == LARGE
    (nginx.folder / "www/upload/sparse.bin").unlink()
    assert release_gateway.memory() - before < MEMORY_LIMIT
    check_memory(release_gateway)
