#!/usr/bin/python3
"""Sets tollgate beside HAProxy, sslsplit, Squid and mitmproxy: same core, same origin, same load, in one run.

    cmake --preset release && cmake --build --preset release --target tollgate tollgate_load
    tests/bench/compare.py                      everything, about ten minutes
    tests/bench/compare.py --only tollgate,haproxy --scenarios full,h1 --rounds 1

A program for a person, not a test. The contender has core 0; the origin (nginx) and the load generator share core 1. The
load generator checks every answer (status, byte count, certificate, name). Contenders take turns within each round, so
that a busy machine hurts all alike, and the table has each one's median. Beside every rate is what part of core 0 the
contender used: far below 100 %, core 1 (or somebody else on the machine) was the limit, and the rate per second of the
contender's own CPU time says more.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from contenders import (
    BIG_BYTES,
    COLD_NAMES,
    CONTENDERS,
    PAGE,
    ROUNDS_AT_MOST,
    Absent,
    Bench,
    Contender,
    Origin,
    accepts,
)

REPOSITORY = Path(__file__).resolve().parents[2]
COLD_DEADLINE_S = 60.0
IDLE_DEADLINE_S = 120.0
SETTLED_S = 15.0  # at most, for work that outlives the load (tollgate's journal is still going into SQLite)


@dataclass(frozen=True)
class Scenario:
    key: str
    title: str
    unit: str
    options: tuple[str, ...]
    http2: bool = False
    field: str = "per_second"
    path: str = "/index.html"
    expect: int = len(PAGE)


SCENARIOS = [
    Scenario("full", "new connections, full handshakes", "/s", ("--mode", "connections", "--connections", "16")),
    Scenario("resumed", "new connections, resumed", "/s", ("--mode", "connections", "--connections", "16", "--resume")),
    Scenario("cold", f"new connections, {COLD_NAMES} cold names", "/s",
             ("--mode", "connections", "--connections", "16", "--names", str(COLD_NAMES), "--count", str(COLD_NAMES))),
    Scenario("h1", "keep-alive HTTP/1.1 requests", "/s", ("--connections", "32")),
    Scenario("h2", "HTTP/2 requests", "/s", ("--connections", "8", "--streams", "8"), http2=True),
    Scenario("big", "10 MB downloads, HTTP/1.1", "MB/s", ("--connections", "4"), field="megabytes_per_second",
             path="/big", expect=BIG_BYTES),
    Scenario("latency", "one request at a time, HTTP/1.1", "ms p50", ("--connections", "1"), field="p50_ms"),
]  # fmt: skip
IDLE = {"idle_h1": "idle pair, HTTP/1.1", "idle_h2": "idle pair, HTTP/2"}


class Runner:
    def __init__(self, bench: Bench, load: Path, seconds: float):
        self.bench, self.load, self.seconds = bench, load, seconds

    def load_command(self, contender: Contender, key: str, http2: bool, path: str, expect: int) -> list[str]:
        return [*self.bench.prefix(core=1), str(self.load), "--to", f"127.0.0.1:{contender.port_for(key)}",
                "--ca", str(contender.trust()), *contender.connect_option(), "--path", path,
                "--expect", str(expect), *(["--h2"] if http2 else [])]  # fmt: skip

    def measure(self, contender: Contender, scenario: Scenario, round_number: int) -> dict:
        """One run of the load generator; what it counted, with the contender's CPU time until it came to rest."""
        name = f"c{round_number}.test" if scenario.key == "cold" else "a.test"
        seconds = COLD_DEADLINE_S if scenario.key == "cold" else self.seconds
        command = self.load_command(contender, scenario.key, scenario.http2, scenario.path, scenario.expect)
        command += [*scenario.options, "--name", name, "--seconds", str(seconds)]
        process = contender.process()
        before = process.cpu_s()
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
        during = process.cpu_s() - before
        if not done.stdout.startswith("{"):
            return {"error": (done.stderr or done.stdout).strip()[-300:] or f"load generator ended with {done.returncode}"}
        sample = json.loads(done.stdout)
        if sample["errors"] or not sample["responses"]:
            return {"error": f"{sample['errors']} errors of {sample['responses']}: {sample['first_error']}"}
        if scenario.key == "cold" and sample["responses"] < COLD_NAMES:
            return {"error": f"only {sample['responses']} of {COLD_NAMES} names in {COLD_DEADLINE_S:.0f} s"}
        settle(process)
        cpu = process.cpu_s() - before
        return sample | {
            "core_share": during / sample["seconds"],
            "cpu_s_per_10k": cpu / sample["responses"] * 10_000,
            "per_cpu_second": sample["responses"] / max(cpu, 0.01),
            "resumed_share": sample["resumed"] / max(sample["handshakes"], 1),
        }

    def idle(self, contender: Contender, http2: bool) -> dict:
        """What `idle_connections` connections cost a fresh process, each after one request, in PSS."""
        contender.stop()
        contender.start()
        warm = Scenario("idle", "", "", ("--connections", "8", "--count", "100"), http2=http2)
        warmed = self.measure(contender, warm, 0)
        if "error" in warmed:
            return warmed
        process, count = contender.process(), contender.idle_connections
        before = process.pss_bytes()
        command = self.load_command(contender, "idle", http2, "/index.html", len(PAGE))
        command += ["--mode", "idle", "--connections", str(count), "--seconds", "60"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as load:
            try:
                assert load.stdout is not None
                ready, _, _ = select.select([load.stdout], [], [], IDLE_DEADLINE_S)
                line = load.stdout.readline() if ready else ""
                if line.strip() != f"open {count}":
                    return {"error": f"connections did not open: {line.strip() or 'too slow'}"}
                time.sleep(2)
                settle(process)
                after = process.pss_bytes()
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(load.pid, signal.SIGKILL)
        return {"kib": (after - before) / 1024 / count, "connections": count}


def settle(process) -> None:
    deadline = time.monotonic() + SETTLED_S
    last = process.cpu_s()
    while time.monotonic() < deadline:
        time.sleep(0.3)
        now = process.cpu_s()
        if now - last <= 0.02:
            return
        last = now


def measure_all(runner: Runner, contenders: list[Contender], origin: Origin, chosen: list[str], rounds: int) -> dict:
    """{scenario: {contender: [sample, …]}}"""
    samples: dict = {}
    for round_number in range(rounds):
        for scenario in (s for s in SCENARIOS if s.key in chosen):
            for contender in [origin, *contenders]:
                if scenario.http2 and not contender.http2:
                    continue
                sample = runner.measure(contender, scenario, round_number)
                samples.setdefault(scenario.key, {}).setdefault(contender.name, []).append(sample)
                progress(f"round {round_number + 1} {scenario.key} {contender.name}", sample, scenario.field)
                if "error" in sample and contender is not origin and not accepts(contender.port):
                    print(f"!! {contender.name} no longer answers, and is started again", file=sys.stderr)
                    contender.stop()
                    contender.start()
    for key in (key for key in IDLE if key in chosen):
        for contender in contenders:
            if key == "idle_h2" and not contender.http2:
                continue
            sample = runner.idle(contender, key == "idle_h2")
            samples.setdefault(key, {})[contender.name] = [sample]
            progress(f"{key} {contender.name}", sample, "kib")
    return samples


def progress(what: str, sample: dict, field: str) -> None:
    said = f"FAILED: {sample['error']}" if "error" in sample else f"{sample[field]:.2f}"
    print(f"{what}: {said}", file=sys.stderr, flush=True)


def median(samples: dict, key: str, name: str, field: str) -> float | None:
    """Of the rounds that went right; None when none did."""
    good = [sample[field] for sample in samples.get(key, {}).get(name, []) if "error" not in sample]
    return statistics.median(good) if good else None


def ratio(a: float | None, b: float | None) -> str:
    return f"{a / b:.2f}" if a is not None and b else "-"


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def print_table(samples: dict, names: list[str]) -> None:
    for scenario in SCENARIOS:
        if scenario.key not in samples:
            continue
        print(f"\n**{scenario.title}** ({scenario.unit})\n")
        if scenario.key == "latency":
            print_latency(samples, names)
            continue
        notes = ["resumed"] if scenario.key == "resumed" else []
        print(row("", scenario.unit, "/ HAProxy", "/ mitmproxy", "of core 0", "responses / CPU s", "/ HAProxy",
                  "CPU s / 10,000", *notes))  # fmt: skip
        print(row(*["---"] * (8 + len(notes))))
        for name in ["direct", *names]:
            if name not in samples[scenario.key]:
                continue
            rate, limit, slow = (median(samples, scenario.key, n, scenario.field) for n in (name, "haproxy", "mitmproxy"))
            each, limit_each = (median(samples, scenario.key, n, "per_cpu_second") for n in (name, "haproxy"))
            share = median(samples, scenario.key, name, "core_share")
            own = [] if name == "direct" else [f"{share:.0%}" if share is not None else "-", number(each),
                   ratio(each, limit_each), number(median(samples, scenario.key, name, "cpu_s_per_10k"))]  # fmt: skip
            resumed = median(samples, scenario.key, name, "resumed_share")
            extra = [f"{resumed:.0%}" if resumed is not None else "-"] if notes else []
            print(row(name, number(rate), ratio(rate, limit), ratio(rate, slow), *(own or [""] * 4), *extra))
    for key, title in IDLE.items():
        if key in samples:
            print(f"\n**{title}** (KiB of the contender's memory, PSS)\n")
            print(row("", "KiB", "/ HAProxy", "/ mitmproxy") + "\n" + row(*["---"] * 4))
            for name in samples[key]:
                size, limit, slow = (median(samples, key, n, "kib") for n in (name, "haproxy", "mitmproxy"))
                print(row(name, number(size), ratio(size, limit), ratio(size, slow)))


def print_latency(samples: dict, names: list[str]) -> None:
    print(row("", "p50", "p99", "added p50", "added p99") + "\n" + row(*["---"] * 5))
    base = [median(samples, "latency", "direct", field) for field in ("p50_ms", "p99_ms")]
    for name in ["direct", *names]:
        own = [median(samples, "latency", name, field) for field in ("p50_ms", "p99_ms")]
        added = [number(a - b) if a is not None and b is not None else "-" for a, b in zip(own, base)]
        print(row(name, *map(number, own), *added))


def floors(samples: dict) -> list[tuple[str, bool]]:
    """What issue and docs promise, for what was measured: a sentence, and whether it holds."""
    found = []

    def rate(key: str, name: str) -> float | None:
        return median(samples, key, name, next(s.field for s in SCENARIOS if s.key == key))

    def compare(key: str, other: str, factor: float) -> None:
        ours, theirs = rate(key, "tollgate"), rate(key, other)
        if other in samples.get(key, {}) and theirs is not None:
            have = 0.0 if ours is None else ours / theirs
            found.append((f"{key}: {have:.2f} of {other} (floor {factor:g})", have >= factor))

    for key in ("full", "resumed", "cold", "h1", "h2"):
        compare(key, "haproxy", 0.7)
        compare(key, "mitmproxy", 10)
    for key in ("full", "resumed", "cold", "h1", "h2", "big"):
        compare(key, "squid", 1)
        compare(key, "sslsplit", 1)
    for key in IDLE:
        size = median(samples, key, "tollgate", "kib")
        if "tollgate" in samples.get(key, {}):
            found.append((f"{key}: {number(size)} KiB a pair (at most 40)", size is not None and size <= 40))
    return found


def machine(bench: Bench, everyone: list[Contender]) -> dict:
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), "unknown")  # fmt: skip
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(), "nice": bench.nice,
            "load_before": round(os.getloadavg()[0], 1),
            "versions": {c.name: c.version() for c in everyone}}  # fmt: skip


