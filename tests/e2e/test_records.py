"""What the log holds, what it must never hold, and what it still holds after a kill."""

import base64
import json
import sqlite3
import subprocess
from pathlib import Path

import pytest
from gateway import CONTRACT_FIELDS
from harness import (
    Gateway,
    answering,
    connect,
    curl,
    get,
    h2_through,
    kill_group,
    read_head,
    read_line,
    read_request,
    reply,
    response,
    schema_fields,
    send_request,
    spawn,
    tls_through,
)

# Every secret looks like this, so that one search finds them all. Each place has its own.
SECRET = "zebra7421"


def test_the_schema_has_every_field_of_the_contract():
    for kind, fields in schema_fields().items():
        assert fields >= CONTRACT_FIELDS[kind]


def test_exchange_records_have_every_field_and_exchange_and_connection_point_at_each_other(gateway, scripted):
    origin = scripted(answering(response(b"hello")))
    curl(gateway, f"{origin.url}/a", f"{origin.url}/b")
    connection = gateway.connection(origin.name)
    exchanges = gateway.wait_for(origin.name, kind="exchange", count=2)  # check_record() has looked at each field
    assert {record["connection"] for record in exchanges} == {connection["id"]}
    assert connection["exchanges"] == 2
    assert connection["opened"] <= exchanges[0]["time"] <= exchanges[1]["time"] <= connection["closed"]
    assert sum(burst[1] for burst in connection["activity"]) > 0
    assert sum(burst[2] for burst in connection["activity"]) >= 2 * len(b"hello")
    assert len(connection["activity"]) == 1, "bursts within 200 ms are one"


def test_the_user_agent_of_the_connect_is_kept(gateway, scripted):
    origin = scripted(answering(response()))
    with connect(gateway, origin.authority, "User-Agent: Weather/5.1 CFNetwork/1494.0.7 Darwin/23.4.0").sock:
        pass
    assert gateway.connection(origin.name)["user_agent"] == "Weather/5.1 CFNetwork/1494.0.7 Darwin/23.4.0"


class Planted:
    """A request and response that carry a secret in every place that there is."""

    query = f"?email={SECRET}1&token={SECRET}2%40x&a={SECRET}3;b={SECRET}4"
    credentials = base64.b64encode(f"user:{SECRET}5".encode()).decode()
    fields = [
        ("Authorization", f"Basic {credentials}"),
        ("Cookie", f"session={SECRET}6; other={SECRET}7"),
        ("X-Api-Key", f"{SECRET}8"),
        ("Referer", f"https://elsewhere.test/?{SECRET}9"),
        ("Content-Type", f"application/json; boundary={SECRET}10"),
        ("Origin", f"https://{SECRET}11.test"),
    ]
    body = json.dumps({"email": f"{SECRET}12"}).encode()
    answer_fields = [
        ("Set-Cookie", f"s={SECRET}13"),
        ("Location", f"/?next={SECRET}14"),
        ("Content-Type", f"text/html; x={SECRET}15"),
    ]
    answer_body = f"<p>{SECRET}16</p>".encode()


