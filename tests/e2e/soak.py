#!/usr/bin/python3
"""A soak: 200,000 mixed requests through one gateway, memory and descriptors sampled, and a verdict at the end.

    TOLLGATE=build/release/tollgate tests/e2e/soak.py [--requests 200000]

A program a person runs, not a test. Half of the requests are HTTP/2, the rest HTTP/1.1 over TLS and absolute-form HTTP;
with new connections all the time, so that what a connection leaves behind shows. Exit code 0: flat. 1: not flat, or a
request failed.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from harness import CaWorld, ConnectForwarder, Gateway, Nginx, Stream, dial, read_response, run  # noqa: E402

MIB = 1024 * 1024
ROUND = 2000  # requests a round; a sample after each
WARM_UP = 0.2  # of the rounds: caches fill, the allocator finds its size
MEMORY_GROWTH = 8 * MIB  # allowed from the first sample after warming up to the last
DESCRIPTOR_GROWTH = 4


def load_h2(gateway: Gateway, nginx: Nginx, count: int) -> int:
    return load(gateway, nginx, "h2", count, "--max-concurrent-streams=10")


def load_h1(gateway: Gateway, nginx: Nginx, count: int) -> int:
    return load(gateway, nginx, "h1", count, "--h1")


def load(gateway: Gateway, nginx: Nginx, server: str, count: int, *options: str) -> int:
    """By h2load, over ten connections; how many succeeded."""
    with ConnectForwarder(gateway, nginx.authority(server)) as forwarder:
        done = run(
            [
                "h2load",
                f"--requests={count}",
                "--clients=10",
                "--threads=1",
                *options,
                f"--connect-to=127.0.0.1:{forwarder.port}",
                f"https://{nginx.authority(server)}/hello",
            ]
        )
    return int(re.search(rb"(\d+) succeeded", done.stdout)[1])


def load_plain(gateway: Gateway, nginx: Nginx, count: int) -> int:
    """Absolute-form, fifty requests a connection."""
    succeeded, authority = 0, nginx.authority("plain")
    request = f"GET http://{authority}/hello?key=value HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()
    while count:
        stream = Stream(dial(gateway))
        for _ in range(min(50, count)):
            stream.send(request)
            succeeded += read_response(stream).body == b"hello\n"
            count -= 1
        stream.sock.close()
    return succeeded


def one_round(gateway: Gateway, nginx: Nginx) -> int:
    shares = ((load_h2, ROUND // 2), (load_h1, ROUND * 3 // 10), (load_plain, ROUND // 5))
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda loader=loader, count=count: results.append(loader(gateway, nginx, count)))
        for loader, count in shares
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(results)


def settled_descriptors(gateway: Gateway) -> int:
    """After the round's connections have gone: the lowest of a second."""
    seen = []
    for _ in range(10):
        seen.append(gateway.descriptors())
        time.sleep(0.1)
    return min(seen)


def soak(requests: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="tollgate-soak-") as folder:
        world = CaWorld(Path(folder) / "world")
        nginx = Nginx(Path(folder) / "nginx", world)
        gateway = Gateway(Path(folder) / "state", anchors=world.root_file)
        try:
            with gateway:
                samples, failed = sample_rounds(gateway, nginx, requests)
                recorded = wait_for_all(gateway, requests - failed)
        finally:
            nginx.close()
    return verdict(samples, failed, requests, recorded)


def sample_rounds(gateway: Gateway, nginx: Nginx, requests: int) -> tuple[list[tuple[int, int]], int]:
    """(memory, descriptors) after each round, and how many requests did not succeed."""
    samples, failed, started = [], 0, time.monotonic()
    for done in range(ROUND, requests + 1, ROUND):
        failed += ROUND - one_round(gateway, nginx)
        samples.append((gateway.memory(), settled_descriptors(gateway)))
        print(
            f"{done:7} requests  {done / (time.monotonic() - started):6.0f}/s  {samples[-1][0] / MIB:6.1f} MiB"
            f"  {samples[-1][1]:4} descriptors  {failed} failed",
            flush=True,
        )
    return samples, failed


def wait_for_all(gateway: Gateway, expected: int) -> int:
    """How many exchanges the log has, once it has caught up or a minute has gone."""
    deadline = time.monotonic() + 60
    while True:
        count = gateway.command("log", "--json", "--kind", "exchange").stdout.count("\n")
        if count >= expected or time.monotonic() > deadline:
            return count
        time.sleep(1)


def verdict(samples: list[tuple[int, int]], failed: int, requests: int, recorded: int) -> bool:
    settled = samples[int(len(samples) * WARM_UP) :]
    # Halves, not single samples: an allocator breathes.
    half = len(settled) // 2 or 1
    memory = [min(sample[0] for sample in part) for part in (settled[:half], settled[half:] or settled)]
    descriptors = [min(sample[1] for sample in part) for part in (settled[:half], settled[half:] or settled)]
    flat = memory[1] - memory[0] <= MEMORY_GROWTH and descriptors[1] - descriptors[0] <= DESCRIPTOR_GROWTH
    print(
        f"{'flat' if flat else 'NOT flat'}: memory {memory[0] / MIB:.1f} to {memory[1] / MIB:.1f} MiB, descriptors "
        f"{descriptors[0]} to {descriptors[1]}; {failed} of {requests} requests failed; {recorded} exchanges in the log"
    )
    return flat and failed == 0 and recorded == requests


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=200_000, help=f"rounded down to a multiple of {ROUND}")
    requests = parser.parse_args().requests // ROUND * ROUND
    if not os.access(os.environ.get("TOLLGATE", ""), os.X_OK) or not requests:
        parser.error(f"TOLLGATE must name the binary, and --requests be at least {ROUND}")
    return 0 if soak(requests) else 1


if __name__ == "__main__":
    sys.exit(main())
