"""Batches: tasks that were submitted together. Counts, cancels and, when they expire, deletes
them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Update, delete, func, or_, select, update

from db.database import now, writing
from db.schema import task_batches, tasks
from db.task_locks import lock_in_order
from services.ask.tasks import OPEN, TaskBatch
from services.base.errors import NotFound
from services.base.surrogates import clean

AT = "@"  # between a server that only one machine can reach and that machine
DELETED_AT_ONCE = 1_000  # tasks in one transaction, for which other writers wait


class BatchNotFound(NotFound):
    """The caller has no such batch."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"There is no batch {batch_id[:60]!r}. It may have expired.")


def list_all(
    database: Engine,
    caller: str | None = None,
    limit: int = 50,
    offset: int = 0,
    ended: bool | None = None,
) -> list[TaskBatch]:
    """Return batches with the number of their tasks by status, newest first. `caller`: whose
    batches, None: everybody's. `ended`: only batches whose tasks have all ended (True) or not
    (False)."""
    query = _for_caller(select(task_batches), caller).order_by(task_batches.c.id.desc())
    if ended is not None:
        query = query.where(~_OPEN if ended else _OPEN)
    with database.connect() as connection:
        return _counted(connection, connection.execute(query.limit(limit).offset(offset)).all())


def count(database: Engine, caller: str | None = None, ended: bool | None = None) -> int:
    """Return how many batches there are; see `list_all`."""
    query = _for_caller(select(func.count()).select_from(task_batches), caller)
    if ended is not None:
        query = query.where(~_OPEN if ended else _OPEN)
    with database.connect() as connection:
        return connection.scalar(query) or 0


def load(database: Engine, batch_id: str, caller: str | None = None) -> TaskBatch:
    """Return a batch. Raises BatchNotFound."""
    with database.connect() as connection:
        number = number_of(connection, batch_id, caller)
        rows = connection.execute(select(task_batches).where(task_batches.c.id == number)).all()
        return _counted(connection, rows)[0]


def number_of(connection: Connection, batch_id: str, caller: str | None) -> int:
    """Return the id of a batch's row. Raises BatchNotFound."""
    query = _for_caller(select(task_batches.c.id), caller).where(
        task_batches.c.batch_id == clean(batch_id)
    )
    number: int | None = connection.scalar(query)
    if number is None:
        raise BatchNotFound(batch_id)
    return number


def _for_caller(query: Any, caller: str | None) -> Any:
    return query if caller is None else query.where(belongs_to_caller(caller))


def belongs_to_caller(caller: str) -> ColumnElement[bool]:
    """Return the condition that a batch is a caller's; a token's batches also belong to its
    maker."""
    name = clean(caller)
    return or_(task_batches.c.caller == name, task_batches.c.maker == name)


def _counted(connection: Connection, rows: Sequence[Any]) -> list[TaskBatch]:
    parts: dict[int, list[Any]] = {row.id: [] for row in rows}
    same = (tasks.c.batch, tasks.c.status, tasks.c.server, tasks.c.model)
    times = func.min(tasks.c.started_at), func.max(tasks.c.ended_at)
    query = select(*same, func.count(), *times).where(tasks.c.batch.in_(parts))
    for number, *part in connection.execute(query.group_by(*same)):
        parts[number].append(part)
    return [_batch(row, parts[row.id]) for row in rows]


def _batch(row: Any, parts: Sequence[Any]) -> TaskBatch:
    counts: dict[str, int] = {}
    for status, _, _, count, _, _ in parts:
        counts[status] = counts.get(status, 0) + count
    started = [began for *_, began, _ in parts if began is not None]
    ended = [end for *_, end in parts if end is not None]
    return TaskBatch(
        row.batch_id,
        row.caller,
        row.created_at,
        row.count,
        counts,
        tuple(sorted({server.partition(AT)[0] for _, server, *_ in parts})),
        tuple(sorted({model for _, _, model, *_ in parts if model})),
        min(started, default=None),
        None if any(map(counts.get, OPEN)) else max(ended, default=None),
    )


def cancel(database: Engine, batch_id: str, caller: str | None = None) -> TaskBatch:
    """Cancel the tasks of a batch that have not ended. Raises BatchNotFound."""
    with writing(database) as connection:
        its = tasks.c.batch == number_of(connection, batch_id, caller)
        lock_in_order(connection, its, tasks.c.status.in_(OPEN))
        connection.execute(cancelling(database).where(its))
    return load(database, batch_id, caller)


def cancelling(database: Engine) -> Update:
    """Return the statement that cancels tasks that have not ended; narrow it with `where`."""
    unended = update(tasks).where(tasks.c.status.in_(OPEN))
    return unended.values(status="cancelled", ended_at=now(database), worker=None)


def due(database: Engine, kept: timedelta | None) -> bool:
    """Whether a batch is to be deleted: its tasks all ended longer ago than `kept` (None: tasks are
    kept forever)."""
    if kept is None:
        return False
    with database.connect() as connection:
        return _due(connection, kept) is not None


def remove_some(database: Engine, kept: timedelta | None) -> bool:
    """Delete some tasks of a batch that is due, or such a batch without tasks, in one short
    transaction. Return whether there may be more to delete."""
    if not due(database, kept):
        return False
    assert kept is not None
    with writing(database) as connection:
        number = _due(connection, kept)
        some = select(tasks.c.id).where(tasks.c.batch == number).order_by(tasks.c.id)
        its = tasks.c.id.in_(some.limit(DELETED_AT_ONCE))
        lock_in_order(connection, its)
        gone = delete(tasks).where(its)
        if not connection.execute(gone).rowcount:
            connection.execute(delete(task_batches).where(task_batches.c.id == number))
    return True


def _due(connection: Connection, kept: timedelta) -> int | None:
    limit = now(connection, kept)
    recent = select(tasks.c.batch).where(
        tasks.c.batch == task_batches.c.id,
        or_(tasks.c.ended_at.is_(None), tasks.c.ended_at > limit),
    )
    query = select(task_batches.c.id).where(task_batches.c.created_at < limit, ~recent.exists())
    found: int | None = connection.scalar(query.order_by(task_batches.c.created_at).limit(1))
    return found


_OPEN = (
    select(tasks.c.id).where(tasks.c.batch == task_batches.c.id, tasks.c.status.in_(OPEN)).exists()
)