def files_with(folder: Path, *needles: bytes) -> list[str]:
    """Every file below `folder`, database pages and journals included, that has one of `needles`."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "tollgate.db" for path in files) and any("journal" in str(path) for path in files), files
    return [f"{path}: {needle!r}" for path in files for needle in needles if needle in path.read_bytes()]


def assert_no_secret(gateway: Gateway) -> None:
    leaks = files_with(gateway.state_dir, SECRET.encode(), Planted.credentials.encode())
    assert not leaks, leaks
    said = [line for line in gateway.stderr().splitlines() if SECRET in line or Planted.credentials in line]
    assert not said, said


@pytest.mark.parametrize("level", ["info", "trace"])
def test_no_secret_reaches_a_file_or_the_log(start_gateway, scripted, h2_origin, level):
    gateway = start_gateway(f"log.level={level}")
    answer = response(
        Planted.answer_body, fields="".join(f"{name}: {value}\r\n" for name, value in Planted.answer_fields)
    )
    plain, secure = scripted(answering(answer), tls=False), scripted(answering(answer))
    second = h2_origin(
        reply(Planted.answer_body, fields=[(name.lower(), value) for name, value in Planted.answer_fields])
    )
    headers = [word for name, value in Planted.fields for word in ("-H", f"{name}: {value}")]
    for origin in (plain, secure, second):
        curl(gateway, f"{origin.url}/public/path{Planted.query}", *headers, "--data-binary", Planted.body)
    # User information in a target may be refused or forwarded, but is never written.
    curl(gateway, "--request-target", f"http://user:{SECRET}5@{plain.authority}/", plain.url, check=False)
    # Proxy credentials are for us and go nowhere.
    curl(gateway, plain.url, "--proxy-user", f"user:{SECRET}5")
    assert not [request for request in plain.requests if request.get("proxy-authorization")]
    for origin in (plain, secure, second):
        record = gateway.exchange(origin.name, path="/public/path")
        assert record["query"][:3] == ["email", "token", "a"]
        assert (record["request_type"], record["response_type"]) == ("application/json", "text/html")
    assert_no_secret(gateway)
    gateway.stop()
    assert_no_secret(gateway)


def test_no_secret_of_a_failed_request_reaches_the_log(start_gateway, scripted):
    """Errors are where secrets leak: whole heads end up in messages."""
    gateway = start_gateway("log.level=trace")

    def truncate(stream, visit):
        read_request(stream)
        stream.send(f"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nSet-Cookie: s={SECRET}15\r\n\r\n{SECRET}18".encode())

    def nonsense(stream, visit):
        read_request(stream)
        stream.send(f"{SECRET}18 is not HTTP\r\n\r\n".encode())

    for script in (truncate, nonsense):
        origin = scripted(script)
        curl(gateway, f"{origin.url}/{Planted.query}", "-H", f"Cookie: {SECRET}8", "-d", Planted.body, check=False)
        gateway.exchange(origin.name)
    origin = scripted(answering(response()))
    stream = tls_through(gateway, origin)
    stream.send(f"GET /?a={SECRET}1 HTTP/1.1\r\nHost: {origin.authority}\r\nCookie : {SECRET}8\r\n\r\n".encode())
    assert read_head(stream).status == 400
    stream.close()
    gateway.connection(origin.name)
    assert_no_secret(gateway)


def test_tunnelled_bytes_are_never_written(start_gateway, scripted):
    gateway = start_gateway("log.level=trace", "limits.server_first=100ms")

    def banner(stream, visit):
        stream.send(f"220 {SECRET}1\r\n".encode())
        stream.send(stream.read_until(b"\r\n"))

    origin = scripted(banner, tls=False)
    stream = connect(gateway, origin.authority)
    assert stream.read_until(b"\r\n") == f"220 {SECRET}1\r\n".encode()
    stream.send(f"EHLO {SECRET}2\r\n".encode())
    assert stream.read_until(b"\r\n") == f"EHLO {SECRET}2\r\n".encode()
    stream.close()
    gateway.connection(origin.name)
    assert_no_secret(gateway)


def test_files_are_for_their_owner_only(gateway):
    for path in [gateway.state_dir, *gateway.state_dir.rglob("*")]:
        mode = path.stat().st_mode & 0o777
        if path.is_dir():
            assert mode == 0o700, f"{path}: {mode:o}"
    for name in ("ca/ca.key", "admin.token"):
        assert (gateway.state_dir / name).stat().st_mode & 0o777 == 0o600


def test_a_long_response_is_open_in_the_log_and_interrupted_after_a_kill(start_gateway, scripted):
    gateway = start_gateway()

    def endless(stream, visit):
        visit.requests.append(read_request(stream))
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        stream.read_to_end()

    origin = scripted(endless)
    stream = tls_through(gateway, origin)
    send_request(stream, origin.authority, "/events")
    assert read_head(stream).status == 200
    assert stream.read_exactly(9) == b"data: 1\n\n"
    begun = gateway.wait_for(origin.name, kind="exchange", timeout=30)[0]
    assert begun["state"] == "open" and begun["path"] == "/events", begun
    gateway.kill()
    left = gateway.log(origin.name, kind="exchange")
    assert [record["id"] for record in left] == [begun["id"]] and left[0]["state"] in ("open", "interrupted")
    gateway.start()
    assert gateway.wait_for(origin.name, kind="exchange", state="interrupted")[0]["id"] == begun["id"]


def test_an_exchange_is_in_the_log_once_its_response_has_been_seen(start_gateway, scripted):
    """No waiting here: the record is with the kernel before the last byte leaves."""
    gateway = start_gateway()
    origin = scripted(answering(response(b"seen")))
    stream = tls_through(gateway, origin)
    for number in range(20):
        assert get(stream, origin.authority, f"/{number}").body == b"seen"
    gateway.kill()
    paths = [record["path"] for record in gateway.log(origin.name, kind="exchange")]
    assert paths == [f"/{number}" for number in range(20)]


def test_the_same_holds_for_h2(start_gateway, h2_origin):
    gateway = start_gateway()
    origin = h2_origin(reply(b"seen"))
    client = h2_through(gateway, origin)
    for number in range(20):
        stream = client.get(origin.authority, f"/{number}").response()
        assert stream.read_to_end() == b"seen"
    gateway.kill()
    paths = [record["path"] for record in gateway.log(origin.name, kind="exchange")]
    assert paths == [f"/{number}" for number in range(20)]


@pytest.fixture
def three(gateway, scripted):
    """Three exchanges with one host: GET /a, POST /b, GET /c."""
    origin = scripted(answering(response(b".")))
    curl(
        gateway,
        f"{origin.url}/a",
        "--next",
        "-s",
        "--cacert",
        gateway.ca_file,
        "-x",
        gateway.proxy_url,
        "-d",
        "x",
        f"{origin.url}/b",
        "--next",
        "-s",
        "--cacert",
        gateway.ca_file,
        "-x",
        gateway.proxy_url,
        f"{origin.url}/c",
    )
    return origin, gateway.wait_for(origin.name, kind="exchange", count=3)


def test_log_filters(gateway, three):
    origin, records = three
    by_kind = gateway.log(None, "--kind", "connection")
    assert by_kind and {record["kind"] for record in by_kind} == {"connection"}
    assert {record["kind"] for record in gateway.log(None, "--kind", "exchange")} == {"exchange"}
    hosts = gateway.log(None, "--host", origin.name, "--kind", "exchange")
    assert [record["id"] for record in hosts] == [record["id"] for record in records]
    assert gateway.log(None, "--host", "nobody.test") == []
    assert [record["id"] for record in gateway.log(None, "--kind", "exchange", "--limit", "1")], "the limit leaves one"
    assert len(gateway.log(None, "--limit", "2")) == 2
    since = gateway.log(origin.name, "--since", records[1]["time"], kind="exchange")
    assert [record["path"] for record in since] == ["/b", "/c"]
    until = gateway.log(origin.name, "--until", records[1]["time"], kind="exchange")
    assert [record["path"] for record in until][:1] == ["/a"] and "/c" not in [record["path"] for record in until]
    assert len(gateway.log(origin.name, "--since", "1h", kind="exchange")) == 3
    assert gateway.log(origin.name, "--until", "1h") == []
    assert len(gateway.log(origin.name, "--action", "allowed", kind="exchange")) == 3
    assert gateway.log(origin.name, "--action", "blocked", kind="exchange") == []
    assert len(gateway.log(origin.name, "--device", records[0]["device"], kind="exchange")) == 3
    assert gateway.log(origin.name, "--device", "192.0.2.77") == []
    assert gateway.log(origin.name, "--app", "com.example.nobody") == []


def test_a_bad_filter_is_bad_usage(gateway):
    for options in (
        ("--since", "yesterday-ish"),
        ("--kind", "exchanges"),
        ("--limit", "-1"),
        ("--limit", "many"),
        ("--unheard-of",),
    ):
        done = gateway.command("log", "--json", *options, check=False)
        assert done.returncode == 2, f"{options}: {done}"
        assert options[-1] in done.stderr and not done.stdout


def test_an_empty_log_is_no_failure(tmp_path):
    done = Gateway(tmp_path / "fresh").command("log", "--json", check=False)
    assert (done.returncode, done.stdout) == (0, ""), done


def test_the_table_is_for_people_and_the_json_for_machines(gateway, three):
    origin, _ = three
    table = gateway.command("log").stdout
    assert "/b" in table and "POST" in table
    assert "\x1b[" not in table, "no colour where there is no terminal"


def test_follow_prints_records_as_they_come(gateway, scripted):
    origin = scripted(answering(response()))
    follower = spawn(
        [gateway.binary, "log", "--json", "--follow", "--kind", "exchange", "--host", origin.name, *gateway.options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        for number in range(3):
            curl(gateway, f"{origin.url}/{number}")
            assert json.loads(read_line(follower))["path"] == f"/{number}"
    finally:
        kill_group(follower)


def test_the_store_is_one_that_a_person_can_read(gateway, three):
    origin, records = three
    with sqlite3.connect(f"file:{gateway.state_dir}/tollgate.db?mode=ro", uri=True) as database:
        tables = {
            name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        }
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert any("exchange" in name for name in tables), tables
        table = min((name for name in tables if "exchange" in name), key=len)
        columns = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
        assert {"host", "path", "status", "method"} <= columns
