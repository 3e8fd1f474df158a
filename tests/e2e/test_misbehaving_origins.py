"""Origins that break off, stall and surprise: the client sees what the origin did, never a tidied version of it,
and the record says so."""

import socket
import threading
import time

import pytest
from harness import (
    CANCEL,
    HTTP_1_1_REQUIRED,
    INTERNAL_ERROR,
    End,
    Ended,
    H2Peer,
    Reset,
    answering,
    chunked,
    curl,
    eventually,
    get,
    h2_through,
    read_content,
    read_head,
    read_request,
    response,
    send_request,
    tls_through,
)

HEAD_100 = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"


def after_request(action):
    """A script: reads one request, then `action(stream)`."""

    def script(stream, visit):
        visit.requests.append(read_request(stream))
        action(stream)

    return script


def sending(data: bytes, ending: str):
    """Sends, then ends the connection by `close` (close_notify, FIN), `fin` (no close_notify) or `reset`."""

    def action(stream):
        stream.send(data)
        if ending == "fin":
            stream.fin()
            stream.read_to_end()
            stream.sock.close()
        elif ending == "reset":
            time.sleep(0.2)  # so that the bytes are not lost in front of the reset; nothing is asserted about the time
            stream.reset()

    return after_request(action)


# Truncation

TRUNCATED = [
    pytest.param(HEAD_100 + b"only this", b"only this", id="content-length"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n", b"only this", id="chunked"
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\nonly this", b"only this", id="inside-a-chunk"
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n0\r\n",
        b"only this",
        id="before-the-trailer-section-ends",
    ),
]


@pytest.mark.parametrize("ending", ["close", "fin", "reset"])
@pytest.mark.parametrize("wire, content", TRUNCATED)
def test_a_truncated_response_stays_truncated(gateway, scripted, wire, content, ending):
    origin = scripted(sending(wire, ending))
    stream = tls_through(gateway, origin)
    send_request(stream, origin.authority)
    head = read_head(stream)
    assert head.status == 200
    rest = stream.read_to_end()
    assert content in rest
    assert not rest.endswith(b"0\r\n\r\n"), "the gateway finished what the origin had not"
    assert stream.end is not None
    record = gateway.exchange(origin.name)
    assert (record["status"], record["response_bytes"]) == (200, len(content))
    assert record["state"] == ("reset" if ending == "reset" else "truncated"), record
    assert record["error"], "a sentence says whose side failed"


@pytest.mark.parametrize("wire, content", TRUNCATED[:2])
def test_a_reset_stays_a_reset(gateway, scripted, wire, content):
    origin = scripted(sending(wire, "reset"))
    stream = tls_through(gateway, origin)
    send_request(stream, origin.authority)
    read_head(stream)
    stream.read_to_end()
    assert stream.end is End.RESET


@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
def test_curl_calls_a_truncated_download_an_error(gateway, scripted, tls):
    origin = scripted(sending(HEAD_100 + b"only this", "fin"), tls=tls)
    answer = curl(gateway, "--http1.1", origin.url, check=False)
    assert answer.code in (18, 56) and answer.body == b"only this"


# Content until close


def test_content_until_close_with_close_notify_is_complete(gateway, scripted):
    origin = scripted(sending(b"HTTP/1.1 200 OK\r\n\r\nall of it", "close"))
    stream = tls_through(gateway, origin)
    answer = get(stream, origin.authority)
    assert (answer.body, answer.end) == (b"all of it", End.CLOSE_NOTIFY)
    record = gateway.exchange(origin.name)
    assert (record["response_bytes"], record["state"]) == (9, "complete")


def test_content_until_close_without_close_notify_is_passed_on_without_it(gateway, scripted):
    """Only the client can judge whether that is truncation (RFC 9112 §9.8): it must see that no close_notify came."""
    origin = scripted(sending(b"HTTP/1.1 200 OK\r\n\r\nperhaps all", "fin"))
    stream = tls_through(gateway, origin)
    answer = get(stream, origin.authority)
    assert (answer.body, answer.end) == (b"perhaps all", End.FIN)
    assert gateway.exchange(origin.name)["state"] == "truncated"


