"""curl, the client that everyone starts with: what it gets through the gateway is what the origin sent, and the log
says what it did."""

import hashlib
import os

import pytest
from harness import (
    answering,
    chunked,
    curl,
    echo,
    free_port,
    once,
    read_content,
    read_head,
    reply,
    response,
    unique_name,
)

SECRET_QUERY = "?user=anna&session=6f1ed002"


def test_a_get_comes_back_whole_and_is_in_the_log(gateway, scripted):
    origin = scripted(answering(response(b"hello")))
    answer = curl(gateway, f"{origin.url}/greeting{SECRET_QUERY}", "-A", "curl-test/1")
    assert (answer.status, answer.body) == (200, b"hello")
    record = gateway.exchange(origin.name)
    expected = {
        "http": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": "/greeting",
        "query": ["user", "session"],
        "status": 200,
        "request_bytes": 0,
        "response_bytes": 5,
        "response_type": "text/plain",
        "user_agent": "curl-test/1",
        "action": "allowed",
        "rule": "",
        "state": "complete",
        "active": None,
    }
    assert {name: record[name] for name in expected} == expected
    assert record["host"] == origin.authority


def test_the_connection_record_tells_both_handshakes(gateway, scripted):
    origin = scripted(answering(response(b"hello")))
    curl(gateway, origin.url)
    connection = gateway.connection(origin.name)
    assert connection["treatment"] == "intercepted"
    assert connection["transport"] == "proxy"
    assert connection["destination"] == f"127.0.0.1:{origin.port}"
    assert (connection["tls_client"], connection["tls_upstream"]) == ("TLSv1.3", "TLSv1.3")
    assert "h2" in connection["alpn"] and "http/1.1" in connection["alpn"]
    assert connection["ja4"].startswith("t13d"), connection
    assert connection["bytes_up"] > 0 and connection["bytes_down"] > 5
    assert gateway.exchange(origin.name)["connection"] == connection["id"]


def test_the_origin_gets_field_lines_in_their_order_and_case_and_none_of_ours(gateway, scripted):
    origin = scripted(answering(response()))
    curl(gateway, origin.url, "-H", "X-ZeBra: 1", "-H", "aLPHA: 2", "-H", "X-ZeBra: 3", "-A", "c", "--http1.1")
    assert (
        origin.requests[0].head
        == (
            f"GET / HTTP/1.1\r\nHost: {origin.authority}\r\nUser-Agent: c\r\nAccept: */*\r\n"
            "X-ZeBra: 1\r\naLPHA: 2\r\nX-ZeBra: 3\r\n\r\n"
        ).encode()
    )


def test_the_client_gets_field_lines_in_their_order_and_case(gateway, scripted):
    fields = "X-B: 1\r\nsErVer: me\r\nX-A: 2\r\nX-B: 3\r\n"
    origin = scripted(answering(response(b"x", status="200 Very Fine", fields=fields)))
    answer = curl(gateway, origin.url, "--include", "--suppress-connect-headers")
    assert answer.body == f"HTTP/1.1 200 Very Fine\r\n{fields}Content-Length: 1\r\n\r\nx".encode()


