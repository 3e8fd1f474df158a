"""The process itself: how it starts, refuses to start, reloads, drains and watches its limits."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from harness import (
    DEADLINE_S,
    Gateway,
    Stream,
    answering,
    curl,
    dial,
    eventually,
    get,
    h2_through,
    kill_group,
    read_head,
    read_line,
    read_request,
    response,
    send_request,
    spawn,
    split_address,
    tls_through,
    unique_name,
)


def run_to_end(gateway: Gateway) -> subprocess.CompletedProcess:
    """`tollgate run` that is expected to refuse."""
    return subprocess.run(
        [gateway.binary, "run", *gateway.options],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        cwd=gateway.state_dir.parent,
    )


def succeeds(action) -> bool:
    """Whether it comes to its end; ssl.SSLError is an OSError."""
    try:
        action()
    except (OSError, EOFError):
        return False
    return True


# Starting


def test_the_ready_line_names_every_listener_and_is_all_there_is_on_stdout(tmp_path):
    gateway = Gateway(tmp_path / "state")
    process = spawn([gateway.binary, "run", *gateway.options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        line = read_line(process)
        words = line.split()
        assert words[0] == "ready"
        listeners = dict(word.split("=") for word in words[1:])
        assert set(listeners) == {"proxy", "transparent", "dns", "admin"}
        assert (listeners["transparent"], listeners["dns"]) == ("off", "off")
        for name in ("proxy", "admin"):
            socket.create_connection(split_address(listeners[name]), 5).close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0
        os.set_blocking(process.stdout.fileno(), True)
        assert process.stdout.read() == b""
    finally:
        kill_group(process)


def test_a_listener_can_be_off(tmp_path):
    gateway = Gateway(tmp_path / "state", settings=("listen.admin=off",))
    process = spawn([gateway.binary, "run", *gateway.options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert "admin=off" in read_line(process).split()
    finally:
        kill_group(process)


def test_a_second_instance_on_the_same_state_is_refused(gateway):
    second = run_to_end(Gateway(gateway.state_dir))
    assert second.returncode == 3
    assert str(gateway.state_dir) in second.stderr and second.stdout == ""


def test_the_state_is_free_again_after_a_kill(tmp_path):
    gateway = Gateway(tmp_path / "state").start()
    gateway.kill()
    with gateway:
        assert gateway.fetch_admin("/healthz")[0] == 200


def test_a_port_in_use_is_refused_with_its_name(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run_to_end(Gateway(tmp_path / "state", settings=(f"listen.proxy=127.0.0.1:{port}",)))
    assert refused.returncode == 3
    assert f"127.0.0.1:{port}" in refused.stderr
    assert (
        len([line for line in refused.stderr.splitlines() if "error" in line.lower() or str(port) in line]) <= 2
    ), refused.stderr


@pytest.mark.parametrize(
    "setting, needle",
    [
        ("listen.proxy=nowhere", "nowhere"),
        ("listen.prxy=off", "listen.prxy"),
        ("upstream.bad_certificate=maybe", "passthrough"),
        ("upstream.allow_loopback=perhaps", "true"),
        ("workers=-1", "workers"),
        ("limits.head=0", "limits.head"),
        ('upstream.resolve=["no-equals"]', "no-equals"),
        ("log.retention_size=huge", "huge"),
    ],
)
def test_a_bad_setting_is_bad_usage_and_the_message_says_what_is_allowed(tmp_path, setting, needle):
    refused = run_to_end(Gateway(tmp_path / "state", settings=(setting,)))
    assert refused.returncode == 2
    assert setting.partition("=")[0] in refused.stderr and needle in refused.stderr


def test_a_bad_file_is_named_with_line_and_column(tmp_path):
    (tmp_path / "bad.toml").write_text('[limits]\nhead = "30s"\nidle = "soon"\n')
    gateway = Gateway(tmp_path / "state")
    done = subprocess.run(
        [gateway.binary, "run", "--config", tmp_path / "bad.toml", *gateway.options],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 2
    assert "bad.toml:3:" in done.stderr and "soon" in done.stderr


def test_a_trust_file_that_is_not_there_is_refused(tmp_path):
    refused = run_to_end(Gateway(tmp_path / "state", anchors=tmp_path / "nowhere.pem"))
    assert refused.returncode in (2, 3) and "nowhere.pem" in refused.stderr


def test_the_default_config_file_is_read_where_it_is(tmp_path):
    (tmp_path / "tollgate.toml").write_text('[listen]\nadmin = "off"\nproxy = "127.0.0.1:0"\n[state]\ndir = "here"\n')
    gateway = Gateway(tmp_path / "unused")
    process = spawn([gateway.binary, "run"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=tmp_path)
    try:
        assert "admin=off" in read_line(process)
        assert (tmp_path / "here/ca/ca.pem").exists()
    finally:
        kill_group(process)


def test_the_authority_survives_a_restart(tmp_path):
    gateway = Gateway(tmp_path / "state")
    with gateway:
        first = gateway.ca_file.read_bytes()
    with gateway:
        assert gateway.ca_file.read_bytes() == first
    assert gateway.command("ca", "export").stdout.strip() == first.decode().strip()


# Stopping and reloading


@pytest.fixture
def held(scripted):
    """An origin whose answers are held back until `release` is set."""
    release = threading.Event()

    def script(stream, visit):
        visit.requests.append(read_request(stream))
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        release.wait(30)
        stream.send(b"half")

    origin = scripted(script)
    origin.release = release
    return origin


def test_sigterm_lets_a_response_in_flight_finish(start_gateway, held):
    gateway = start_gateway("drain_s=20")
    stream = tls_through(gateway, held)
    send_request(stream, held.authority)
    assert read_head(stream).status == 200 and stream.read_exactly(4) == b"half"
    gateway.process.send_signal(signal.SIGTERM)
    eventually(
        lambda: not succeeds(lambda: socket.create_connection(gateway.proxy, 1).close())
    )  # no new ones while it drains
    held.release.set()
    assert stream.read_exactly(4) == b"half"
    stream.close()
    assert gateway.process.wait(DEADLINE_S) == 0
    gateway.kill()
    assert gateway.log(held.name, kind="exchange")[0]["state"] == "complete"


def test_draining_is_bounded(start_gateway, held):
    gateway = start_gateway("drain_s=1")
    stream = tls_through(gateway, held)
    send_request(stream, held.authority)
    assert read_head(stream).status == 200
    gateway.stop()
    stream.read_to_end()
    assert stream.end is not None
    record = gateway.log(held.name, kind="exchange")[0]
    assert record["state"] not in ("complete", "open"), record


def test_draining_h2_says_goaway(start_gateway, h2_origin):
    release = threading.Event()

    def script(stream):
        stream.read_to_end()
        release.wait(30)
        stream.head([(":status", "200")])
        stream.send(b"late", end=True)

    origin = h2_origin(script)
    gateway = start_gateway("drain_s=20")
    client = h2_through(gateway, origin)
    stream = client.get(origin.authority)
    eventually(lambda: origin.streams)
    gateway.process.send_signal(signal.SIGTERM)
    assert client.goaway_seen.wait(15)
    release.set()
    assert stream.response().read_to_end() == b"late"
    client.close()
    assert gateway.process.wait(DEADLINE_S) == 0


def test_an_idle_client_does_not_hold_up_the_end(start_gateway, scripted):
    gateway = start_gateway("drain_s=60")
    origin = scripted(answering(response(b"done")))
    stream = tls_through(gateway, origin)
    assert get(stream, origin.authority).body == b"done"
    idle = Stream(dial(gateway))
    gateway.stop()  # within DEADLINE_S, which is less than drain_s
    assert stream.read_to_end() == b"" and idle.read_to_end() == b""


def test_sighup_reloads_the_file_and_keeps_connections(tmp_path, ca_world, scripted):
    config = tmp_path / "tollgate.toml"
    config.write_text('[upstream]\nbad_certificate = "passthrough"\n')
    gateway = Gateway(tmp_path / "state", anchors=ca_world.root_file)
    gateway.options.insert(0, f"--config={config}")
    good = scripted(answering(response(b"good")))
    name = unique_name("expired")
    bad = scripted(answering(response(b"bad")), name=name, identity=ca_world.identity(name, self_signed=True))
    with gateway:
        stream = tls_through(gateway, good)
        assert get(stream, good.authority).body == b"good"
        tls_through(gateway, bad, trust=None).close()
        config.write_text('[upstream]\nbad_certificate = "refuse"\n')
        gateway.reload()
        eventually(lambda: not succeeds(lambda: tls_through(gateway, bad, trust=None).close()))
        assert get(stream, good.authority).body == b"good", "the connection from before lives on"
        # A bad file leaves the last good one in force, and says so.
        config.write_text('[upstream]\nbad_certificate = "nonsense"\n')
        gateway.reload()
        eventually(lambda: "nonsense" in gateway.stderr())
        with pytest.raises(OSError):
            tls_through(gateway, bad, trust=None)
        stream.close()


# Limits


def test_few_descriptors_and_a_crowd_of_idle_clients(tmp_path, ca_world, scripted):
    """More clients than descriptors: the crowd is held off or let go, the gateway lives, and serves again."""

    def low_limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))

    origin = scripted(answering(response(b"alive")))
    gateway = Gateway(tmp_path / "state", anchors=ca_world.root_file, preexec=low_limit, settings=("workers=1",))
    with gateway:
        crowd = []
        for _ in range(300):
            with contextlib.suppress(OSError):
                crowd.append(socket.create_connection(gateway.proxy, 2))
        assert gateway.process.poll() is None
        assert gateway.descriptors() <= 128
        assert gateway.fetch_admin("/healthz")[0] == 200, "a spare descriptor is left for the admin side"
        for sock in crowd:
            sock.close()
        eventually(lambda: succeeds(lambda: get(tls_through(gateway, origin), origin.authority)))


def test_the_connection_limit_holds_and_lets_go(start_gateway, scripted):
    gateway = start_gateway("limits.connections=5")
    origin = scripted(answering(response(b"one of five")))
    streams = [tls_through(gateway, origin) for _ in range(5)]
    extra = socket.create_connection(gateway.proxy, 5)
    extra.settimeout(1.0)
    with contextlib.suppress(OSError):  # held back in the backlog, or closed: but not served
        extra.sendall(f"CONNECT {origin.authority} HTTP/1.1\r\nHost: {origin.authority}\r\n\r\n".encode())
        answer = extra.recv(100)
        assert not answer.startswith(b"HTTP/1.1 200"), answer
    extra.close()
    for stream in streams:
        assert get(stream, origin.authority).body == b"one of five"
        stream.close()
    eventually(lambda: succeeds(lambda: get(tls_through(gateway, origin), origin.authority)))


def test_descriptors_come_back(gateway, scripted):
    origin = scripted(answering(response()))
    curl(gateway, origin.url)
    before = gateway.descriptors()
    for _ in range(5):
        curl(gateway, "--http1.1", "--parallel", *[f"{origin.url}/{number}" for number in range(10)])
    gateway.wait_for(origin.name, kind="exchange", count=51)
    eventually(lambda: gateway.descriptors() <= before + 2)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a few megabytes for state.dir."""
    if (
        os.getuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=6m,mode=0700", "tollgate-test", tmp_path], capture_output=True
        ).returncode
        != 0
    ):
        pytest.skip("mounting a tmpfs takes root")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def test_a_full_disk_stops_the_log_and_not_the_phone(small_disk, ca_world, scripted, tmp_path_factory):
    origin = scripted(answering(response(b"served")))
    (small_disk / "state").mkdir(mode=0o700)
    gateway = Gateway(small_disk / "state", anchors=ca_world.root_file)
    gateway.stderr_file = tmp_path_factory.mktemp("full") / "stderr"
    with gateway:
        stream = tls_through(gateway, origin)
        assert get(stream, origin.authority, "/before").body == b"served"
        gateway.wait_for(origin.name, kind="exchange", path="/before")
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        for number in range(200):
            assert get(stream, origin.authority, f"/full/{number}").body == b"served"
        deadline = time.monotonic() + DEADLINE_S
        while not any(word in gateway.stderr().lower() for word in ("no space", "disk", "full")):
            assert get(stream, origin.authority, "/full/more").body == b"served"
            assert time.monotonic() < deadline, f"nothing is said about it: {gateway.stderr()}"
            time.sleep(0.05)
        assert gateway.fetch_admin("/healthz")[0] in (200, 503)
        filler.unlink()
        after = 0
        while not gateway.log(origin.name, kind="exchange", path="/after"):  # it catches up
            assert get(stream, origin.authority, "/after").body == b"served"
            after += 1
            assert time.monotonic() < deadline + 2 * DEADLINE_S, gateway.stderr()[-2000:]
            time.sleep(0.2)
        stream.close()
    assert len(gateway.log(origin.name, kind="exchange", path="/after")) <= after


def test_doctor_says_what_is_set_up(gateway):
    done = gateway.command("doctor", check=False)
    assert done.returncode in (0, 1)
    assert str(gateway.state_dir) in done.stdout


def test_no_core_dumps(gateway):
    limits = Path(f"/proc/{gateway.pid}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    # Either no core may be written, or the process is not dumpable, and /proc shows its files as root's.
    assert core.split()[4] == "0" or Path(f"/proc/{gateway.pid}/environ").stat().st_uid == 0


def test_unknown_commands_and_options_are_bad_usage():
    binary = os.environ["TOLLGATE"]
    for arguments in (["walk"], ["run", "--fast"], ["run", "--set"], ["log", "--set", "novalue"], []):
        done = subprocess.run([binary, *arguments], capture_output=True, text=True, timeout=DEADLINE_S)
        assert done.returncode == 2, arguments
        assert done.stderr and not done.stdout