def test_content_until_close_that_is_reset_is_reset(gateway, scripted):
    origin = scripted(sending(b"HTTP/1.1 200 OK\r\n\r\nnot all", "reset"))
    stream = tls_through(gateway, origin)
    answer = get(stream, origin.authority)
    assert (answer.body, answer.end) == (b"not all", End.RESET)
    assert gateway.exchange(origin.name)["state"] == "reset"


# No response


@pytest.mark.parametrize("ending", ["close", "fin", "reset"])
def test_an_origin_that_ends_without_a_word(gateway, scripted, ending):
    """The client may be told (502) or see the connection end, but must not get a success; nothing is retried."""
    origin = scripted(sending(b"", ending))
    stream = tls_through(gateway, origin)
    send_request(stream, origin.authority, method="POST", body=b"once")
    answer = stream.read_to_end()
    assert not answer or answer.startswith(b"HTTP/1.1 502 "), answer
    record = gateway.exchange(origin.name)
    assert record["status"] in (0, 502) and record["state"] in ("truncated", "reset", "refused") and record["error"]
    assert sum(len(visit.requests) for visit in origin.visits) == 1, "a POST is not sent twice"


@pytest.mark.parametrize(
    "wire",
    [
        b"HTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/3.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, identity\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n c: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"\x16\x03\x01\x00\x05hello",
        b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"a" * 200_000 + b"\r\n\r\n",
    ],
    ids=[
        "protocol",
        "four-digits",
        "letters",
        "version",
        "two-lengths",
        "negative",
        "both-lengths",
        "space-before-colon",
        "odd-coding",
        "obs-fold",
        "nul",
        "bare-lf",
        "binary",
        "endless-head",
    ],
)
def test_a_malformed_response_is_a_502_and_its_connection_is_thrown_away(gateway, scripted, wire):
    def script(stream, visit):
        visit.requests.append(read_request(stream))
        stream.send(wire)
        stream.read_to_end()  # the gateway ends it

    origin = scripted(script)
    stream = tls_through(gateway, origin)
    answer = get(stream, origin.authority)
    assert answer.status == 502
    record = gateway.exchange(origin.name)
    assert record["error"] and record["status"] in (0, 502)
    assert origin.visits[0].done.wait(15), "the connection to the origin was kept"
    assert len(origin.visits) == 1


def test_a_bad_chunk_in_the_middle_ends_the_response(gateway, scripted):
    origin = scripted(
        after_request(
            lambda stream: (
                stream.send(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0x5\r\nworld\r\n0\r\n\r\n"
                ),
                stream.read_to_end(),
            )
        )
    )
    stream = tls_through(gateway, origin)
    send_request(stream, origin.authority)
    received = stream.read_to_end()  # where the connection is reset, even the head may be lost on its way
    assert b"world" not in received and not received.endswith(b"0\r\n\r\n")
    record = gateway.exchange(origin.name)
    assert record["state"] != "complete" and record["error"]


def test_bytes_after_a_response_are_never_taken_for_the_next_one(gateway, scripted):
    """Response smuggling: the second response was there before its request."""

    def script(stream, visit):
        visit.requests.append(read_request(stream))
        stream.send(response(b"first") + response(b"smuggled"))
        try:
            visit.requests.append(read_request(stream))
            stream.send(response(b"second"))
        except Ended:
            pass

    origin = scripted(script)
    stream = tls_through(gateway, origin)
    assert get(stream, origin.authority, "/1").body == b"first"
    try:
        assert get(stream, origin.authority, "/2").body != b"smuggled"
    except (Ended, OSError):
        pass  # the connection was thrown away: as good


# Early and interim responses


def test_an_early_answer_reaches_the_client_before_it_has_sent_its_content(gateway, scripted):
    def script(stream, visit):
        read_head(stream)
        stream.send(response(b"too large", status="413 Content Too Large", fields="Connection: close\r\n"))
        stream.half_close()
        stream.read_to_end()

    origin = scripted(script)
    stream = tls_through(gateway, origin)
    stream.send(f"POST / HTTP/1.1\r\nHost: {origin.authority}\r\nContent-Length: 1000000\r\n\r\nstart".encode())
    head = read_head(stream)
    assert head.status == 413 and stream.read_exactly(9) == b"too large"
    stream.close()
    record = gateway.exchange(origin.name)
    assert record["status"] == 413 and 0 < record["request_bytes"] < 1_000_000


