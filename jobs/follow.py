"""Wait for the end of runs and for the start of engines, and say how far they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event
from time import monotonic, sleep

from sqlalchemy import Engine
from tqdm import tqdm

import jobs
from db import counts, engines, queue, runs
from db.runs import AlreadyFinished
from jobs import serving
from jobs.engine_supervisor import log_file
from jobs.retry import retried
from services.ask.measurement import ACTIVE, Run
from services.base.units import many
from services.report.terminal.engines import engine_name
from services.servers.engines import lines_after
from services.servers.engines.instance import UP, EngineInstance

POLL_S = 0.25
KEEPER_S = 2.0  # how often it is seen to that somebody works the queue off
TO_COME = ("planned", "starting", "ending")


def follow(database: Engine, run_ids: Sequence[int], stop: Event, hidden: bool) -> None:
    """Return when all of these runs have ended. `stop` cancels them; `hidden`: without the bar.

    Raises:
        RunNotFound: somebody has deleted one.
        QueueProblem: nobody can work them off.
        DatabaseProblem, DBAPIError: the database was away for too long (see `retry.py`).
    """
    with tqdm(unit=" requests", disable=hidden, leave=False) as bar:
        following = Following(database, run_ids, stop, bar)
        while retried(following.look, "The database cannot be read", say):
            sleep(POLL_S)


class Following:
    """What is known of runs that are followed."""

    def __init__(self, database: Engine, run_ids: Sequence[int], stop: Event, bar: tqdm) -> None:
        self._database, self._stop, self._bar = database, stop, bar
        self._waited_for = list(run_ids)
        self._kept_at = monotonic()
        self._back: dict[int, int] = {}  # how many requests of each run have come back

    def look(self) -> bool:
        """Look once; return whether there is something left to wait for."""
        engine = self._database
        found = runs.load_many(engine, self._waited_for)  # what has ended is asked for no more
        active = [run for run in found if run.status in ACTIVE]
        if not active:
            return False
        self._waited_for = [run.id for run in active]
        self._back |= {run.id: _back(engine, run) for run in found}
        if self._stop.is_set():
            _cancel(engine, active)
        if monotonic() - self._kept_at > KEEPER_S:
            self._kept_at = monotonic()
            jobs.ensure(engine)
        _draw(engine, self._bar, self._back, active)
        return True


def say(line: str) -> None:
    """Say something beside the bar."""
    if sys.stderr is not None:
        tqdm.write(f"{line}.", file=sys.stderr)


def _cancel(database: Engine, active: Sequence[Run]) -> None:
    for run in active:
        if not run.cancel_requested:
            with suppress(AlreadyFinished):
                jobs.cancel(database, run.id)


def _back(database: Engine, run: Run) -> int:
    begun = run.started_at is not None
    return sum(counts.counted(database, run.id).values()) if begun else 0


def _draw(database: Engine, bar: tqdm, back: dict[int, int], active: Sequence[Run]) -> None:
    asked = {run.id: run.config.requests * run.config.repeats for run in active}
    bar.total = sum((back | asked).values())  # of one that has ended nothing more will come
    current = min(active, key=lambda run: run.status != "running")
    bar.set_description(_phase(database, current))
    bar.update(sum(back.values()) - bar.n)


def _phase(database: Engine, current: Run) -> str:
    if current.cancel_requested:
        return "Cancelling"
    if current.status == "queued" and (ahead := queue.ahead(database, current.id)):
        return f"Waiting for {many(ahead, 'run')} of this backend"
    if current.status == "queued" and current.engine_id is not None:
        return _coming(engines.load(database, current.engine_id))
    return current.phase or current.status.capitalize()


def _coming(server: EngineInstance) -> str:
    if server.status == "planned":
        return server.phase or f"Waiting to start {engine_name(server.config)}"
    return f"{'Starting ' if server.status == 'starting' else ''}{engine_name(server.config)}"


def until_ready(
    database: Engine, engine_id: int, stop: Event, say: Callable[[str], object]
) -> EngineInstance:
    """Return an engine when it is ready, or has ended before. `say` is told each line of its log
    and each thing that happens; `stop` stops it.

    Raises:
        EngineNotFound: somebody has deleted it.
        QueueProblem: nobody can look after it.
    """
    at, phase = 0, ""
    while True:
        server = _kept(database, engine_id)
        if server.phase not in ("", phase):
            say(phase := server.phase)
        if server.command:  # the log of this start, and of none before it
            lines, at = lines_after(log_file(database, engine_id), at)
            for line in lines:
                say(line)
        if server.status not in TO_COME:
            return server
        if stop.is_set() and not server.stop_requested:
            serving.stop(database, engine_id)
        sleep(POLL_S)


def until_ended(database: Engine, engine_id: int) -> EngineInstance:
    """Return an engine when it has ended. Raises EngineNotFound, QueueProblem."""
    while (server := _kept(database, engine_id)).status in UP:
        sleep(POLL_S)
    return server


def _kept(database: Engine, engine_id: int) -> EngineInstance:
    """Return an engine, and see that somebody looks after it."""

    def look() -> EngineInstance:
        jobs.ensure(database)
        return engines.load(database, engine_id)

    return retried(look, "The database cannot be read", say)
