"""Waits for runs to end and for engines to start, and shows progress meanwhile."""

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
from jobs.retry import with_retries
from services.ask import modes
from services.ask.measurement import ACTIVE, Run
from services.base.units import many
from services.report.terminal.engines import engine_name
from services.servers.engines import lines_after
from services.servers.engines.instance import UP, EngineInstance

POLL_S = 0.25
ENSURE_S = 2.0  # how often it is checked that a supervisor is running
NOT_READY = ("planned", "starting", "ending")


def follow(database: Engine, run_ids: Sequence[int], stop: Event, hidden: bool) -> None:
    """Wait until all of these runs have ended. `stop` cancels them; `hidden`: show no progress bar.

    Raises:
        RunNotFound: one was deleted.
        QueueProblem: the queue cannot be processed.
        DatabaseProblem, DBAPIError: the database was unavailable for too long (see `retry.py`).
    """
    with tqdm(unit=" requests", disable=hidden, leave=False) as bar:
        following = Following(database, run_ids, stop, bar)
        while with_retries(following.poll, "The database cannot be read", print_line):
            sleep(POLL_S)


class Following:
    """The state of the runs that are followed."""

    def __init__(self, database: Engine, run_ids: Sequence[int], stop: Event, bar: tqdm) -> None:
        self._database, self._stop, self._bar = database, stop, bar
        self._pending = list(run_ids)
        self._ensured_at = monotonic()
        self._finished: dict[int, int] = {}  # requests of each run

    def poll(self) -> bool:
        """Load the runs once; return whether there is something left to wait for."""
        database = self._database
        pending = runs.load_many(database, self._pending)  # finished runs are not loaded again
        active = [run for run in pending if run.status in ACTIVE]
        if not active:
            return False
        self._pending = [run.id for run in active]
        self._finished |= {run.id: _finished(database, run) for run in pending}
        if self._stop.is_set():
            _cancel(database, active)
        if monotonic() - self._ensured_at > ENSURE_S:
            self._ensured_at = monotonic()
            jobs.ensure(database)
        _draw(database, self._bar, self._finished, active)
        return True


def print_line(line: str) -> None:
    """Print a line above the bar."""
    if sys.stderr is not None:
        tqdm.write(f"{line}.", file=sys.stderr)


def _cancel(database: Engine, active: Sequence[Run]) -> None:
    for run in active:
        if not run.cancel_requested:
            with suppress(AlreadyFinished):
                jobs.cancel(database, run.id)


def _finished(database: Engine, run: Run) -> int:
    begun = run.started_at is not None
    return sum(counts.request_counts(database, run.id).values()) if begun else 0


def _draw(database: Engine, bar: tqdm, finished: dict[int, int], active: Sequence[Run]) -> None:
    each = {run.id: modes.count(run.config) for run in active}
    total = {run.id: (each[run.id] or 0) * run.config.repeats for run in active}
    known = None not in each.values()  # else some end after a duration
    bar.total = sum((finished | total).values()) if known else None  # finished runs add no more
    current = min(active, key=lambda run: run.status != "running")
    bar.set_description(_phase(database, current))
    bar.update(sum(finished.values()) - bar.n)


def _phase(database: Engine, current: Run) -> str:
    if current.cancel_requested:
        return "Cancelling"
    if current.status == "queued" and (ahead := queue.runs_ahead(database, current.id)):
        return f"Waiting for {many(len(ahead), 'run')} on the same server"
    if current.status == "queued" and current.engine_id is not None:
        return _engine_phase(engines.load(database, current.engine_id))
    return current.phase or current.status.capitalize()


def _engine_phase(server: EngineInstance) -> str:
    if server.status == "planned":
        return server.phase or f"Waiting to start {engine_name(server.config)}"
    return f"{'Starting ' if server.status == 'starting' else ''}{engine_name(server.config)}"


def until_ready(
    database: Engine, engine_id: int, stop: Event, say: Callable[[str], object]
) -> EngineInstance:
    """Wait until an engine is ready or has ended, and return it. `say` is called with each line of
    its log and each phase; `stop` stops the engine.

    Raises:
        EngineNotFound: it was deleted.
        QueueProblem: no supervisor can run it.
    """
    offset, phase = 0, ""
    while True:
        server = _load_supervised(database, engine_id)
        if server.phase not in ("", phase):
            say(phase := server.phase)
        if server.command:  # from here on it is the log of this start
            lines, offset = lines_after(log_file(database, engine_id), offset)
            for line in lines:
                say(line)
        if server.status not in NOT_READY:
            return server
        if stop.is_set() and not server.stop_requested:
            serving.stop(database, engine_id)
        sleep(POLL_S)


def until_ended(database: Engine, engine_id: int) -> EngineInstance:
    """Wait until an engine has ended, and return it. Raises EngineNotFound, QueueProblem."""
    while (server := _load_supervised(database, engine_id)).status in UP:
        sleep(POLL_S)
    return server


def _load_supervised(database: Engine, engine_id: int) -> EngineInstance:
    """Return an engine, after checking that a supervisor is running."""

    def load() -> EngineInstance:
        jobs.ensure(database)
        return engines.load(database, engine_id)

    return with_retries(load, "The database cannot be read", print_line)