def test_an_early_success_does_not_stop_the_upload(gateway, scripted):
    """A 200 may come while content is still on its way; the rest still has to arrive (RFC 9112 §9.3)."""
    whole = threading.Event()

    def script(stream, visit):
        request = read_head(stream)
        stream.send(response(b"already"))
        read_content(stream, request)
        visit.requests.append(request)
        whole.set()

    origin = scripted(script)
    stream = tls_through(gateway, origin)
    stream.send(f"POST / HTTP/1.1\r\nHost: {origin.authority}\r\nContent-Length: 200000\r\n\r\n".encode())
    assert read_head(stream).status == 200 and stream.read_exactly(7) == b"already"
    stream.send(b"x" * 200_000)
    assert whole.wait(15) and len(origin.requests[0].body) == 200_000


def test_h2_an_early_answer_with_no_error_reset_is_passed_on(gateway, h2_origin):
    """RFC 9113 §8.1: a server may answer and then RST_STREAM(NO_ERROR) to stop the upload."""

    def script(stream):
        stream.head([(":status", "413")], end=False)
        stream.send(b"too large", end=True)
        stream.reset(0)

    origin = h2_origin(script)
    client = h2_through(gateway, origin)
    stream = client.request(
        [(":method", "POST"), (":scheme", "https"), (":authority", origin.authority), (":path", "/")], end=False
    )
    assert stream.response().status == 413
    assert stream.read_to_end() == b"too large" or stream.reset_code == 0
    assert gateway.exchange(origin.name)["status"] == 413


def test_interim_responses_are_passed_on_in_order(gateway, scripted):
    def action(stream):
        stream.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        stream.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
        stream.send(b"HTTP/1.1 103 Early Hints\r\nLink: </script.js>; rel=preload\r\n\r\n" + response(b"final"))

    origin = scripted(after_request(action))
    stream = tls_through(gateway, origin)
    send_request(stream, origin.authority)
    heads = [read_head(stream) for _ in range(4)]
    assert [head.status for head in heads] == [102, 103, 103, 200]
    assert [head.get("link") for head in heads[1:3]] == ["</style.css>; rel=preload", "</script.js>; rel=preload"]
    assert gateway.exchange(origin.name)["status"] == 200


def test_h2_interim_responses_are_passed_on(gateway, h2_origin):
    def script(stream):
        stream.read_to_end()
        stream.head([(":status", "103"), ("link", "</style.css>; rel=preload")])
        stream.head([(":status", "200")])
        stream.send(b"final", end=True)

    origin = h2_origin(script)
    stream = h2_through(gateway, origin).get(origin.authority).response()
    assert (stream.status, stream.read_to_end()) == (200, b"final")
    assert stream.interim == [[(":status", "103"), ("link", "</style.css>; rel=preload")]]


def test_an_uninvited_101_is_no_tunnel(gateway, scripted):
    def script(stream, visit):
        visit.requests.append(read_request(stream))
        stream.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nfree bytes")
        stream.read_to_end()

    origin = scripted(script)
    stream = tls_through(gateway, origin)
    answer = get(stream, origin.authority)
    assert answer.status == 502
    assert b"free bytes" not in stream.received


def test_an_invited_101_is_a_tunnel_in_both_directions(gateway, scripted):
    def script(stream, visit):
        visit.requests.append(read_request(stream))
        stream.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
        while data := stream.read():
            stream.send(data)

    origin = scripted(script)
    stream = tls_through(gateway, origin)
    send_request(stream, origin.authority, "/", "Connection: Upgrade", "Upgrade: echo")
    assert read_head(stream).status == 101
    for message in (b"one", b"two" * 10_000):
        stream.send(message)
        assert stream.read_exactly(len(message)) == message
    stream.close()
    record = gateway.exchange(origin.name)
    assert (record["status"], record["request_bytes"], record["response_bytes"]) == (101, 30_003, 30_003)


# Trailers


