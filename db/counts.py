"""Counts of stored runs that are cheap enough to query every second."""

from __future__ import annotations

from sqlalchemy import Engine, func, select, true

from db import schema
from db.request_columns import LARGE
from services.ask.answer_times import EarlierRun

REMEMBERED = 20  # latest runs that a pace is taken from


def counted(database: Engine, run_id: int) -> dict[str, int]:
    """Return how many of a run's requests are stored, by status; of a large run under way, as many
    as its worker last said: a third of a second to count them, every second, is much."""
    reported = _reported(database, run_id)
    if sum(reported.values()) > LARGE and _runs(database, run_id):
        return reported
    requests = schema.requests
    query = (
        select(requests.c.status, func.count())
        .where(requests.c.run_id == run_id)
        .group_by(requests.c.status)
    )
    with database.connect() as connection:
        return {status: int(number) for status, number in connection.execute(query)}


def _reported(database: Engine, run_id: int) -> dict[str, int]:
    """The counts at the last moment of each repeat."""
    table = schema.progress.c
    last = select(func.max(table.t)).where(table.run_id == run_id).group_by(table.repeat)
    query = select(func.sum(table.done), func.sum(table.failed))
    with database.connect() as connection:
        done, failed = connection.execute(
            query.where(table.run_id == run_id, table.t.in_(last))
        ).one()
    return {"ok": int(done or 0), "failed": int(failed or 0)}


def _runs(database: Engine, run_id: int) -> bool:
    query = select(schema.runs.c.status).where(schema.runs.c.id == run_id)
    with database.connect() as connection:
        return connection.scalar(query) == "running"


def first_error(database: Engine, run_id: int) -> str | None:
    """Return what went wrong with the first of a run's requests that failed; None: none did."""
    table = schema.requests.c
    query = select(table.error).where(table.run_id == run_id, table.error.is_not(None))
    with database.connect() as connection:
        error: str | None = connection.scalar(query.order_by(table.repeat, table.idx).limit(1))
    return error


def seen(database: Engine, backend: str, model: str, lane: str | None) -> list[EarlierRun]:
    """Return the latest runs on a server, newest first. `model` empty: whatever answered. `lane`
    None: on any engine of that backend that Paceline had started."""
    runs = schema.runs
    query = (
        select(runs.c.headline["tokens_per_s_median"], runs.c.headline["peak_in_flight"])
        .where(
            runs.c.backend == backend,
            runs.c.model == model if model else true(),
            runs.c.engine_id.is_not(None) if lane is None else runs.c.lane == lane,
            runs.c.status == "done",
            runs.c.source.is_(None),
        )
        .order_by(runs.c.id.desc())
        .limit(REMEMBERED)
    )
    with database.connect() as connection:
        rows = connection.execute(query).all()
    return [EarlierRun(float(rate), int(at_once)) for rate, at_once in rows if rate and at_once]
