"""Runs that are sent as OpenTelemetry spans: which are waiting, the progress of each, and their
requests in parts, so that no process ever holds a large run."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, case, func, select, true, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from db import schema
from db.database import now, on_one_machine, writing
from services.ask.measurement import FINISHED, Measurement
from services.report.spans.progress import (
    STATUSES,
    Delivered,
    Position,
    RepeatCount,
    SpanExport,
    SpanStatus,
)


def request(database: Engine, run_id: int, machine: str) -> None:
    """Request the supervisor of a machine to send a run once it has ended. What was sent before is
    not sent again: only new requests follow."""
    _upsert(database, run_id, status="waiting", machine=machine, error=None)


def next_waiting(database: Engine, machine: str) -> int | None:
    """Return the first run that has ended and waits to be sent by this machine, or None."""
    exports, runs = schema.span_exports.c, schema.runs.c
    here = true() if on_one_machine(database) else exports.machine == machine
    query = (
        select(func.min(exports.run_id))
        .join(schema.runs, runs.id == exports.run_id)
        .where(exports.status == "waiting", here, runs.status.in_(FINISHED))
    )
    with database.connect() as connection:
        found: int | None = connection.scalar(query)
    return found


def load(database: Engine, run_id: int) -> SpanExport | None:
    """Return how much of a run has been sent; None if sending it was not requested."""
    table = schema.span_exports.c
    query = select(
        table.status,
        table.receiver,
        table.sent,
        table.after_repeat,
        table.after_idx,
        table.error,
        table.changed_at,
    ).where(table.run_id == run_id)
    with database.connect() as connection:
        row = connection.execute(query).first()
    if row is None:
        return None
    after = None if row.after_idx is None else Position(row.after_repeat, row.after_idx)
    delivered = Delivered(row.receiver, row.sent, after)
    return SpanExport(row.status, delivered, row.error, row.changed_at)


def advance(database: Engine, run_id: int, machine: str, delivered: Delivered) -> None:
    """Record what a receiver has accepted of a run that is not completely sent yet."""
    _upsert(database, run_id, machine=machine, **_columns(delivered))


def finish(
    database: Engine,
    run_id: int,
    machine: str,
    delivered: Delivered,
    status: SpanStatus,
    error: str | None = None,
) -> None:
    """Record that a run was sent, or why not. With status `sent`, the error says what was
    rejected."""
    _upsert(database, run_id, machine=machine, status=status, error=error, **_columns(delivered))


def give_up(database: Engine, run_id: int, error: str) -> None:
    """Record why a waiting run cannot be sent; what was already sent remains recorded."""
    waits = update(schema.span_exports).where(
        schema.span_exports.c.run_id == run_id, schema.span_exports.c.status == "waiting"
    )
    with writing(database) as connection:
        values = {"status": "failed", "error": error, "changed_at": now(connection)}
        connection.execute(waits.values(values))


def _columns(delivered: Delivered) -> dict[str, Any]:
    return {
        "receiver": delivered.receiver,
        "sent": delivered.requests,
        "after_repeat": delivered.after and delivered.after.repeat,
        "after_idx": delivered.after and delivered.after.index,
    }


def _upsert(database: Engine, run_id: int, **values: Any) -> None:
    insert = postgresql.insert if database.dialect.name == "postgresql" else sqlite.insert
    with writing(database) as connection:
        if connection.scalar(select(schema.runs.c.id).where(schema.runs.c.id == run_id)) is None:
            return  # deleted meanwhile
        changed = values | {"changed_at": now(connection)}
        kept = insert(schema.span_exports).values({"run_id": run_id, "status": "waiting"} | changed)
        connection.execute(kept.on_conflict_do_update(index_elements=["run_id"], set_=changed))


def status_counts(connection: Connection) -> dict[SpanStatus, int]:
    """Return the number of runs by status."""
    table = schema.span_exports.c
    query = select(table.status, func.count()).group_by(table.status)
    counts = {status: int(number) for status, number in connection.execute(query)}
    return {status: counts.get(status, 0) for status in STATUSES}


def repeat_counts(database: Engine, run_id: int) -> list[RepeatCount]:
    """Return the counts of each repeat's requests."""
    table = schema.requests.c
    failed = func.sum(case((table.status == "failed", 1), else_=0))
    query = select(table.repeat, func.count(), failed, func.max(table.t_end))
    with database.connect() as connection:
        rows = connection.execute(
            query.where(table.run_id == run_id).group_by(table.repeat).order_by(table.repeat)
        )
        return [RepeatCount(repeat, int(n), int(bad), last) for repeat, n, bad, last in rows]


def read_requests(
    database: Engine, run_id: int, after: Position | None, most: int, texts: bool = False
) -> list[Measurement]:
    """Return the next requests of a run, without their token times; `texts`: with answers."""
    table = schema.requests.c
    without = ("token_times",) if texts else ("token_times", "answer")
    query = select(*schema.columns(Measurement, without=without)).where(table.run_id == run_id)
    if after is not None:  # as one comparison of rows: the databases use the primary key for it
        query = query.where(tuple_(table.repeat, table.idx) > tuple_(after.repeat, after.index))
    query = query.order_by(table.repeat, table.idx).limit(most)
    with database.connect() as connection:
        rows = connection.execute(query)
        names = tuple(rows.keys())
        return [Measurement(**dict(zip(names, row, strict=True))) for row in rows]