def test_head_has_the_length_and_no_content(gateway, scripted):
    origin = scripted(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n"))
    answer = curl(gateway, "--head", origin.url, f"{origin.url}/again", "--suppress-connect-headers")
    assert answer.body.count(b"Content-Length: 4096\r\n") == 2
    first, second = gateway.wait_for(origin.name, kind="exchange", count=2)
    assert (first["method"], first["response_bytes"]) == ("HEAD", 0)
    assert second["path"] == "/again"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_request_with_content_arrives_whole(gateway, scripted, method):
    origin = scripted(answering(echo))
    answer = curl(
        gateway, origin.url, "-X", method, "-H", "Content-Type: application/json; charset=utf-8", "-d", '{"a":1}'
    )
    assert answer.body.endswith(b'\r\n\r\n{"a":1}')
    record = gateway.exchange(origin.name)
    assert (record["method"], record["request_bytes"], record["request_type"]) == (method, 7, "application/json")


def test_http_1_0_is_answered_and_closed(gateway, scripted):
    origin = scripted(once(b"HTTP/1.0 200 OK\r\n\r\nold but fine"))
    answer = curl(gateway, "--http1.0", origin.url)
    assert answer.body == b"old but fine"
    assert origin.requests[0].start == "GET / HTTP/1.0"
    assert gateway.exchange(origin.name)["http"] == "1.0"


def test_a_chunked_upload_keeps_its_framing(gateway, scripted, tmp_path):
    origin = scripted(answering(echo))
    content = os.urandom(200_000)
    (tmp_path / "upload").write_bytes(content)
    answer = curl(gateway, "-T", tmp_path / "upload", "-H", "Transfer-Encoding: chunked", "-H", "Expect:", origin.url)
    assert answer.body.endswith(content)
    assert origin.requests[0].get("transfer-encoding") == "chunked"
    assert origin.requests[0].get("content-length") is None
    assert gateway.exchange(origin.name)["request_bytes"] == len(content)


def test_expect_100_continue_waits_for_the_origin(gateway, scripted):
    order = []

    def script(stream, visit):
        request = read_head(stream)
        order.append(bytes(stream._ahead))
        stream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        read_content(stream, request)
        order.append(request.body)
        stream.send(response(b"taken"))

    origin = scripted(script)
    # One minute: only a 100 that really comes through lets curl go on in time.
    answer = curl(
        gateway,
        "-H",
        "Expect: 100-continue",
        "--expect100-timeout",
        "60",
        "-d",
        "content",
        origin.url,
        "--max-time",
        "30",
    )
    assert answer.body == b"taken"
    assert order == [b"", b"content"], "the content was sent before the origin had asked for it"
    assert gateway.exchange(origin.name)["status"] == 200


def test_expect_100_continue_that_is_refused_sends_no_content(gateway, scripted):
    def script(stream, visit):
        read_head(stream)
        stream.send(response(b"no", status="417 Expectation Failed", fields="Connection: close\r\n"))

    origin = scripted(script)
    answer = curl(gateway, "-H", "Expect: 100-continue", "--expect100-timeout", "60", "-d", "content", origin.url)
    assert answer.status == 417
    origin.visits[0].done.wait(10)
    assert b"content" not in origin.visits[0].received.partition(b"\r\n\r\n")[2]
    assert gateway.exchange(origin.name)["status"] == 417


def test_h2_is_spoken_on_both_sides(gateway, h2_origin):
    origin = h2_origin(reply(b"hello", fields=[("content-type", "text/html; charset=utf-8")]))
    answer = curl(gateway, f"{origin.url}/page?a=1&b&a=2", "-A", "curl-test/2")
    assert (answer.status, answer.body, answer.facts["http_version"]) == (200, b"hello", "2")
    assert origin.visits[0].alpn == "h2"
    record = gateway.exchange(origin.name)
    assert (record["http"], record["path"], record["query"]) == ("2", "/page", ["a", "b", "a"])
    assert (record["response_bytes"], record["response_type"]) == (5, "text/html")
    assert record["user_agent"] == "curl-test/2"


def test_h2_uploads(gateway, h2_origin, tmp_path):
    origin = h2_origin(reply(b"taken"))
    content = os.urandom(300_000)
    (tmp_path / "upload").write_bytes(content)
    answer = curl(gateway, "-T", tmp_path / "upload", f"{origin.url}/upload")
    assert answer.body == b"taken"
    assert origin.streams[0].content == content
    assert gateway.exchange(origin.name)["request_bytes"] == len(content)


def test_a_client_that_offers_only_http_1_1_gets_it_from_an_origin_that_speaks_both(gateway, nginx):
    answer = curl(gateway, "--http1.1", nginx.url("both", "/hello?only=h1"))
    assert (answer.body, answer.facts["http_version"]) == (b"hello\n", "1.1")
    assert gateway.exchange(nginx.names["both"], query=["only"])["http"] == "1.1"
    assert [line["protocol"] for line in nginx.access_log() if line["uri"] == "/hello?only=h1"] == ["HTTP/1.1"]


@pytest.mark.parametrize("server", ["h1", "h2", "plain"])
def test_ten_megabytes_arrive_unchanged(gateway, nginx, server):
    answer = curl(gateway, nginx.url(server, "/large.bin"))
    assert hashlib.sha256(answer.body).hexdigest() == nginx.large_sha256
    record = gateway.exchange(nginx.names[server], path="/large.bin")
    assert record["response_bytes"] == len(answer.body) == 10 * 1024 * 1024
    assert record["http"] == {"h1": "1.1", "h2": "2", "plain": "1.1"}[server]


@pytest.mark.parametrize("server", ["h1", "h2"])
def test_nginx_stores_exactly_what_was_uploaded(gateway, nginx, tmp_path, server):
    content = os.urandom(3_000_000)
    (tmp_path / "upload").write_bytes(content)
    answer = curl(gateway, "-T", tmp_path / "upload", nginx.url(server, f"/upload/{server}.bin"))
    assert answer.status == 201
    assert (nginx.folder / f"www/upload/{server}.bin").read_bytes() == content
    assert gateway.exchange(nginx.names[server], method="PUT")["request_bytes"] == len(content)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_status_without_content_leaves_the_connection_usable(gateway, scripted, status):
    # 304 may tell the length of what it does not send (RFC 9110 §15.4.5).
    fields = "Content-Length: 1234\r\n" if status.startswith("304") else ""
    origin = scripted(answering(f'HTTP/1.1 {status}\r\nETag: "1"\r\n{fields}\r\n'.encode()))
    answer = curl(gateway, origin.url, f"{origin.url}/second", "--max-time", "20")
    assert answer.status == int(status[:3])
    assert len(origin.visits) == 1 and len(origin.requests) == 2
    records = gateway.wait_for(origin.name, kind="exchange", count=2)
    assert [(each["status"], each["response_bytes"]) for each in records] == [(int(status[:3]), 0)] * 2


def test_a_redirect_is_the_client_s_to_follow(gateway, nginx):
    answer = curl(gateway, "--location", nginx.url("h1", "/moved"))
    assert answer.body == b"hello\n"
    moved = gateway.exchange(nginx.names["h1"], path="/moved")
    assert moved["status"] == 302
    assert moved["id"] < gateway.exchange(nginx.names["h1"], path="/hello")["id"], "ids sort by time"


def test_plain_http_goes_by_absolute_form_and_leaves_in_origin_form(gateway, scripted):
    origin = scripted(answering(echo), tls=False)
    answer = curl(gateway, f"{origin.url}/plain{SECRET_QUERY}", "-A", "c", "-H", "Proxy-Connection: keep-alive")
    assert (
        answer.body
        == (
            f"GET /plain{SECRET_QUERY} HTTP/1.1\r\nHost: {origin.authority}\r\nUser-Agent: c\r\n" "Accept: */*\r\n\r\n"
        ).encode()
    )
    record = gateway.exchange(origin.name)
    assert (record["scheme"], record["path"], record["query"]) == ("http", "/plain", ["user", "session"])


def test_one_client_connection_serves_two_plain_origins(gateway, scripted):
    one, other = (scripted(answering(response(name)), tls=False) for name in (b"one", b"two"))
    answer = curl(gateway, one.url, other.url, one.url)
    assert answer.body == b"onetwoone"
    gateway.wait_for(one.name, kind="exchange", count=2)
    gateway.exchange(other.name)


def test_plain_http_inside_a_connect_is_read_as_http(gateway, scripted):
    origin = scripted(answering(response(b"hello")), tls=False)
    answer = curl(gateway, "--proxytunnel", origin.url)
    assert answer.body == b"hello"
    assert gateway.exchange(origin.name)["scheme"] == "http"


def test_many_requests_share_one_connect(gateway, scripted):
    origin = scripted(answering(response(b".")))
    answer = curl(gateway, "--http1.1", f"{origin.url}/[1-20]")
    assert answer.body == b"." * 20
    assert len(origin.visits) == 1, "the origin saw one connection"
    records = gateway.wait_for(origin.name, kind="exchange", count=20)
    assert len({record["connection"] for record in records}) == 1
    assert [record["path"] for record in records] == [f"/{number}" for number in range(1, 21)]
    connection = gateway.connection(origin.name)
    assert connection["id"] == records[0]["connection"]


def test_an_ipv4_literal_gets_a_leaf_for_its_address(gateway, scripted, ca_world):
    # No SNI can name an address (RFC 6066 §3), so the CONNECT's authority is what the leaf is for. The address is
    # reachable because upstream.resolve names it.
    origin = scripted(answering(response(b"by address")), name="127.0.0.1")
    answer = curl(gateway, origin.url)
    assert answer.body == b"by address"
    assert gateway.exchange("127.0.0.1")["host"] == origin.authority


def test_an_ipv6_literal_works_where_loopback_is_allowed(start_gateway, scripted, ca_world):
    gateway = start_gateway("upstream.allow_loopback=true")
    origin = scripted(answering(response(b"by v6")), address="::1", identity=ca_world.identity("::1"), name="[::1]")
    answer = curl(gateway, "-g", origin.url)
    assert answer.body == b"by v6"
    connection = gateway.wait_for("::1", kind="connection", where=lambda record: record["closed"])[0]
    assert connection["destination"] == f"[::1]:{origin.port}"


def test_trailers_and_chunk_extensions_come_through(gateway, scripted):
    content = b"5;name=value\r\nhello\r\n" + chunked(b" world", trailers="X-Sum: 11\r\nX-Odd: yes\r\n")
    origin = scripted(answering(b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n" + content))
    answer = curl(gateway, "--raw", "--include", "--suppress-connect-headers", origin.url)
    body = answer.body.partition(b"\r\n\r\n")[2]
    assert body.endswith(b"0\r\nX-Sum: 11\r\nX-Odd: yes\r\n\r\n"), body
    assert gateway.exchange(origin.name)["response_bytes"] >= 11


@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
def test_an_origin_that_is_not_there_is_an_error_and_a_record(gateway, tls):
    name, port = unique_name("absent"), free_port()
    answer = curl(gateway, f"{'https' if tls else 'http'}://{name}:{port}/", check=False)
    if tls:
        assert answer.code != 0
        connection = gateway.connection(name)
        assert (connection["treatment"], connection["reason"]) == ("failed", "upstream_unreachable")
        assert connection["error"], "a sentence says why"
    else:
        assert answer.status == 502
        assert gateway.exchange(name)["status"] in (0, 502)


def test_a_name_that_does_not_resolve_is_an_error_and_a_record(start_gateway):
    gateway = start_gateway('upstream.dns=["127.0.0.1:9"]', "limits.upstream_connect=2s")
    answer = curl(gateway, "http://nowhere.invalid/", check=False)
    assert answer.status in (502, 504)
    record = gateway.exchange("nowhere.invalid")
    assert record["error"], record


@pytest.mark.parametrize("url", ["ftp://x.test/", "http://x.test:99999/"])
def test_a_target_that_cannot_be_is_refused(gateway, url):
    answer = curl(gateway, "--request-target", url, "http://x.test/", check=False)
    assert answer.status in (400, 501)
