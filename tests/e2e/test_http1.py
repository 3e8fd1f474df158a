"""HTTP/1.1 as it is written on the wire (RFC 9112): pipelining, persistence, targets, hop-by-hop fields, heads."""

import pytest
from harness import (
    End,
    Stream,
    answering,
    chunked,
    dial,
    echo,
    get,
    read_head,
    read_response,
    response,
    send_request,
    tls_through,
)


def answer_target(request):
    return response(request.target.encode())


@pytest.fixture
def origin(scripted):
    """Answers with the request target."""
    return scripted(answering(answer_target))


@pytest.fixture
def plain(scripted):
    """Answers with the raw request, over plain TCP."""
    return scripted(answering(echo), tls=False)


def ask_plain(gateway, lines: str, method: str = "GET"):
    """A request to the proxy itself, `lines` joined by CRLF."""
    stream = Stream(dial(gateway))
    stream.send(lines.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    return stream, read_response(stream, method)


# Persistence and pipelining


def test_pipelined_requests_are_answered_in_their_order(gateway, origin):
    stream = tls_through(gateway, origin)
    stream.send(
        b"".join(f"GET /{number} HTTP/1.1\r\nHost: {origin.authority}\r\n\r\n".encode() for number in range(20))
    )
    assert [read_response(stream).body for _ in range(20)] == [f"/{number}".encode() for number in range(20)]
    assert [request.target for request in origin.requests] == [f"/{number}" for number in range(20)]
    records = gateway.wait_for(origin.name, kind="exchange", count=20)
    assert [record["path"] for record in records] == [f"/{number}" for number in range(20)]


def test_pipelined_requests_with_content_keep_their_borders(gateway, scripted):
    origin = scripted(answering(lambda request: response(request.body)))
    stream = tls_through(gateway, origin)
    one = f"POST /1 HTTP/1.1\r\nHost: {origin.authority}\r\nContent-Length: 5\r\n\r\nfirst"
    two = f"POST /2 HTTP/1.1\r\nHost: {origin.authority}\r\nTransfer-Encoding: chunked\r\n\r\n"
    three = f"GET /3 HTTP/1.1\r\nHost: {origin.authority}\r\n\r\n"
    stream.send(one.encode() + two.encode() + chunked(b"sec", b"ond") + three.encode())
    assert [read_response(stream).body for _ in range(3)] == [b"first", b"second", b""]
    records = gateway.wait_for(origin.name, kind="exchange", count=3)
    assert [record["request_bytes"] for record in records] == [5, 6, 0]


@pytest.mark.parametrize("way", ["tls", "absolute"])
def test_pipelined_requests_are_all_answered_after_the_client_has_half_closed(gateway, scripted, way):
    """It has said all that it will ask; it still listens (RFC 9112 §9.6)."""
    origin = scripted(answering(lambda request: response(request.body)), tls=way == "tls")
    stream = tls_through(gateway, origin) if way == "tls" else Stream(dial(gateway))
    target = f"{origin.url}/" if way == "absolute" else "/"
    head = f"POST {target} HTTP/1.1\r\nHost: {origin.authority}\r\n".encode()
    stream.send(head + b"Content-Length: 3\r\n\r\none" + head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b"two"))
    stream.half_close()
    assert [read_response(stream).body for _ in range(2)] == [b"one", b"two"]
    assert stream.read_to_end() == b""


def test_a_request_cut_anywhere_is_one_request(gateway, origin):
    stream = tls_through(gateway, origin)
    for byte in f"GET /slow HTTP/1.1\r\nHost: {origin.authority}\r\n\r\n".encode():
        stream.send(bytes([byte]))
    assert read_response(stream).body == b"/slow"
    assert gateway.exchange(origin.name)["path"] == "/slow"


def test_connection_close_from_the_client_closes_after_the_response(gateway, origin):
    stream = tls_through(gateway, origin)
    assert get(stream, origin.authority, "/last", "Connection: close").body == b"/last"
    assert stream.read_to_end() == b"" and stream.end is End.CLOSE_NOTIFY


def test_connection_close_from_the_origin_closes_the_client_s_connection_too(gateway, scripted):
    origin = scripted(answering(response(b"bye", fields="Connection: close\r\n")))
    stream = tls_through(gateway, origin)
    send_request(stream, origin.authority)
    head = read_head(stream)
    assert head.get("connection") == "close" and stream.read_exactly(3) == b"bye"
    assert origin.visit() and gateway.exchange(origin.name)["state"] == "complete"
    assert stream.read_to_end() == b"" and stream.end is End.CLOSE_NOTIFY


