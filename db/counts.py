"""Counts of stored runs that are cheap enough to query every second."""

from __future__ import annotations

from sqlalchemy import Engine, func, select, true

from db import schema
from db.request_columns import LARGE
from services.ask.answer_times import EarlierRun

REMEMBERED = 20  # latest runs from which the pace is estimated


def request_counts(database: Engine, run_id: int) -> dict[str, int]:
    """Return the number of a run's stored requests by status. For a large running run these are the
    numbers that its worker last reported: counting takes a third of a second, and this is called
    every second."""
    reported = _reported_counts(database, run_id)
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


def _reported_counts(database: Engine, run_id: int) -> dict[str, int]:
    """The last reported counts of each repeat."""
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
    """Return the error of a run's first failed request; None if none failed."""
    table = schema.requests.c
    query = select(table.error).where(table.run_id == run_id, table.error.is_not(None))
    with database.connect() as connection:
        error: str | None = connection.scalar(query.order_by(table.repeat, table.idx).limit(1))
    return error


def earlier_runs(database: Engine, backend: str, model: str, lane: str | None) -> list[EarlierRun]:
    """Return the latest runs on a server, newest first. `model` empty: any model. `lane` None: on
    any engine of that backend that Paceline started."""
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
