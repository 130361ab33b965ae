"""A long run, whole: `python -m bench.endurance [RATE] [SECONDS]`.

A supervisor measures a reference server on the same machine at random moments (Poisson), and stores
the run in a database of its own, as for a person. Every ten seconds, the memory of the supervisor
and of its worker, and the CPU that they used, are printed; at the end how many requests were due,
were stored and failed, and what an hour of it takes. `--keep FILE`: the database, to be read later.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
from sqlalchemy import Engine

import jobs
from bench import server
from bench.play import QUIET
from bench.work import at_random_moments
from db import counts, request_columns, runs
from db.database import connect, upgrade
from services.ask import modes
from services.ask.config import RunConfig
from services.ask.measurement import ACTIVE

MODEL = "ref ttft=0.05 gap=0.01 tokens=5"
EVERY_S = 10.0
NAMES = {"jobs": "supervisor", "services.load.worker": "worker"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.endurance", description=__doc__)
    parser.add_argument("rate", type=float, nargs="?", default=500.0, help="requests per second")
    parser.add_argument("seconds", type=float, nargs="?", default=600.0)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="the database")
    options = parser.parse_args()
    os.environ |= QUIET
    with tempfile.TemporaryDirectory() as folder, server.serving() as port:
        file = options.keep or Path(folder) / "endurance.db"
        database = connect(f"sqlite:///{file.absolute()}")
        upgrade(database)
        url = f"http://127.0.0.1:{port}"
        config = at_random_moments(url, MODEL, options.rate, options.seconds)
        run_id = jobs.submit(database, config, "endurance")
        most = _watch(database, run_id)
        _report(database, run_id, config, most, file)


def _watch(database: Engine, run_id: int) -> Counter[str]:
    """Print what the processes use until the run has ended; return their peak memory in MB."""
    most: Counter[str] = Counter()
    began = printed = time.monotonic()
    while runs.load(database, run_id).status in ACTIVE:
        time.sleep(0.5)
        now = _processes(database)
        most |= Counter({name: round(each.memory_info().rss / 2**20) for name, each in now.items()})
        if time.monotonic() - printed >= EVERY_S and now:
            printed = time.monotonic()
            shown = ", ".join(f"{name} {_of(each)}" for name, each in now.items())
            print(f"{printed - began:6.0f} s: {shown}, load {os.getloadavg()[0]:.1f}", flush=True)
    return most


def _processes(database: Engine) -> dict[str, psutil.Process]:
    """The supervisor of this database and its worker, found by their command lines."""
    found = {}
    url = database.url.render_as_string(hide_password=False)
    for each in psutil.Process().children(recursive=True):
        try:
            words = each.cmdline()
            name = NAMES.get(words[2]) if len(words) > 2 else None
            if name and each.environ().get("PACELINE_DATABASE_URL", url) == url:
                found[name] = each
        except psutil.Error:  # it has ended meanwhile
            continue
    return found


def _of(process: psutil.Process) -> str:
    with process.oneshot():
        used = sum(process.cpu_times()[:2])
        return f"{process.memory_info().rss / 2**20:.0f} MB {used:.0f} s of CPU"


def _report(
    database: Engine, run_id: int, config: RunConfig, most: Counter[str], file: Path
) -> None:
    run = runs.load(database, run_id)
    due, stored = len(modes.schedule(config, 0).due_s), request_columns.count_of(database, run_id)
    print(
        f"{run.status}: {due:,} due, {stored:,} stored: {counts.request_counts(database, run_id)}"
    )
    print(", ".join(f"{name} {mb} MB at most" for name, mb in most.items()))
    hour = 3600 / (config.duration_s or 1.0)
    size = sum(each.stat().st_size for each in file.parent.glob(f"{file.name}*")) / 1e6
    print(f"an hour of it: {stored * hour:,.0f} requests, {size * hour:,.0f} MB of database")


if __name__ == "__main__":
    main()
