"""How punctual Paceline is in an open loop: `python -m bench.rate [RATE] [SECONDS] [--turns N]`.

The worker sends requests at random moments (Poisson) to a reference server on the same machine.
Printed are how late requests left (sent − due), and how far its TTFT is from what the server's
log and the kernel's stamps say, with the CPU that the worker used. `--turns`: sessions of so many
requests arrive so that the rate of requests is the same; the later ones are shown by themselves.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from bench import errors, process, server
from bench.play import QUIET
from bench.tools import paceline
from bench.work import Case, Job, at_random_moments, in_sessions
from services.analysis.metrics import lateness
from services.analysis.statistics import percentile
from services.ask import workloads
from services.ask.work_item import WorkItem
from services.load.protocol import Requests, decode, encode

MODEL = "ref ttft=0.05 gap=0.01 tokens=5"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rate", description=__doc__)
    parser.add_argument("rate", type=float, nargs="?", default=1000.0, help="requests per second")
    parser.add_argument("seconds", type=float, nargs="?", default=60.0)
    parser.add_argument("--turns", type=int, default=1, help="of a session")
    parser.add_argument("--delay", type=float, default=0.0, metavar="S", help="between its turns")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, server.serving() as port:
        case = Case("rate", "", round(options.rate * options.seconds), MODEL, 5)
        job = Job(case, port, Path(name), "")
        sessions_per_s = options.rate / options.turns
        config = at_random_moments(job.base_url, MODEL, sessions_per_s, options.seconds)
        if options.turns > 1:
            config = in_sessions(config, options.turns, options.delay)
        command, line = paceline.command(job, sys.executable), encode(WorkItem(config))
        limit_s = options.seconds + 120
        ended = process.run(command, line, os.environ | QUIET, limit_s, Path(name) / "stderr")
        log = server.log_of(job.base_url)
    messages = [decode(text) for text in ended.out.splitlines()]
    measured = [m for each in messages if isinstance(each, Requests) for m in each.measurements()]
    print(f"{len(measured):,} requests in {options.seconds:g} s, {len(log):,} at the server")
    of_class = workloads.classifier(config)
    for name in workloads.classes(config) or ("",):
        alike = [m for m in measured if of_class(m.index) == name]
        _show(f"{name or 'all'}: sent late", [s for m in alike if (s := lateness(m)) is not None])
    if options.turns == 1:  # the log distinguishes prompts by their beginnings
        _show("TTFT error", errors.compare(paceline.read(job, ended.out), log).ttft)
    print(f"worker: {ended.cpu_s:.1f} s of CPU, {ended.peak_mb:.0f} MB at most")


def _show(title: str, values_s: list[float]) -> None:
    shown = [f"p{p} {percentile(values_s, p) * 1e6:,.0f} µs" for p in (50, 99)]
    print(f"{title}: {', '.join(shown)}, at most {max(values_s) * 1e6:,.0f} µs")


if __name__ == "__main__":
    main()
