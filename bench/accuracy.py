"""`make bench`: Paceline and a peer against the reference server, whose log is the truth.

Each case is played by both, one after the other, `ROUNDS` times. Reported: how late the first and
the last token are seen (median and p99 over all requests of all rounds), CPU seconds and peak
memory of the whole client process, and the ratio of the peer's to Paceline's.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services import workloads
from services.config import RunConfig, parse
from services.statistics import percentile
from services.units import seconds

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 3
CASES: dict[str, dict[str, Any]] = {
    "1 stream, a token every 10 ms": {"requests": 1, "model": "ref ttft=1 gap=0.01 tokens=200"},
    "64 streams, a token every 10 ms": {"requests": 64, "model": "ref ttft=1 gap=0.01 tokens=100"},
    "512 streams, a token every 10 ms": {"requests": 512, "model": "ref ttft=1 gap=0.01 tokens=50"},
    "5,000 at once": {"requests": 5000, "model": "ref ttft=1 gap=1 tokens=2"},
}


@dataclass
class Found:
    """What one client saw, in seconds, and what it cost."""

    first: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    peak_mb: float = 0.0


def main() -> None:
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    head = (
        "case",
        "client",
        "came back",
        "TTFT off, p50",
        "p99",
        "E2E off, p50",
        "p99",
        "CPU s",
        "MB",
    )
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    with reference() as port:
        for name, values in CASES.items():
            case(name, port, values)


def case(name: str, port: int, values: dict[str, Any]) -> None:
    found: dict[str, Found] = {client: Found() for client in CLIENTS}
    for _ in range(ROUNDS):
        for client, measure in CLIENTS.items():
            base = {"backend": "url", "base_url": f"http://127.0.0.1:{port}/v1", "mode": "batch"}
            measure(parse({**base, "warmup": 0, **values}), port, found[client])
    for client, seen in found.items():
        numbers = [*_pair(seen.first), *_pair(seen.last)]
        back = f"{len(seen.first):,} of {values['requests'] * ROUNDS:,}"
        cost = f"{seen.cpu_s / ROUNDS:.2f} | {seen.peak_mb:.0f}"
        print(f"| {name} | {client} | {back} | {' | '.join(numbers)} | {cost} |")
    ours, theirs = found["Paceline"], found["aiohttp"]
    ttft = percentile(theirs.first, 50) / percentile(ours.first, 50)
    print(
        f"| {name} | peer ÷ Paceline | | {ttft:.0f} × | | | | {theirs.cpu_s / ours.cpu_s:.1f} × | |"
    )


def _pair(errors: list[float]) -> tuple[str, str]:
    return seconds(percentile(errors, 50)), seconds(percentile(errors, 99))


def by_paceline(config: RunConfig, port: int, found: Found) -> None:
    """The worker as it is: its messages, read from its standard output."""
    out = run([sys.executable, "-m", "services.worker"], config, found, keep_open=True)
    messages = [json.loads(line) for line in out.splitlines()]
    rows = [row for m in messages if m["type"] == "requests" for row in m["rows"]]
    repeat = next(m["repeat"] for m in reversed(messages) if m["type"] == "repeat")
    values = [m["values"] for m in messages if m["type"] == "environment"]
    mark = next(v["prompt_mark"] for v in values if "prompt_mark" in v)
    began, log = repeat["health"]["began_ns"], truth(port)
    for row in rows:
        did = log[workloads.prompt(config, 0, row["index"], mark)]
        found.first.append(row["t_first"] + (began - did["times"][0]) / 1e9)
        found.last.append(row["t_last"] + (began - did["times"][-1]) / 1e9)


def by_peer(config: RunConfig, port: int, found: Found) -> None:
    rows = json.loads(run([sys.executable, "-m", "bench.peer"], config, found))
    log = truth(port)
    for prompt, first, last in rows:
        found.first.append((first - log[prompt]["times"][0]) / 1e9)
        found.last.append((last - log[prompt]["times"][-1]) / 1e9)


def run(command: list[str], config: RunConfig, found: Found, keep_open: bool = False) -> bytes:
    """Run a client to its end; note its CPU time and peak memory."""
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin and process.stdout
    process.stdin.write(config.model_dump_json().encode() + b"\n")
    process.stdin.flush()
    if not keep_open:
        process.stdin.close()
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdin.close()
    process.stdout.close()
    found.cpu_s += usage.ru_utime + usage.ru_stime
    found.peak_mb = max(found.peak_mb, usage.ru_maxrss / 1024)
    return out


def truth(port: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/log") as answer:
        log: dict[str, Any] = json.load(answer)["log"]
    return log


@contextmanager
def reference() -> Iterator[int]:
    command = [sys.executable, "-m", "services.reference"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin and process.stdout
    with process:
        yield int(process.stdout.readline())
        process.stdin.close()


CLIENTS: dict[str, Callable[[RunConfig, int, Found], None]] = {
    "Paceline": by_paceline,
    "aiohttp": by_peer,
}

if __name__ == "__main__":
    main()
