"""Wait for the end of runs, and say on standard error how far they are."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from threading import Event
from time import monotonic, sleep

from sqlalchemy import Engine
from tqdm import tqdm

import jobs
from db import counts, queue, runs
from db.runs import AlreadyFinished
from services.measurement import ACTIVE, Run
from services.units import many

POLL_S = 0.25
KEEPER_S = 2.0  # how often it is seen to that somebody works the queue off


def follow(engine: Engine, run_ids: Sequence[int], stop: Event, hidden: bool) -> None:
    """Return when all of these runs have ended. `stop` cancels them; `hidden`: without the bar.

    Raises:
        RunNotFound: somebody has deleted one.
        QueueProblem: nobody can work them off.
    """
    kept_at = monotonic()
    with tqdm(unit=" requests", disable=hidden, leave=False) as bar:
        while True:
            found = runs.load_many(engine, run_ids)
            active = [run for run in found if run.status in ACTIVE]
            if not active:
                return
            if stop.is_set():
                _cancel(engine, active)
            if monotonic() - kept_at > KEEPER_S:
                kept_at = monotonic()
                jobs.ensure(engine)
            _draw(engine, bar, found, active)
            sleep(POLL_S)


def _cancel(engine: Engine, active: Sequence[Run]) -> None:
    for run in active:
        if not run.cancel_requested:
            with suppress(AlreadyFinished):
                jobs.cancel(engine, run.id)


def _draw(engine: Engine, bar: tqdm, found: Sequence[Run], active: Sequence[Run]) -> None:
    bar.total = sum(run.config.requests * run.config.repeats for run in found)
    current = min(active, key=lambda run: run.status != "running")
    bar.set_description(_phase(engine, current))
    back = sum(sum(counts.counted(engine, run.id).values()) for run in found)
    bar.update(back - bar.n)


def _phase(engine: Engine, current: Run) -> str:
    if current.cancel_requested:
        return "Cancelling"
    if current.status == "queued" and (ahead := queue.ahead(engine, current.id)):
        return f"Waiting for {many(ahead, 'run')} of this backend"
    return current.phase or current.status.capitalize()