def test_http_1_0_with_keep_alive_is_no_error(gateway, plain):
    stream = Stream(dial(gateway))
    stream.send(f"GET {plain.url}/ HTTP/1.0\r\nHost: {plain.authority}\r\nConnection: keep-alive\r\n\r\n".encode())
    assert read_response(stream).status == 200
    assert gateway.exchange(plain.name)["http"] == "1.0"


# Targets


def test_absolute_form_inside_tls_is_understood(gateway, origin):
    """A server must accept it (RFC 9112 §3.2.2)."""
    stream = tls_through(gateway, origin)
    assert get(stream, origin.authority, f"{origin.url}/absolute").status == 200
    assert gateway.exchange(origin.name)["path"] == "/absolute"


def test_a_host_that_contradicts_the_target_is_refused(gateway, plain):
    _, answer = ask_plain(gateway, f"GET {plain.url}/ HTTP/1.1\nHost: other.test")
    assert answer.status == 400
    assert not plain.requests


def test_options_for_the_whole_server(gateway, origin):
    stream = tls_through(gateway, origin)
    assert get(stream, origin.authority, "*", method="OPTIONS").body == b"*"


def test_options_by_absolute_form_without_a_path_is_for_the_whole_server(gateway, plain):
    """RFC 9112 §3.2.4: the last proxy sends `*`."""
    _, answer = ask_plain(gateway, f"OPTIONS {plain.url} HTTP/1.1\nHost: {plain.authority}", "OPTIONS")
    assert answer.body.startswith(b"OPTIONS * HTTP/1.1\r\n")


def test_an_empty_path_is_a_slash(gateway, plain):
    _, answer = ask_plain(gateway, f"GET {plain.url}?key=value HTTP/1.1\nHost: {plain.authority}")
    assert answer.body.startswith(b"GET /?key=value HTTP/1.1\r\n")


@pytest.mark.parametrize("target", ["/%2e%2e/a%00?b=%0d%0a", "//double//slash", "/a;b=c/?d?e=/", "/a?"])
def test_a_target_is_passed_on_byte_by_byte(gateway, origin, target):
    assert get(tls_through(gateway, origin), origin.authority, target).body == target.encode()


# Fields


def test_hop_by_hop_fields_for_the_proxy_are_dropped_and_the_rest_stays(gateway, plain):
    stream, answer = ask_plain(
        gateway,
        f"GET {plain.url}/ HTTP/1.1\nHost: {plain.authority}\nProxy-Connection: keep-alive\n"
        "Proxy-Authorization: Basic c2VjcmV0\nX-Keep: yes",
    )
    assert answer.body == f"GET / HTTP/1.1\r\nHost: {plain.authority}\r\nX-Keep: yes\r\n\r\n".encode()


def test_no_marks_of_our_own_are_added(gateway, plain):
    _, answer = ask_plain(gateway, f"GET {plain.url}/ HTTP/1.1\nHost: {plain.authority}")
    sent = answer.body.lower()
    assert not [name for name in (b"via:", b"forwarded", b"x-", b"connection:") if name in sent]
    assert [name for name, _ in answer.fields] == ["Content-Type", "Content-Length"]


def test_repeated_and_odd_fields_come_through(gateway, plain):
    lines = ["Cookie: a=1", "Cookie: b=2", "X-Empty:", "x-UTF: \u00e4\u00f6", "X-Tab: a\tb", "!#$%&'*+-.^_`|~: token"]
    _, answer = ask_plain(gateway, "\n".join([f"GET {plain.url}/ HTTP/1.1", f"Host: {plain.authority}", *lines]))
    received = answer.body.decode().split("\r\n")[2:-2]
    assert [line.replace(": ", ":") for line in received] == [line.replace(": ", ":") for line in lines]


def test_a_head_of_sixty_kilobytes_is_fine_and_one_of_a_hundred_is_431(gateway, scripted):
    origin = scripted(answering(lambda request: response(str(len(request.head)).encode())))
    fields = [f"X-{number}: {'v' * 990}" for number in range(59)]
    stream = tls_through(gateway, origin)
    assert int(get(stream, origin.authority, "/", *fields).body) > 58_000
    send_request(stream, origin.authority, "/", *fields, *fields)
    assert read_response(stream).status == 431
    assert len(origin.requests) == 1


def test_a_method_that_nobody_knows_is_the_origin_s_business(gateway, scripted):
    origin = scripted(answering(lambda request: response(request.method.encode())))
    assert get(tls_through(gateway, origin), origin.authority, method="BREW").body == b"BREW"
    assert gateway.exchange(origin.name)["method"] == "BREW"
