"""Stores what a run measures, while it does: repeats, requests, progress and samples, and what
becomes known of its model, environment and client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, func, select, update

from db.database import upsert, writing
from db.schema import TABLES, Value, row, runs
from services.ask.measurement import Measurement, Progress, Repeat, Sample


def set_model(database: Engine, run_id: int, model: str) -> None:
    """Store the model that answers, if the config left the choice to the server."""
    _set(database, run_id, model=model)


def set_environment(database: Engine, run_id: int, environment: dict[str, Any]) -> None:
    """Store facts about where the run was measured: engine, versions, machine, client.
    JSON-ready."""
    _set(database, run_id, environment=environment)


def set_calibration(database: Engine, run_id: int, calibration: dict[str, Any]) -> None:
    """Store the calibration: the client's own error at the run's load. JSON-ready."""
    _set(database, run_id, calibration=calibration)


def add_repeat(database: Engine, run_id: int, repeat: Repeat) -> None:
    """Store a repeat. Storing it again, with its duration, replaces the first."""
    _insert(database, run_id, [repeat])


def add_measurements(database: Engine, run_id: int, measurements: Sequence[Measurement]) -> None:
    """Store requests in one transaction; one with the same repeat and index as an earlier one
    replaces it."""
    _insert(database, run_id, measurements)


def add_progress(database: Engine, run_id: int, progress: Progress) -> None:
    """Store a run's progress at one moment."""
    _insert(database, run_id, [progress])


def add_sample(database: Engine, run_id: int, sample: Sample) -> None:
    """Store one sample of the server's metrics."""
    _insert(database, run_id, [sample])


def _insert(database: Engine, run_id: int, values: Sequence[Value]) -> None:
    if not values:
        return
    statement = upsert(TABLES[type(values[0])], database.dialect.name)
    with writing(database) as connection:
        connection.execute(statement, [row(run_id, value) for value in values])


def _set(database: Engine, run_id: int, **values: Any) -> None:
    with writing(database) as connection:
        connection.execute(update(runs).where(runs.c.id == run_id).values(**values))


def last_moment(database: Engine, run_id: int) -> float:
    """Return for how many seconds a run has been measured or sampled so far, in all its work
    items."""
    with database.connect() as connection:
        lasts = [
            connection.scalar(select(func.max(table.c.t)).where(table.c.run_id == run_id))
            for table in (TABLES[Progress], TABLES[Sample])
        ]
    return max(last or 0.0 for last in lasts)
