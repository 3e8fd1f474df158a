"""TLS as a phone speaks it to the gateway: hellos cut every way, versions, names, resumption, ends, and no TLS."""

import socket
import ssl
import struct
import subprocess
import time

import pytest
from certificates import client_context, server_context
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from harness import (
    ConnectForwarder,
    End,
    H2Peer,
    Stream,
    TlsStream,
    answering,
    connect,
    dial,
    eventually,
    get,
    once,
    read_head,
    read_request,
    reply,
    response,
    send_request,
    spawn,
    tls_inside,
    tls_through,
    unique_name,
)


# The ClientHello, however it comes


def hello_bytes(
    name: str | None, *, alpn=("http/1.1",), **options
) -> tuple[bytes, ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
    """A real ClientHello, and the engine that goes on from it."""
    context = client_context(None, alpn=alpn, **options)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    engine = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        engine.do_handshake()
    return outgoing.read(), engine, incoming, outgoing


def finish(sock: socket.socket, engine: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> None:
    """The rest of the handshake, after somebody has sent the hello."""
    while True:
        try:
            engine.do_handshake()
            sock.sendall(outgoing.read())
            return
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            data = sock.recv(65536)
            assert data, "closed in the handshake"
            incoming.write(data)


def record(content: bytes, kind: int = 22, version: bytes = b"\x03\x01") -> bytes:
    return bytes([kind]) + version + struct.pack(">H", len(content)) + content


def in_records(hello: bytes, size: int) -> bytes:
    """The same handshake message in records of `size` bytes (RFC 8446 §5.1 allows any)."""
    message = hello[5:]
    return b"".join(record(message[at : at + size]) for at in range(0, len(message), size))


@pytest.fixture
def origin(scripted):
    return scripted(answering(response(b"hello")))


def test_a_hello_in_one_byte_segments(gateway, origin):
    stream = tls_through(gateway, origin, cut=1)
    assert get(stream, origin.authority).body == b"hello"


@pytest.mark.parametrize("size", [1, 2, 5, 100, 256])
def test_a_hello_in_small_records(gateway, origin, size):
    tunnel = connect(gateway, origin.authority)
    hello, *engine = hello_bytes(origin.name)
    tunnel.send(in_records(hello, size))
    finish(tunnel.sock, *engine)
    assert engine[0].getpeercert(binary_form=True) != origin.identity.der
    tunnel.sock.close()
    connection = gateway.connection(origin.name)
    assert (connection["treatment"], connection["sni"]) == ("intercepted", origin.name)


def test_the_fingerprint_does_not_depend_on_how_a_hello_is_cut(gateway, scripted):
    prints = set()
    for size in (1, 50, 16000):
        origin = scripted(answering(response()))
        tunnel = connect(gateway, origin.authority)
        hello, *engine = hello_bytes(origin.name)
        tunnel.send(in_records(hello, size))
        finish(tunnel.sock, *engine)
        tunnel.sock.close()
        prints.add(gateway.connection(origin.name)["ja4"])
    assert len(prints) == 1 and prints.pop().startswith("t13d")


@pytest.mark.parametrize("size", [4_000, 16_000, 40_000])
def test_a_large_hello(gateway, origin, size):
    """Up to 64 KiB, by an extension that nobody knows: RFC 8701 taught everyone to ignore those."""
    hello, *_ = hello_bytes(origin.name)
    grown = with_extension(hello[5:], 0xFAFA, bytes(size))
    tunnel = connect(gateway, origin.authority)
    tunnel.send(b"".join(record(grown[at : at + 16384]) for at in range(0, len(grown), 16384)))
    answer = tunnel.read_exactly(5)
    assert answer[0] == 22, f"no ServerHello but {answer!r}"
    tunnel.sock.close()
    assert gateway.connection(origin.name)["sni"] == origin.name


def with_extension(message: bytes, kind: int, content: bytes) -> bytes:
    """The ClientHello handshake message with one more extension in front."""
    at = 4 + 2 + 32
    at += 1 + message[at]
    at += 2 + int.from_bytes(message[at : at + 2], "big")
    at += 1 + message[at]
    extensions = struct.pack(">HH", kind, len(content)) + content + message[at + 2 :]
    body = message[4:at] + struct.pack(">H", len(extensions)) + extensions
    return message[:1] + struct.pack(">L", len(body))[1:] + body


def test_a_hello_above_the_limit_is_refused_at_once(gateway, origin):
    tunnel = connect(gateway, origin.authority)
    message = b"\x01" + struct.pack(">L", 100_000)[1:] + b"\x03\x03" + bytes(20_000)
    try:
        tunnel.send(b"".join(record(message[at : at + 16384]) for at in range(0, len(message), 16384)))
    except OSError:
        pass
    tunnel.read_to_end()
    assert tunnel.end is not None
    assert gateway.connection(origin.name)["treatment"] == "failed"


def test_an_oversize_record_is_refused_at_once(gateway, origin):
    """A length of more than 2^14 + 256 is not waited for."""
    tunnel = connect(gateway, origin.authority)
    tunnel.send(b"\x16\x03\x01\xff\xff" + b"\x01\x00\xff\xfb" + bytes(50))
    started = time.monotonic()
    tunnel.read_to_end()
    assert tunnel.end is not None
    assert time.monotonic() - started < 5, "it was waited for"


def test_a_hello_that_never_ends_is_timed_out(start_gateway, origin):
    gateway = start_gateway("limits.client_hello=500ms")
    tunnel = connect(gateway, origin.authority)
    hello, *_ = hello_bytes(origin.name)
    tunnel.send(hello[: len(hello) // 2])
    tunnel.read_to_end()
    assert tunnel.end is not None
    connection = gateway.wait_for(kind="connection", where=lambda each: each["closed"] is not None)[0]
    assert connection["treatment"] == "failed" and connection["error"]
    assert not origin.visits, "nothing was dialled for it, or nothing came of it"


def test_a_request_head_that_never_ends_is_timed_out(start_gateway, origin):
    gateway = start_gateway("limits.head=500ms")
    stream = Stream(dial(gateway))
    stream.send(b"CONNECT x.test:443 HTTP/1.1\r\nHost: x")
    answer = stream.read_to_end()
    assert not answer or answer.startswith(b"HTTP/1.1 408 "), answer
    inside = tls_through(gateway, origin)
    inside.send(b"GET / HTTP/1.1\r\nHost: x")
    answer = inside.read_to_end()
    assert not answer or answer.startswith(b"HTTP/1.1 408 "), answer


def test_silent_clients_do_not_starve_others(gateway, origin):
    idle = [Stream(dial(gateway)) for _ in range(50)]
    half = [connect(gateway, origin.authority) for _ in range(20)]
    assert get(tls_through(gateway, origin), origin.authority).body == b"hello"
    for stream in idle + half:
        stream.sock.close()


def test_a_handshake_that_the_client_leaves_is_recorded(gateway, origin):
    """The client's alert says why: unknown_ca is what a phone without the profile sends."""
    tunnel = connect(gateway, origin.authority)
    with pytest.raises(ssl.SSLCertVerificationError):
        tls_inside(gateway, tunnel, origin.name, trust=origin.identity.chain_file)
    connection = gateway.connection(origin.name)
    assert connection["treatment"] == "failed"
    assert connection["reason"] and connection["error"]


# Names


def leaf_names(stream: TlsStream) -> list[str]:
    certificate = x509.load_der_x509_certificate(stream.peer_certificate())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def test_no_sni_takes_the_connect_s_name(gateway, origin):
    stream = tls_through(gateway, origin, server_name=None)
    assert leaf_names(stream) == [origin.name]
    assert get(stream, origin.authority).body == b"hello"
    stream.close()
    assert gateway.wait_for(origin.name, kind="connection")[0]["sni"] == ""


def test_an_sni_other_than_the_connect_s_name_is_what_the_leaf_is_for(gateway, scripted, ca_world):
    """The app verifies what it put into the SNI; the origin is verified as that too."""
    other = unique_name("fronted")
    origin = scripted(answering(response(b"fronted")), identity=ca_world.identity(other))
    stream = tls_through(gateway, origin, server_name=other)
    assert leaf_names(stream) == [other]
    assert get(stream, other).body == b"fronted"
    assert origin.visit().server_name == other


def test_an_ip_address_as_sni_is_not_taken_for_a_name(gateway, scripted, ca_world):
    """RFC 6066 §3 forbids it; some clients send it all the same."""
    origin = scripted(answering(response(b"by address")), name="127.0.0.1")
    hello, *engine = hello_bytes("sni.placeholder.test")
    literal = b"127.0.0.1"
    # The same extension with another name in it: type 0, one host_name of 9 bytes.
    message = without_extension(hello[5:], 0)
    message = with_extension(message, 0, struct.pack(">HBH", len(literal) + 3, 0, len(literal)) + literal)
    tunnel = connect(gateway, origin.authority)
    tunnel.send(record(message))
    assert tunnel.read_exactly(1) == b"\x16", "a ServerHello, for the address in the CONNECT"
    tunnel.sock.close()


def without_extension(message: bytes, kind: int) -> bytes:
    at = 4 + 2 + 32
    at += 1 + message[at]
    at += 2 + int.from_bytes(message[at : at + 2], "big")
    at += 1 + message[at]
    left, kept = message[at + 2 :], b""
    while left:
        number, size = struct.unpack_from(">HH", left)
        if number != kind:
            kept += left[: 4 + size]
        left = left[4 + size :]
    body = message[4:at] + struct.pack(">H", len(kept)) + kept
    return message[:1] + struct.pack(">L", len(body))[1:] + body


def test_an_upper_case_name_is_the_same_name(gateway, origin):
    stream = tls_through(gateway, origin, server_name=origin.name.upper())
    assert get(stream, origin.authority).body == b"hello"
    stream.close()
    assert gateway.connection(origin.name)["sni"] == origin.name


# Versions, ALPN, resumption


@pytest.mark.parametrize("client", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("server", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_of_both_sides_are_independent_and_recorded(gateway, scripted, ca_world, client, server):
    name = unique_name("version")
    identity = ca_world.identity(name)
    origin = scripted(
        answering(response(b"hello")),
        name=name,
        identity=identity,
        context=server_context(identity, alpn=("http/1.1",), maximum=server, minimum=server),
    )
    stream = tls_through(gateway, origin, minimum=client, maximum=client)
    assert get(stream, origin.authority).body == b"hello"
    text = {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}
    assert (stream.version, origin.visit().version) == (text[client], text[server])
    stream.close()
    connection = gateway.connection(name)
    assert (connection["tls_client"], connection["tls_upstream"]) == (text[client], text[server])


def test_tls_1_1_is_refused(gateway, origin):
    tunnel = connect(gateway, origin.authority)
    context = client_context(None)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, OSError)):
        tls_inside(gateway, tunnel, origin.name, context=context)


@pytest.mark.parametrize(
    "offer, served, chosen",
    [
        (("h2", "http/1.1"), ("http/1.1",), "http/1.1"),
        (("http/1.1",), ("h2", "http/1.1"), "http/1.1"),
        (("h2", "http/1.1"), ("h2", "http/1.1"), "h2"),
        (("h2", "http/1.1"), (), None),
        ((), ("h2", "http/1.1"), None),
        (("h2", "http/1.1", "acme/9"), ("acme/9",), "acme/9"),
        (("http/1.0", "http/1.1"), ("http/1.0",), "http/1.0"),
    ],
)
def test_alpn_is_what_the_origin_chose(gateway, scripted, offer, served, chosen):
    origin = scripted(lambda stream, visit: stream.read_to_end(), alpn=served)
    stream = tls_through(gateway, origin, alpn=offer)
    assert (stream.alpn, origin.visit().alpn) == (chosen, chosen)
    stream.close()
    connection = gateway.connection(origin.name)
    assert connection["alpn"] == list(offer)


def test_an_origin_that_knows_none_of_the_client_s_protocols(gateway, scripted):
    """OpenSSL servers without a common protocol go on without one; some alert. Either way the client sees the same."""
    origin = scripted(answering(response(b"hello")), alpn=("acme/9",))
    stream = tls_through(gateway, origin, alpn=("http/1.1",))
    assert stream.alpn is None
    assert get(stream, origin.authority).body == b"hello"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_sessions_are_resumed_on_both_sides(gateway, scripted, ca_world, version):
    name = unique_name("resumed")
    identity = ca_world.identity(name)
    origin = scripted(
        answering(response(b"hello")),
        name=name,
        identity=identity,
        context=server_context(identity, alpn=("http/1.1",), maximum=version),
    )
    context = client_context(gateway.ca_file, alpn=("http/1.1",), maximum=version)
    first = tls_through(gateway, origin, context=context)
    assert get(first, origin.authority).body == b"hello"
    session = first.session
    first.close()
    second = tls_through(gateway, origin, context=context, session=session)
    assert get(second, origin.authority).body == b"hello"
    assert second.resumed, "the client's session was not resumed"
    assert origin.visit(1).resumed, "the origin's session was not resumed"
    second.close()
    gateway.wait_for(name, kind="exchange", count=2)


def test_a_session_of_one_name_is_no_session_of_another(gateway, scripted):
    one, other = (scripted(answering(response(b"hello"))) for _ in range(2))
    context = client_context(gateway.ca_file, alpn=("http/1.1",))
    first = tls_through(gateway, one, context=context)
    get(first, one.authority)
    session = first.session
    second = tls_through(gateway, other, context=context, session=session)
    assert not second.resumed
    assert leaf_names(second) == [other.name]


def test_renegotiation_is_refused(gateway, origin):
    """By openssl s_client, because Python cannot: `R` asks for one, in TLS 1.2."""
    with ConnectForwarder(gateway, origin.authority) as forwarder:
        process = spawn(
            [
                "openssl",
                "s_client",
                "-connect",
                f"127.0.0.1:{forwarder.port}",
                "-servername",
                origin.name,
                "-tls1_2",
                "-CAfile",
                gateway.ca_file,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            output = b""
            while b"Verify return code" not in output:
                piece = process.stdout.read1()
                assert piece, output
                output += piece
            process.stdin.write(b"R\n")
            process.stdin.flush()
            rest, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert b"RENEGOTIATING" in rest
    assert (
        b"no renegotiation" in rest
        or b"handshake failure" in rest
        or b"unexpected message" in rest
        or b"closed" in rest
    ), rest


# How connections end


def reading_origin(scripted):
    """Reads a head, answers, then notes how the client's direction ended."""

    def script(stream, visit):
        visit.requests.append(read_request(stream))
        stream.send(response(b"hello"))
        visit.rest = stream.read_to_end()

    return scripted(script)


@pytest.mark.parametrize("ending", ["close_notify", "fin", "reset"])
def test_a_client_s_end_between_requests_reaches_the_origin(gateway, scripted, ending):
    origin = reading_origin(scripted)
    stream = tls_through(gateway, origin)
    assert get(stream, origin.authority).body == b"hello"
    if ending == "close_notify":
        stream.close()
    elif ending == "fin":
        stream.fin()
    else:
        stream.reset()
    visit = origin.visit()
    assert visit.done.wait(15)
    # The origin's connection may be ended more gently than the client's, never later.
    expected = {
        "close_notify": {End.CLOSE_NOTIFY},
        "fin": {End.FIN, End.CLOSE_NOTIFY},
        "reset": {End.RESET, End.FIN, End.CLOSE_NOTIFY},
    }
    assert visit.stream.end in expected[ending]
    assert gateway.exchange(origin.name)["state"] == "complete"


def test_a_client_s_reset_in_the_middle_of_a_response_resets_the_origin(gateway, scripted):
    ends = []

    def script(stream, visit):
        read_request(stream)
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
        stream.read_to_end()
        ends.append(stream.end)

    origin = scripted(script)
    stream = tls_through(gateway, origin)
    send_request(stream, origin.authority)
    read_head(stream)
    assert stream.read_exactly(4) == b"part"
    stream.reset()
    assert origin.visit().done.wait(15)
    assert ends and ends[0] is not None
    record = gateway.exchange(origin.name)
    assert record["state"] not in ("complete", "open") and record["error"]


def test_a_request_whose_client_half_closes_is_still_answered(gateway, scripted):
    def script(stream, visit):
        visit.requests.append(read_request(stream))
        time.sleep(0.2)  # the half-close is there first; nothing is asserted about the time
        stream.send(response(b"still here", fields="Connection: close\r\n"))

    origin = scripted(script)
    stream = tls_through(gateway, origin)
    send_request(stream, origin.authority)
    stream.half_close()
    head = read_head(stream)
    assert head.status == 200 and stream.read_exactly(10) == b"still here"
    assert gateway.exchange(origin.name)["state"] == "complete"


def test_a_truncated_upload_is_never_completed(gateway, scripted):
    """The client's FIN without close_notify in the middle of its content."""

    def script(stream, visit):
        read_head(stream)
        visit.rest = stream.read_to_end()

    origin = scripted(script)
    stream = tls_through(gateway, origin)
    stream.send(
        f"POST / HTTP/1.1\r\nHost: {origin.authority}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n".encode()
    )
    eventually(lambda: origin.visits and b"part" in origin.visits[0].received)
    stream.fin()
    assert origin.visit().done.wait(15)
    assert not origin.visits[0].received.endswith(b"0\r\n\r\n")
    record = gateway.exchange(origin.name)
    assert record["state"] != "complete" and record["request_bytes"] == 4


def test_an_idle_keep_alive_connection_that_the_origin_ends_is_ended(gateway, scripted):
    origin = scripted(once(response(b"hello")))
    stream = tls_through(gateway, origin)
    assert get(stream, origin.authority).body == b"hello"
    assert stream.read_to_end() == b""
    assert stream.end is End.CLOSE_NOTIFY


# What is no TLS


def test_bytes_that_are_neither_tls_nor_http_are_carried_and_logged(gateway, scripted):
    def script(stream, visit):
        while data := stream.read():
            stream.send(data)

    origin = scripted(script, tls=False)
    stream = connect(gateway, origin.authority)
    message = b"\x00\x01binary protocol\xff" * 100
    stream.send(message)
    assert stream.read_exactly(len(message)) == message
    stream.half_close()
    assert stream.read_to_end() == b"", "a half-close comes back from the echo as an end"
    stream.sock.close()
    connection = gateway.connection(origin.name)
    assert (connection["treatment"], connection["reason"]) == ("passthrough", "not_tls")
    assert connection["bytes_up"] >= len(message) and connection["bytes_down"] >= len(message)
    assert connection["activity"], "bursts are noted for tunnels too"
    assert not gateway.log(origin.name, kind="exchange")


def test_a_server_that_speaks_first_is_heard(gateway, scripted):
    """SMTP's greeting comes before a word of the client."""

    def script(stream, visit):
        stream.send(b"220 mail.test ESMTP\r\n")
        assert stream.read_until(b"\r\n") == b"EHLO phone\r\n"
        stream.send(b"250 hello\r\n")
        stream.read_to_end()

    origin = scripted(script, tls=False)
    stream = connect(gateway, origin.authority)
    assert stream.read_until(b"\r\n") == b"220 mail.test ESMTP\r\n"
    stream.send(b"EHLO phone\r\n")
    assert stream.read_until(b"\r\n") == b"250 hello\r\n"
    stream.close()
    connection = gateway.connection(origin.name)
    assert (connection["treatment"], connection["reason"]) == ("passthrough", "not_tls")


def test_a_client_that_hesitates_with_its_hello_is_still_intercepted_where_the_server_waits(start_gateway, origin):
    """The timer lets the server speak first; it does not decide that nobody will speak TLS."""
    gateway = start_gateway("limits.server_first=50ms")
    tunnel = connect(gateway, origin.authority)
    time.sleep(0.5)  # ten times the patience
    stream = tls_inside(gateway, tunnel, origin.name)
    assert stream.peer_certificate() != origin.identity.der
    assert get(stream, origin.authority).body == b"hello"


@pytest.mark.parametrize("ending", ["fin", "reset"])
def test_a_tunnel_s_end_is_passed_on_both_ways(gateway, scripted, ending):
    def script(stream, visit):
        stream.read_exactly(5)
        stream.send(b"\x00done")
        time.sleep(0.1)
        stream.reset() if ending == "reset" else stream.close()

    origin = scripted(script, tls=False)
    stream = connect(gateway, origin.authority)
    stream.send(b"\x00ping")
    assert stream.read_to_end() == b"\x00done"
    assert stream.end is (End.RESET if ending == "reset" else End.FIN)


@pytest.mark.parametrize("mode", [ssl.CERT_REQUIRED, ssl.CERT_OPTIONAL], ids=["required", "optional"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_an_origin_that_asks_for_a_client_certificate_is_passed_through(gateway, scripted, ca_world, mode, version):
    """Only the app has the key."""
    name = unique_name("mutual")
    identity = ca_world.identity(name)
    context = server_context(identity, alpn=("http/1.1",), maximum=version)
    context.verify_mode = mode
    context.load_verify_locations(ca_world.root_file)
    origin = scripted(answering(response(b"known")), name=name, identity=identity, context=context)
    own = ca_world.identity("phone", usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    client = client_context(ca_world.root_file, alpn=("http/1.1",))
    client.load_cert_chain(own.chain_file, own.key_file)
    stream = tls_through(gateway, origin, context=client)
    assert stream.peer_certificate() == identity.der
    assert get(stream, origin.authority).body == b"known"
    stream.close()
    connection = gateway.connection(name)
    assert connection["treatment"] == "passthrough" and connection["reason"]


def test_http_2_with_prior_knowledge_inside_a_connect(gateway, h2_origin):
    """Plain h2 (RFC 9113 §3.3): carried or spoken, the client notices no difference."""
    origin = h2_origin(reply(b"prior knowledge"), tls=False)
    client = H2Peer(connect(gateway, origin.authority), client=True)
    assert client.get(origin.authority).response().read_to_end() == b"prior knowledge"
