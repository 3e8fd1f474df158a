"""kill -9 at random moments under load, fifty times: what a client had whole is in the log, exactly once, and the store
opens clean."""

import collections
import json
import os
import random
import sqlite3
import threading
import time

from harness import Gateway, H2Origin, Reset, ScriptedOrigin, answering, get, h2_through, reply, response, tls_through

KILLS = 50
CLIENTS = 4  # two of HTTP/1.1, two of HTTP/2


class Load:
    """Clients that request without pause, each path once, and note every response that they had whole."""

    def __init__(self, gateway: Gateway, h1, h2):
        self._gateway, self._origins = gateway, (h1, h2)
        self._stop = threading.Event()
        self.whole: list[tuple[str, str]] = []  # host, path
        self._threads = [threading.Thread(target=self._client, args=(index,), daemon=True) for index in range(CLIENTS)]

    def run_until(self, seconds: float) -> None:
        for thread in self._threads:
            thread.start()
        time.sleep(seconds)  # the random moment itself

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def _client(self, index: int) -> None:
        mark = f"{os.urandom(6).hex()}"
        try:
            (self._talk_h1 if index % 2 else self._talk_h2)(mark)
        except (OSError, EOFError, Reset, AssertionError):
            pass  # the gateway was killed under it

    def _talk_h1(self, mark: str) -> None:
        origin = self._origins[0]
        stream = tls_through(self._gateway, origin)
        number = 0
        while not self._stop.is_set():
            path = f"/{mark}/{(number := number + 1)}"
            answer = get(stream, origin.authority, path)
            if answer.body == b"whole":
                self.whole.append((origin.name, path))

    def _talk_h2(self, mark: str) -> None:
        origin = self._origins[1]
        client = h2_through(self._gateway, origin)
        number = 0
        while not self._stop.is_set():
            paths = [f"/{mark}/{number + offset}" for offset in range(3)]
            number += 3
            for path, stream in [(path, client.get(origin.authority, path)) for path in paths]:
                if stream.response().read_to_end() == b"whole":
                    self.whole.append((origin.name, path))


def logged(gateway: Gateway) -> collections.Counter:
    """(host, path) of every exchange in the log, straight from its NDJSON."""
    lines = gateway.command("log", "--json", "--kind", "exchange").stdout.splitlines()
    records = [json.loads(line) for line in lines]
    ids = [record["id"] for record in records]
    assert len(ids) == len(set(ids)), "an id twice"
    return collections.Counter((record["host"].rpartition(":")[0], record["path"]) for record in records)


def check(gateway: Gateway, whole: list[tuple[str, str]]) -> None:
    counts = logged(gateway)
    lost = [each for each in whole if counts[each] == 0]
    assert not lost, f"{len(lost)} of {len(whole)} whole responses are not in the log, e.g. {lost[:3]}"
    twice = [each for each, count in counts.items() if count > 1]
    assert not twice, f"more than once in the log: {twice[:3]}"


def test_nothing_that_a_client_had_whole_is_lost_or_doubled(tmp_path, ca_world):
    seed = int(os.environ.get("TOLLGATE_SEED", time.time_ns() % 100_000))
    print(f"TOLLGATE_SEED={seed}")
    moments = random.Random(seed)
    h1 = ScriptedOrigin(ca_world, answering(response(b"whole")))
    h2 = H2Origin(ca_world, reply(b"whole"))
    gateway = Gateway(tmp_path / "state", anchors=ca_world.root_file)
    every: list[tuple[str, str]] = []
    for kill in range(KILLS):
        gateway.start()
        load = Load(gateway, h1, h2)
        # From the first handshakes to some hundred requests; now and then before anything has happened.
        load.run_until(moments.choice((0.0, 0.02, 0.1, 0.3)) + moments.random() * 0.2)
        gateway.kill()
        load.stop()
        every += load.whole
        if kill % 10 == 9:
            check(gateway, every)  # beside no running gateway: what the killed one left
    assert len(every) > KILLS, f"only {len(every)} responses in {KILLS} runs: no load"
    with sqlite3.connect(tmp_path / "state/tollgate.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    # A last run ingests everything; it changes nothing in what the log says.
    with gateway:
        check(gateway, every)
    check(gateway, every)
    h1.close()
    h2.close()


def test_a_torn_tail_of_a_journal_is_left_out_and_the_rest_is_kept(tmp_path, ca_world):
    origin = ScriptedOrigin(ca_world, answering(response(b"whole")))
    gateway = Gateway(tmp_path / "state", anchors=ca_world.root_file).start()
    stream = tls_through(gateway, origin)
    for number in range(10):
        get(stream, origin.authority, f"/{number}")
    gateway.kill()
    segments = [path for path in (gateway.state_dir / "journal").rglob("*") if path.is_file() and path.stat().st_size]
    assert segments
    for segment in segments:  # half a record, as a full disk or a power cut leaves it
        with segment.open("ab") as file:
            file.write(b"\x40\x00\x00\x00\x12\x34")
    with gateway:
        records = gateway.wait_for(origin.name, kind="exchange", count=10)
        assert [record["path"] for record in records] == [f"/{number}" for number in range(10)]
        stream = tls_through(gateway, origin)
        get(stream, origin.authority, "/after")
        gateway.wait_for(origin.name, kind="exchange", path="/after")
    origin.close()