def test_trailers_come_through_as_they_are(gateway, scripted):
    wire = chunked(b"content", trailers="X-Checksum: 1\r\nx-ODD-case: 2\r\n")
    origin = scripted(
        after_request(
            lambda stream: stream.send(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Checksum\r\n\r\n" + wire
            )
        )
    )
    answer = get(tls_through(gateway, origin), origin.authority)
    assert (answer.body, answer.trailers) == (b"content", [("X-Checksum", "1"), ("x-ODD-case", "2")])


def test_request_trailers_come_through(gateway, scripted):
    origin = scripted(answering(response(b"ok")))
    stream = tls_through(gateway, origin)
    stream.send(
        f"POST / HTTP/1.1\r\nHost: {origin.authority}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        + chunked(b"content", trailers="X-Sum: 7\r\n")
    )
    assert read_head(stream).status == 200
    assert (origin.requests[0].body, origin.requests[0].trailers) == (b"content", [("X-Sum", "7")])


# HTTP/2


@pytest.mark.parametrize(
    "code",
    [INTERNAL_ERROR, CANCEL, 0x7, 0xB, HTTP_1_1_REQUIRED, 0x1234],
    ids=["INTERNAL_ERROR", "CANCEL", "REFUSED_STREAM", "ENHANCE_YOUR_CALM", "HTTP_1_1_REQUIRED", "unknown"],
)
def test_h2_a_stream_reset_keeps_its_code(gateway, h2_origin, code):
    def script(stream):
        stream.read_to_end()
        stream.reset(code)

    origin = h2_origin(script)
    stream = h2_through(gateway, origin).get(origin.authority)
    with pytest.raises(Reset) as caught:
        stream.response()
    assert caught.value.code == code
    record = gateway.exchange(origin.name)
    assert (record["status"], record["state"]) == (0, "reset")
    names = {INTERNAL_ERROR: "INTERNAL_ERROR", CANCEL: "CANCEL", 0x1234: "0x1234"}
    assert names.get(code, "") in record["error"], record


def test_h2_a_reset_in_the_middle_keeps_what_came_before_it(gateway, h2_origin):
    def script(stream):
        stream.read_to_end()
        stream.head([(":status", "200"), ("content-length", "100")])
        stream.send(b"only this")
        time.sleep(0.2)
        stream.reset(INTERNAL_ERROR)

    origin = h2_origin(script)
    stream = h2_through(gateway, origin).get(origin.authority).response()
    assert stream.read() == b"only this"
    with pytest.raises(Reset) as caught:
        stream.read()
    assert caught.value.code == INTERNAL_ERROR
    record = gateway.exchange(origin.name)
    assert (record["status"], record["response_bytes"], record["state"]) == (200, 9, "reset")


def test_h2_a_client_s_reset_reaches_the_origin_with_its_code(gateway, h2_origin):
    def script(stream):
        stream.head([(":status", "200")])
        stream.send(b"first")
        stream.read()  # ends by the reset

    origin = h2_origin(script)
    stream = h2_through(gateway, origin).request(
        [(":method", "POST"), (":scheme", "https"), (":authority", origin.authority), (":path", "/")], end=False
    )
    assert stream.response().read() == b"first"
    stream.reset(CANCEL)
    eventually(lambda: origin.streams[0].reset_code == CANCEL)
    record = gateway.exchange(origin.name)
    assert record["state"] == "interrupted" and "CANCEL" in record["error"]


def test_h2_goaway_lets_streams_in_flight_finish_and_new_requests_succeed(gateway, h2_origin):
    release = threading.Event()

    def script(stream):
        stream.read_to_end()
        if stream.get(":path") == "/slow":
            stream.peer.go_away(last_stream=stream.number)
            release.wait(15)
        stream.head([(":status", "200")])
        stream.send(stream.get(":path").encode(), end=True)

    origin = h2_origin(script)
    client = h2_through(gateway, origin)
    slow = client.get(origin.authority, "/slow")
    assert client.goaway_seen.wait(15), "the origin's GOAWAY is passed on"
    release.set()
    assert slow.response().read_to_end() == b"/slow"
    again = h2_through(gateway, origin)
    assert again.get(origin.authority, "/again").response().read_to_end() == b"/again"
    gateway.wait_for(origin.name, kind="exchange", count=2)


