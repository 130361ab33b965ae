"""How punctual Paceline is in an open loop: `python -m bench.rate [RATE] [SECONDS]`.

The worker sends requests at random moments (Poisson) to a reference server on the same machine.
Printed are how late requests left (sent − due), and how far its TTFT is from what the server's
log and the kernel's stamps say, with the CPU that the worker and the server used.
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
from bench.work import Case, Job, at_random_moments
from services.analysis.metrics import lateness
from services.analysis.statistics import percentile
from services.ask.work_item import WorkItem
from services.load.protocol import Requests, decode, encode

MODEL = "ref ttft=0.05 gap=0.01 tokens=5"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rate", description=__doc__)
    parser.add_argument("rate", type=float, nargs="?", default=1000.0, help="requests per second")
    parser.add_argument("seconds", type=float, nargs="?", default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, server.serving() as port:
        case = Case("rate", "", round(options.rate * options.seconds), MODEL, 5)
        job = Job(case, port, Path(name), "")
        config = at_random_moments(job.base_url, MODEL, options.rate, options.seconds)
        command, line = paceline.command(job, sys.executable), encode(WorkItem(config))
        limit_s = options.seconds + 120
        ended = process.run(command, line, os.environ | QUIET, limit_s, Path(name) / "stderr")
        log = server.log_of(job.base_url)
    messages = [decode(text) for text in ended.out.splitlines()]
    measured = [m for each in messages if isinstance(each, Requests) for m in each.measurements()]
    late = [value for m in measured if (value := lateness(m)) is not None]
    wrong = errors.compare(paceline.read(job, ended.out), log).ttft
    print(f"{len(measured):,} requests in {options.seconds:g} s, {len(log):,} at the server")
    for title, values in (("sent late", late), ("TTFT error", wrong)):
        shown = [f"p{p} {percentile(values, p) * 1e6:,.0f} µs" for p in (50, 99)]
        print(f"{title}: {', '.join(shown)}, at most {max(values) * 1e6:,.0f} µs")
    print(f"worker: {ended.cpu_s:.1f} s of CPU, {ended.peak_mb:.0f} MB at most")


if __name__ == "__main__":
    main()