def assemble(bench: Bench, only: set[str]) -> list[Contender]:
    present = []
    for kind in CONTENDERS:
        if only and kind.name not in only:
            continue
        try:
            present.append(kind(bench))
        except Absent as absent:
            print(f"!!! {kind.name} IS LEFT OUT: {absent}", file=sys.stderr)
    return present


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    keys = [s.key for s in SCENARIOS] + list(IDLE)
    parser.add_argument("--only", default="", help="contenders, with commas: " + ",".join(c.name for c in CONTENDERS))
    parser.add_argument("--scenarios", default=",".join(keys), help="with commas (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of load in each run (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, choices=range(1, ROUNDS_AT_MOST + 1), metavar="N")
    parser.add_argument("--nice", type=int, default=0, help="priority of contender, origin and load; below 0 needs root")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every sample, too")
    parser.add_argument("--tollgate", type=Path, default=REPOSITORY / "build/release/tollgate", metavar="FILE")
    parser.add_argument("--load", type=Path, default=REPOSITORY / "build/release/tollgate_load", metavar="FILE")
    arguments = parser.parse_args()
    for given, known in ((arguments.only, [c.name for c in CONTENDERS]), (arguments.scenarios, keys)):
        if unknown := set(filter(None, given.split(","))) - set(known):
            parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    for program in (arguments.tollgate, arguments.load):
        if not program.exists():
            parser.error(f"{program} is not built (cmake --preset release; see the top of this file)")
    if (os.cpu_count() or 1) < 2:
        parser.error("two cores are needed: one for the contender, one for origin and load")
    return arguments


def main() -> int:
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` ends what was started
    with tempfile.TemporaryDirectory(prefix="tollgate-bench-") as folder:
        bench = Bench(Path(folder), arguments.nice, arguments.tollgate.resolve())
        contenders = assemble(bench, set(filter(None, arguments.only.split(","))))
        origin = Origin(bench)
        about = machine(bench, [*contenders, origin])
        print(f"{about['cores']} cores, {about['cpu']}, Linux {about['kernel']}, nice {about['nice']}, load average "
              f"{about['load_before']} before")  # fmt: skip
        for name, version in about["versions"].items():
            print(f"  {name}: {version}")
        try:
            for contender in [origin, *contenders]:
                contender.start()
            samples = measure_all(Runner(bench, arguments.load.resolve(), arguments.seconds), contenders, origin,
                                  arguments.scenarios.split(","), arguments.rounds)  # fmt: skip
        finally:
            for interruption in (signal.SIGTERM, signal.SIGINT):
                signal.signal(interruption, signal.SIG_IGN)  # a second one would leave the rest of them running
            for contender in [*contenders, origin]:
                contender.stop()
    print_table(samples, [contender.name for contender in contenders])
    checks = floors(samples)
    print()
    for sentence, holds in checks:
        print(f"{'pass' if holds else 'FAIL'}  {sentence}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": about, "samples": samples}, indent=1) + "\n")
    return 0 if all(holds for _, holds in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