def test_h2_a_connection_lost_in_the_middle_resets_every_stream(gateway, h2_origin):
    ready = threading.Barrier(3, timeout=15)

    def script(stream):
        stream.read_to_end()
        stream.head([(":status", "200")])
        stream.send(b"first")
        ready.wait()

    origin = h2_origin(script)
    client = h2_through(gateway, origin)
    streams = [client.get(origin.authority, f"/{number}") for number in range(2)]
    for stream in streams:
        assert stream.response().read() == b"first"
    ready.wait()
    origin.peers[0].stream.reset()
    for stream in streams:
        with pytest.raises(Reset):
            stream.read()
    records = gateway.wait_for(origin.name, kind="exchange", count=2, where=lambda record: record["state"] != "open")
    assert all(record["state"] in ("reset", "truncated") and record["error"] for record in records)


def test_h2_trailers_and_empty_data_frames_are_kept(gateway, h2_origin):
    def script(stream):
        stream.read_to_end()
        stream.head([(":status", "200"), ("content-type", "application/grpc")])
        stream.send(b"content")
        stream.head([("grpc-status", "5"), ("grpc-message", "not there")], end=True)

    origin = h2_origin(script)
    stream = h2_through(gateway, origin).get(origin.authority).response()
    assert stream.read_to_end() == b"content"
    assert stream.trailers == [("grpc-status", "5"), ("grpc-message", "not there")]
    assert gateway.exchange(origin.name)["response_type"] == "application/grpc"


def test_h2_a_response_that_is_only_trailers(gateway, h2_origin):
    """gRPC's trailers-only: one field section that ends the stream."""

    def script(stream):
        stream.read_to_end()
        stream.head([(":status", "200"), ("grpc-status", "12")], end=True)

    origin = h2_origin(script)
    stream = h2_through(gateway, origin).get(origin.authority).response()
    assert stream.get("grpc-status") == "12" and stream.read_to_end() == b""


def test_an_origin_that_promises_h2_and_speaks_http_1_1(gateway, scripted):
    origin = scripted(lambda stream, visit: stream.send(response(b"surprise")), alpn=("h2",))
    stream = tls_through(gateway, origin, alpn=("h2", "http/1.1"))
    assert stream.alpn == "h2"
    client = H2Peer(stream, client=True)
    with pytest.raises((Reset, OSError)):
        client.get(origin.authority).response()
    client.join()
    assert client.closed and not client.failures
    connection = gateway.connection(origin.name)
    assert connection["error"], connection


# Slow origins


def test_a_response_that_drips_arrives_drop_by_drop(gateway, scripted):
    """Each byte is sent only when the client has seen the one before: whoever buffers stands still."""
    seen = threading.Semaphore(0)

    def action(stream):
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
        for number in range(20):
            stream.send(b"%c" % (ord("a") + number))
            assert seen.acquire(timeout=15)

    origin = scripted(after_request(action))
    stream = tls_through(gateway, origin)
    send_request(stream, origin.authority)
    assert read_head(stream).status == 200
    for number in range(20):
        assert stream.read_exactly(1) == b"%c" % (ord("a") + number)
        seen.release()


def test_a_head_that_drips_is_put_together(gateway, scripted):
    def action(stream):
        for byte in response(b"whole"):
            stream.send(bytes([byte]))

    origin = scripted(after_request(action))
    assert get(tls_through(gateway, origin), origin.authority).body == b"whole"


def test_an_origin_that_never_answers_is_given_up(start_gateway, scripted):
    gateway = start_gateway("limits.idle=1s")
    origin = scripted(after_request(lambda stream: stream.read_to_end()))
    stream = tls_through(gateway, origin)
    send_request(stream, origin.authority)
    answer = stream.read_to_end()
    assert not answer or answer.startswith(b"HTTP/1.1 504 "), answer
    record = gateway.exchange(origin.name)
    assert record["state"] != "complete" and record["error"]


def test_an_origin_that_never_shakes_hands_is_given_up(start_gateway, scripted):
    gateway = start_gateway("limits.upstream_connect=1s")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answer = curl(gateway, f"https://silent.test:{listener.getsockname()[1]}/", check=False)
    assert answer.code != 0
    connection = gateway.connection("silent.test")
    assert connection["treatment"] == "failed" and connection["error"]
