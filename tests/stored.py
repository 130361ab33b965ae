"""Runs that are stored without having been measured: for what only reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, func, select

from db import queue, recording, results, runs
from db.database import now, writing
from db.schema import tasks
from services.analysis.compare.stored_summary import stored_summary
from services.ask.config import parse
from services.ask.measurement import Measurement, Repeat
from tests.values import NOON, measured

LANE = "gpu-1:8000"


def store(
    database: Engine,
    measurements: Sequence[Measurement] | None = None,
    *,
    name: str = "",
    status: Any = "done",
    error: str | None = None,
    tags: Sequence[str] = (),
    note: str = "",
    health: dict[str, Any] | None = None,
    **config: Any,
) -> int:
    """Store a run and return its id. Without measurements it has three successes. `health`: what
    the client measured of itself in every repeat."""
    rows = [measured(index) for index in range(3)] if measurements is None else measurements
    run_config = parse({"requests": max(1, len(rows)), "mode": "batch", "model": "tiny", **config})
    new = runs.NewRun(run_config, LANE, name, tuple(tags), note)
    if status == "queued":
        return runs.enqueue(database, new)
    run_id = _add_running(database, new)
    for repeat in sorted({measurement.repeat for measurement in rows}):
        recording.add_repeat(database, run_id, Repeat(repeat, NOON, 1.0, health or {}))
    recording.add_measurements(database, run_id, rows)
    if status != "running":
        summary = stored_summary(results.candidate(database, run_id), status)
        queue.finish(database, run_id, status, error, summary)
    return run_id


def _add_running(database: Engine, new: runs.NewRun) -> int:
    """Store a run that was never queued: a supervisor of this database would take it."""
    with writing(database) as connection:
        moment = now(connection)
        return runs.add(
            connection, new, status="running", started_at=moment, heartbeat_at=moment, machine=""
        )


def task_counts(database: Engine) -> dict[str, int]:
    """Return the number of tasks by status."""
    query = select(tasks.c.status, func.count()).group_by(tasks.c.status)
    with database.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}
