"""nghttp and h2load: HTTP/2 clients that show every frame, and many streams at once."""

import re

from harness import ConnectForwarder, reply, run


def nghttp(gateway, origin, *arguments, path="/"):
    """nghttp has no proxy support: it talks to a forwarder. It takes SNI from the :authority that it is given."""
    with ConnectForwarder(gateway, origin.authority) as forwarder:
        done = run(
            ["nghttp", *arguments, "-H", f":authority: {origin.authority}", f"https://localhost:{forwarder.port}{path}"]
        )
        return done.stdout.decode()


def test_every_frame_of_a_simple_exchange_is_as_it_should_be(gateway, h2_origin):
    origin = h2_origin(reply(b"hello", fields=[("x-mark", "one")]))
    output = nghttp(gateway, origin, "--verbose", "--no-dep", path="/frames?key=value")
    assert "The negotiated protocol: h2" in output
    assert re.search(r"recv \(stream_id=\d+\) :status: 200", output)
    assert re.search(r"recv \(stream_id=\d+\) x-mark: one", output)
    assert not re.search(r"recv \(stream_id=\d+\) (via|x-forwarded|forwarded)", output)
    assert "RST_STREAM" not in output
    record = gateway.exchange(origin.name, path="/frames")
    assert (record["http"], record["query"], record["response_bytes"]) == ("2", ["key"], 5)


def test_trailers_are_shown_as_a_second_field_section(gateway, h2_origin):
    def script(stream):
        stream.read_to_end()
        stream.head([(":status", "200"), ("trailer", "x-sum")])
        stream.send(b"content")
        stream.head([("x-sum", "7")], end=True)

    origin = h2_origin(script)
    output = nghttp(gateway, origin, "--verbose", "--no-dep")
    assert re.search(r"recv \(stream_id=\d+\) x-sum: 7", output), output
    assert gateway.exchange(origin.name)["response_bytes"] == 7


def test_nghttp_s_priority_tree_is_tolerated(gateway, h2_origin):
    """Without --no-dep nghttp opens with five PRIORITY frames of idle streams (RFC 9113 §5.3.2: deprecated)."""
    origin = h2_origin(reply(b"hello"))
    output = nghttp(gateway, origin, "--verbose")
    assert output.count("PRIORITY frame") >= 5 and "hello" in output


def test_an_upload_is_flow_controlled_and_whole(gateway, h2_origin, tmp_path):
    origin = h2_origin(reply(b"taken"))
    content = bytes(range(256)) * 4096
    (tmp_path / "upload").write_bytes(content)
    nghttp(gateway, origin, "--data", str(tmp_path / "upload"), path="/upload")
    assert origin.streams[0].content == content
    assert gateway.exchange(origin.name)["request_bytes"] == len(content)


def test_two_thousand_requests_over_four_connections_all_succeed_and_are_all_logged(gateway, nginx):
    with ConnectForwarder(gateway, nginx.authority("h2")) as forwarder:
        output = run(
            [
                "h2load",
                "--requests=2000",
                "--clients=4",
                "--max-concurrent-streams=10",
                "--threads=1",
                f"--connect-to=127.0.0.1:{forwarder.port}",
                f"https://{nginx.authority('h2')}/hello?load",
            ]
        ).stdout.decode()
    assert re.search(
        r"requests: 2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored", output
    ), output
    assert "2000 2xx" in output
    records = gateway.wait_for(
        nginx.names["h2"], kind="exchange", path="/hello", query=["load"], count=2000, timeout=60
    )
    assert len({record["id"] for record in records}) == 2000
    assert len({record["connection"] for record in records}) == 4
    assert {(record["http"], record["status"], record["response_bytes"]) for record in records} == {("2", 200, 6)}
    assert sum(line["uri"] == "/hello?load" for line in nginx.access_log()) == 2000


def test_h2load_over_http_1_1_with_the_same_result(gateway, nginx):
    with ConnectForwarder(gateway, nginx.authority("h1")) as forwarder:
        output = run(
            [
                "h2load",
                "--h1",
                "--requests=500",
                "--clients=5",
                "--threads=1",
                f"--connect-to=127.0.0.1:{forwarder.port}",
                f"https://{nginx.authority('h1')}/hello?load",
            ]
        ).stdout.decode()
    assert "500 succeeded, 0 failed, 0 errored" in output, output
    records = gateway.wait_for(nginx.names["h1"], kind="exchange", path="/hello", query=["load"], count=500, timeout=60)
    assert len({record["connection"] for record in records}) == 5
