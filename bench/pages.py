"""`python -m bench.pages`: how long the largest pages take on the server, against the goals.

Compare of eight runs with 5,000 requests of 128 tokens each, and History with 10,000 runs, in a
database of its own. The pages' own scripts run in this process, in Streamlit's test harness; what
a browser then draws is not in it. A busy machine slows them all, so each is also compared with an
empty page that is opened in the same round.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Engine, insert, select
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.testing.v1 import AppTest

from bench import report
from db import baselines, queue, recording, request_columns, results, runs, schema
from db.database import opened, writing
from services.analysis.compare.stored_summary import stored_summary
from services.ask.config import parse
from services.ask.measurement import Measurement, Repeat
from services.base.units import seconds, significant

FRAME = Path(__file__).resolve().parent.parent / "pages" / "_frame.py"
RUNS, REPEATS, REQUESTS, TOKENS = 8, 5, 1_000, 128
FEW = 2  # small runs besides the large ones
STORED = 10_000  # runs in History
COMMON = "nightly"  # a tag that all runs have
TIMES = 5  # how often each page is opened
HEAD = ("page", "goal", "first", "its CPU", "again, median", "its CPU", "CPU of an empty page")


@dataclass(frozen=True)
class Opening:
    """A page with its parameters and its limit in seconds."""

    title: str
    page: str
    parameters: dict[str, str]
    goal_s: float


EMPTY = "import streamlit as st\nst.title('Empty')\n"

OPENINGS = (
    Opening(
        f"Compare, {RUNS} runs of {REPEATS * REQUESTS:,} requests",
        "compare",
        {"runs": ",".join(map(str, range(1, RUNS + 1)))},
        1.5,
    ),
    Opening("Run", "run", {}, 0.3),
    Opening(
        f"Run, {RUNS} settings",
        "run",
        {"vs": ";".join(f"mode=batch&concurrency={n}" for n in range(1, RUNS))},
        0.3,
    ),
    Opening(f"History, {STORED:,} runs", "history", {}, 0.2),
    Opening(f"History, {STORED:,} runs, by a text", "history", {"text": "lane 77"}, 0.2),
    Opening(f"History, {STORED:,} runs, by a tag", "history", {"tag": "tag 7"}, 0.2),
    Opening(f"History, {STORED:,} runs, page 100", "history", {"page": "100"}, 0.2),
    Opening(f"History, {STORED:,} runs, trend", "history", {"trend": "ttft_s_median"}, 0.5),
)


def request(repeat: int, index: int, slower: float, chance: random.Random) -> Measurement:
    """Return an answer of 128 tokens, about 10 ms apart."""
    send = index * 0.01
    at = send + 0.2 * slower * chance.lognormvariate(0, 0.3)
    times = []
    for _ in range(TOKENS):
        times.append(at)
        at += 0.01 * slower * chance.uniform(0.8, 1.2)
    return Measurement(
        repeat,
        index,
        "ok",
        t_due=send,
        t_send=send,
        t_first=times[0],
        t_answer=times[0],
        t_last=times[-1],
        t_end=times[-1],
        token_times=tuple(times),
        prompt_tokens=20,
        output_tokens=TOKENS,
        cached_tokens=0,
        token_source="usage",
        finish_reason="length",
    )


def store(database: Engine, number: int, requests: int) -> None:
    """Store one run with `requests` requests per repeat, as the supervisor does."""
    chance = random.Random(number)
    config = parse({"mode": "batch", "model": "m", "requests": requests, "repeats": REPEATS})
    run_id = runs.create(database, config, f"lane {number}", f"Candidate {number}")
    queue.claim(database)
    for repeat in range(REPEATS):
        slower = 1 + number / 20 + chance.uniform(0, 0.01)
        measured = [request(repeat, index, slower, chance) for index in range(requests)]
        recording.add_repeat(database, run_id, Repeat(repeat, datetime.now(UTC), 15.0, {}))
        recording.add_measurements(database, run_id, measured)
    request_columns.store(database, run_id)
    queue.finish(
        database, run_id, "done", None, stored_summary(results.candidate(database, run_id))
    )


def store_many(database: Engine) -> None:
    """Store STORED runs without requests, each with a tag: copies of the first, a minute apart. One
    of them is the baseline of a tag that they share."""
    with writing(database) as connection:
        first = connection.execute(select(schema.runs).limit(1)).mappings().one()
        rows = [
            {
                **first,
                "id": i,
                "name": f"Run {i} on lane {i % 100}",
                "model": f"model-{i % 20}",
                "started_at": first["created_at"] + timedelta(minutes=i),
            }
            for i in range(RUNS + FEW + 1, STORED + 1)
        ]
        connection.execute(insert(schema.runs), rows)
        tags = [
            {"run_id": row["id"], "tag": tag}
            for row in rows
            for tag in (f"tag {row['id'] % 50}", COMMON)
        ]
        connection.execute(insert(schema.run_tags), tags)
    baselines.save(database, "tag", COMMON, RUNS + FEW + 1)


def show(opening: Opening) -> None:
    """Run the script of a page once."""
    at = AppTest.from_file(FRAME, default_timeout=60)
    at.switch_page(f"{opening.page}.py")
    for name, text in opening.parameters.items():
        at.query_params[name] = text
    _run(at)


def show_empty() -> None:
    """Run a script that shows nothing but a title."""
    _run(AppTest.from_string(EMPTY, default_timeout=60))


def _run(at: AppTest) -> None:
    at.run()
    assert not at.exception, at.exception[0].value


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Return the seconds that the work took, and this process's CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def line(opening: Opening) -> tuple[str, ...]:
    """Open a page and an empty one in turns; return the page's row of the table."""
    gc.collect()  # garbage of another page
    pairs = [(timed(lambda: show(opening)), timed(show_empty)) for _ in range(TIMES)]
    (first, _), *again = pairs
    walls, cpus = zip(*(page for page, _ in again), strict=True)
    empty = median(cpu for _, (_, cpu) in again)
    shown = (opening.goal_s, *first, median(walls), median(cpus))
    return opening.title, *map(seconds, shown), f"{significant(median(cpus) / empty, 2)}×"


@contextmanager
def filled() -> Iterator[None]:
    """A database with the runs, which this process's pages use."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PACELINE_DATABASE_URL"] = f"sqlite:///{folder}/paceline.db"
        for number in range(RUNS + FEW):
            store(opened(), number, REQUESTS if number < RUNS else 20)
        store_many(opened())
        yield
        opened().dispose()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into FILE")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # the harness warns that it is not the app
    # The harness scans all installed packages on every run; the app does so once.
    BidiComponentManager.discover_and_register_components = lambda *_, **__: None  # type: ignore
    with filled():
        show(
            Opening("", "compare", {"runs": f"{RUNS + 1},{RUNS + FEW}"}, 0)
        )  # as in the running app
        rows = [HEAD, ("---",) * len(HEAD), *map(line, OPENINGS)]
    report.publish("pages", rows, options.write)


if __name__ == "__main__":
    main()
