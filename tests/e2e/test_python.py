"""Python's own clients: urllib and http.client through CONNECT and absolute-form."""

import http.client
import json
import ssl
import urllib.error
import urllib.request

import pytest
from harness import answering, echo, response


@pytest.fixture
def opener(gateway):
    context = ssl.create_default_context(cafile=gateway.ca_file)
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({"http": gateway.proxy_url, "https": gateway.proxy_url}),
        urllib.request.HTTPSHandler(context=context),
    )


def test_urllib_fetches_over_https(gateway, opener, nginx):
    with opener.open(nginx.url("h1", "/hello?from=urllib"), timeout=30) as answer:
        assert (answer.status, answer.read()) == (200, b"hello\n")
    record = gateway.exchange(nginx.names["h1"], query=["from"])
    assert record["user_agent"].startswith("Python-urllib/")


def test_urllib_posts_json_over_plain_http(gateway, opener, scripted):
    origin = scripted(answering(echo), tls=False)
    request = urllib.request.Request(
        f"{origin.url}/post", json.dumps({"a": 1}).encode(), {"Content-Type": "application/json"}
    )
    with opener.open(request, timeout=30) as answer:
        assert answer.read().endswith(b'{"a": 1}')
    record = gateway.exchange(origin.name)
    assert (record["method"], record["request_type"], record["request_bytes"]) == ("POST", "application/json", 8)


def test_an_error_status_is_the_origin_s_own(gateway, opener, nginx):
    with pytest.raises(urllib.error.HTTPError) as caught:
        opener.open(nginx.url("h1", "/missing"), timeout=30)
    assert caught.value.code == 404
    assert b"nginx" in caught.value.read()
    assert gateway.exchange(nginx.names["h1"], path="/missing")["status"] == 404


def test_http_client_reuses_its_tunnel(gateway, scripted):
    origin = scripted(answering(lambda request: response(request.target.encode())))
    context = ssl.create_default_context(cafile=gateway.ca_file)
    connection = http.client.HTTPSConnection(*gateway.proxy, context=context, timeout=30)
    connection.set_tunnel(origin.name, origin.port)
    for number in range(5):
        connection.request("GET", f"/{number}")
        assert connection.getresponse().read() == f"/{number}".encode()
    # An iterator body goes chunked.
    connection.request("POST", "/upload", body=iter([b"one ", b"two"]))
    assert connection.getresponse().read() == b"/upload"
    connection.close()
    assert len(origin.visits) == 1 and origin.requests[-1].body == b"one two"
    records = gateway.wait_for(origin.name, kind="exchange", count=6)
    assert records[-1]["request_bytes"] == 7


def test_the_leaf_satisfies_a_strict_client(gateway, scripted):
    """Name, chain and X.509 strictness (RFC 5280 as OpenSSL's X509_STRICT reads it)."""
    origin = scripted(answering(response(b"fine")))
    context = ssl.create_default_context(cafile=gateway.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    connection = http.client.HTTPSConnection(*gateway.proxy, context=context, timeout=30)
    connection.set_tunnel(origin.name, origin.port)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"fine"
    certificate = connection.sock.getpeercert()
    assert certificate["subjectAltName"] == (("DNS", origin.name),)
    connection.close()
