"""`python -m bench.large [REQUESTS]`: what a run of so many requests costs whoever reads it.

The requests are made up (an open loop of 500 requests/s, answers of six tokens) and stored by the
code that stores a real run, in a database of its own; with `--keep FILE` in that file, from which
the next call takes them. Then each reader works in a process of its own: printed are the seconds
that it took and the memory at its peak, beside those of a process that only opens the database.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from datetime import UTC, datetime
from itertools import islice
from math import nan
from pathlib import Path

import httpx
from sqlalchemy import Engine

from db import queue, recording, request_columns, results, runs
from db.database import connect, opened, upgrade
from services.analysis.compare.stored_summary import stored_summary
from services.ask.config import parse
from services.ask.measurement import Measurement, Progress, Repeat
from services.base.units import seconds

REQUESTS, RATE, TOKENS = 900_000, 500.0, 6
SMALL = 5_000  # requests of a second, smaller run
BATCH = 500  # requests that are stored together, as a worker sends them
FRAME = Path(__file__).resolve().parent.parent / "pages" / "_frame.py"
FILES = ("requests.csv", "requests.parquet", "run.json", "summary.csv", "markdown.md", "page.html")


def made_up(count: int) -> Iterator[Measurement]:
    """Return requests at random moments, whose answers take about half a second."""
    chance = random.Random(count)
    due = 0.0
    for index in range(count):
        due += chance.expovariate(RATE)
        sent = due + 0.0002 * chance.random()
        times = [sent + 0.1 * chance.lognormvariate(0, 0.4)]
        while len(times) < TOKENS:
            times.append(times[-1] + 0.05 * chance.uniform(0.6, 1.4))
        if index % 1_000 == 999:
            error = {"error_class": "http_5xx", "http_status": 500, "error": "overloaded"}
            yield Measurement(0, index, "failed", due, t_send=sent, t_end=times[0], **error)  # type: ignore[arg-type]
            continue
        yield Measurement(
            0,
            index,
            "ok",
            t_due=due,
            t_send=sent,
            t_first=times[0],
            t_answer=times[0],
            t_last=times[-1],
            t_end=times[-1] + 0.0001,
            token_times=tuple(times),
            prompt_tokens=chance.randint(10, 200),
            output_tokens=TOKENS,
            cached_tokens=0,
            token_source="usage",
            finish_reason="length",
        )


def store(database: Engine, count: int) -> int:
    """Store a run of `count` requests in batches like a worker's, and return its id."""
    fields = {"mode": "poisson", "rate": RATE, "duration_s": count / RATE, "model": "m"}
    run_id = runs.create(database, parse(fields), f"lane {count}", f"{count:,} requests")
    queue.claim(database)
    recording.add_repeat(database, run_id, Repeat(0, datetime.now(UTC)))
    done = 0
    requests = made_up(count)
    while batch := list(islice(requests, BATCH)):
        recording.add_measurements(database, run_id, batch)
        done += len(batch)
        moment = done / RATE
        if done % (10 * BATCH) == 0:
            now = Progress(moment, 0, done, 200, done, 0, done * TOKENS, 0.0, 0.0, 0.5)
            recording.add_progress(database, run_id, now)
    health = {"clock": "kernel", "cpu_share": 0.5, "loop_lag_p99_s": 0.0, "t": 0.0}
    recording.add_repeat(database, run_id, Repeat(0, datetime.now(UTC), count / RATE, health))
    return run_id


def end(database: Engine, run_id: int = 1) -> None:
    """Do what the supervisor does when a run has ended."""
    request_columns.store(database, run_id)
    summary = stored_summary(results.candidate(database, run_id))
    queue.finish(database, run_id, "done", None, summary)


def page(name: str, **parameters: str) -> Callable[[Engine], None]:
    def show(_: Engine) -> None:
        from streamlit.testing.v1 import AppTest

        at = AppTest.from_file(FRAME, default_timeout=600)
        at.switch_page(f"{name}.py")
        for parameter, text in parameters.items():
            at.query_params[parameter] = text
        at.run()
        assert not at.exception, at.exception[0].value

    return show


def file(name: str) -> Callable[[Engine], None]:
    """Make an export as the command line does, and discard it."""

    def write(_: Engine) -> None:
        from cli import main

        with open(os.devnull, "w") as sink, redirect_stdout(sink):
            assert main(["export", "1", "--format", name, "--output", os.devnull]) == 0

    return write


def command(*words: str) -> Callable[[Engine], None]:
    def run(_: Engine) -> None:
        from cli import main

        with open(os.devnull, "w") as sink, redirect_stdout(sink):
            assert main([*words]) == 0

    return run


def request(path: str) -> Callable[[Engine], None]:
    """Call the API in this process, without a server."""

    def read(_: Engine) -> None:
        from api import api

        async def send() -> int:
            transport = httpx.ASGITransport(api)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1"
            ) as client:
                return (await client.get(path, timeout=600)).status_code

        assert asyncio.run(send()) == 200

    return read


READERS: dict[str, Callable[[Engine], None]] = {
    "nothing": lambda _: None,
    "an empty page": page("glossary"),
    "its end, by the supervisor": end,
    "Result": page("result", run="1"),
    "Result, again": page("result", run="1"),
    "Result, timeline": page("result", run="1", tab="timeline"),
    "Result, numbers": page("result", run="1", tab="numbers"),
    "Result, requests": page("result", run="1", tab="requests"),
    "Result, setup": page("result", run="1", tab="setup"),
    "Compare with a small run": page("compare", runs="1,2"),
    "Live": page("live", run="1"),
    "History": page("history"),
    "API, the run": request("/runs/1"),
    "API, the requests": request("/runs/1/requests.csv"),
    "show": command("show", "1"),
    **{f"export {name}": file(name) for name in FILES},
}


def measure(name: str, url: str) -> tuple[float, ...]:
    """Run a reader in a process of its own; return its seconds, CPU seconds and peak memory in
    MB."""
    asked = [sys.executable, "-m", "bench.large", "--reader", name]
    ended = subprocess.run(
        asked, env=os.environ | {"PACELINE_DATABASE_URL": url}, capture_output=True, text=True
    )
    if ended.returncode:
        print(f"{name}: {ended.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return nan, nan, nan
    return tuple(map(float, ended.stdout.split()))


def read(name: str) -> None:
    """Run as that process."""
    logging.disable(logging.CRITICAL)
    if name != "nothing":
        import pages.widgets.chart_panel  # noqa: F401  # as an app that runs has it
    began, spent = time.perf_counter(), time.process_time()
    READERS[name](opened())
    took, cpu = time.perf_counter() - began, time.process_time()
    print(took, cpu - spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.large", description=__doc__)
    parser.add_argument("requests", type=int, nargs="?", default=REQUESTS)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="the database")
    parser.add_argument("--only", help="readers whose name contains this")
    parser.add_argument("--reader", choices=READERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reader:
        read(options.reader)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = options.keep or Path(folder) / "large.db"
        if not file.exists():
            began = time.perf_counter()
            database = connect(f"sqlite:///{file.absolute()}")
            upgrade(database)
            store(database, options.requests)
            end(database, store(database, SMALL))
            print(f"stored in {seconds(time.perf_counter() - began)}, {_mb(file)} MB", flush=True)
        names = [name for name in READERS if (options.only or "") in name]
        for name in names:
            took, cpu, most = measure(name, f"sqlite:///{file.absolute()}")
            print(f"{name}: {took:.2f} s, {cpu:.2f} s of CPU, {most:.0f} MB at most", flush=True)
        print(f"database: {_mb(file)} MB")


def _mb(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:,.0f}"


if __name__ == "__main__":
    main()
