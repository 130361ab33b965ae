"""Tasks as their callers see them: handed in, looked at, cancelled, and thrown away in time.

`task_queue.py` has what the process does that has them answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, Select, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from db.database import now, writing
from db.schema import task_batches, task_servers, task_settings, tasks
from services.ask.tasks import (
    MOST_WAITING,
    OPEN,
    InvalidTask,
    NewTask,
    Task,
    TaskBatch,
    TaskStatus,
)
from services.base.errors import Conflict, NotFound
from services.base.surrogates import clean

READ_AT_ONCE = 1_000  # tasks, of a batch that is written out
DELETED_AT_ONCE = 1_000  # batches


class TaskNotFound(NotFound):
    """The caller has no such task."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"There is no task {task_id[:60]!r}. It may have been deleted by its age.")


class BatchNotFound(NotFound):
    """The caller has no such batch."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(
            f"There is no batch {batch_id[:60]!r}. It may have been deleted by its age."
        )


class TaskEnded(Conflict):
    """A task that has ended cannot be cancelled."""

    def __init__(self, status: str) -> None:
        super().__init__(f"This task has ended already: it is {status}.")


class OtherContent(InvalidTask):
    """An idempotency key came back with something else."""

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used for another request. Choose a new key, or send the same "
            "request again."
        )


@dataclass(frozen=True, slots=True)
class NewSettings:
    """To whom tasks go: see `jobs/destination.py`. `server`: whose tasks one process looks after;
    `machine`: the only one that can ask it, None: any."""

    config: Mapping[str, Any]
    server: str
    model: str
    destination: Mapping[str, Any] = field(repr=False)
    ticket: str | None = None
    machine: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was handed in: the batch, its tasks in order, and whether this is a repetition."""

    batch_id: str
    task_ids: tuple[str, ...]
    again: bool = False


@dataclass(frozen=True, slots=True)
class Repetition:
    """An idempotency key, and what it came with, both as hashes."""

    key: str
    fingerprint: str

    @classmethod
    def of(cls, key: str, content: bytes) -> Repetition:
        return cls(_hash(key.encode("utf-8", "surrogatepass")), _hash(content))


def create(
    database: Engine,
    caller: str,
    settings: Sequence[NewSettings],
    new: Sequence[tuple[NewTask, int]],
    repetition: Repetition | None = None,
) -> Accepted:
    """Store tasks, each with the number of its settings, in one transaction. With `repetition`,
    what its key has stored before is returned instead.

    Raises:
        InvalidTask: too many of this caller's tasks wait.
        OtherContent: the key came with something else before.
    """
    try:
        with writing(database) as connection:
            return _create(connection, clean(caller), settings, new, repetition)
    except IntegrityError:  # the same key at the same moment
        accepted = repetition and earlier(database, caller, repetition)
        if not accepted:
            raise
        return accepted


def _create(
    connection: Connection,
    caller: str,
    settings: Sequence[NewSettings],
    new: Sequence[tuple[NewTask, int]],
    repetition: Repetition | None,
) -> Accepted:
    _check_waiting(connection, caller, len(new))
    batch_id, moment = f"batch_{uuid4().hex}", datetime.now(UTC)
    row = {"batch_id": batch_id, "caller": caller, "created_at": moment, "count": len(new)}
    if repetition:
        row |= {"idempotency": repetition.key, "fingerprint": repetition.fingerprint}
    made = insert(task_batches).values(row).returning(task_batches.c.id)
    batch: int = connection.execute(made).scalar_one()
    numbers = [_settings(connection, batch, each) for each in settings]
    task_ids = tuple(str(uuid4()) for _ in new)
    rows = [
        {
            "task_id": task_id,
            "batch": batch,
            "settings": numbers[which],
            "caller": caller,
            "server": settings[which].server,
            "machine": settings[which].machine,
            "backend": settings[which].config["backend"],
            "model": settings[which].model,
            "custom_id": task.custom_id,
            "status": "queued",
            "prompt": task.prompt,
        }
        for task_id, (task, which) in zip(task_ids, new, strict=True)
    ]
    connection.execute(insert(tasks), rows)
    return Accepted(batch_id, task_ids)


def _settings(connection: Connection, batch: int, new: NewSettings) -> int:
    values = {"batch": batch, "config": new.config, "destination": new.destination}
    row = insert(task_settings).values(values | {"ticket": new.ticket})
    number: int = connection.execute(row.returning(task_settings.c.id)).scalar_one()
    return number


def _check_waiting(connection: Connection, caller: str, more: int) -> None:
    waiting = tasks.c.status == "queued", tasks.c.caller == caller
    count = connection.scalar(select(func.count()).select_from(tasks).where(*waiting)) or 0
    if count + more > MOST_WAITING:
        raise InvalidTask(
            f"{count:,} of your tasks are waiting, and {MOST_WAITING:,} may. Wait until some have "
            "ended, or cancel them."
        )


def earlier(database: Engine, caller: str, repetition: Repetition) -> Accepted | None:
    """Return what an idempotency key of this caller has stored; None: nothing.

    Raises:
        OtherContent: it came with something else.
    """
    key = task_batches.c.caller == clean(caller), task_batches.c.idempotency == repetition.key
    with database.connect() as connection:
        batch = connection.execute(select(task_batches).where(*key)).first()
        if batch is None:
            return None
        if batch.fingerprint != repetition.fingerprint:
            raise OtherContent
        ids = select(tasks.c.task_id).where(tasks.c.batch == batch.id).order_by(tasks.c.id)
        return Accepted(batch.batch_id, tuple(connection.scalars(ids)), again=True)


def load(database: Engine, task_id: str, caller: str | None = None) -> Task:
    """Return a task. `caller`: whose it must be, None: anybody's. Raises TaskNotFound."""
    with database.connect() as connection:
        return _load(connection, task_id, caller)


def _load(connection: Connection, task_id: str, caller: str | None) -> Task:
    query = _of(_query(), caller).where(tasks.c.task_id == clean(task_id))
    row = connection.execute(query).first()
    if row is None:
        raise TaskNotFound(task_id)
    return Task(*row)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tasks are looked at. None: all. `after`: the task behind which the list goes on."""

    batch_id: str | None = None
    status: TaskStatus | None = None
    caller: str | None = None
    after: str | None = None
    limit: int = 100


def listed(database: Engine, wanted: Wanted) -> list[Task]:
    """Return tasks in the order in which they were handed in; without a batch the newest first.

    Raises:
        BatchNotFound, TaskNotFound: as `wanted` names one.
    """
    query = _of(_query(), wanted.caller)
    with database.connect() as connection:
        if wanted.batch_id is not None:
            query = query.where(tasks.c.batch == _batch(connection, wanted.batch_id, wanted.caller))
        if wanted.status is not None:
            query = query.where(tasks.c.status == wanted.status)
        forward = wanted.batch_id is not None
        if wanted.after is not None:
            number = _number(connection, wanted.after, wanted.caller)
            query = query.where(tasks.c.id > number if forward else tasks.c.id < number)
        query = query.order_by(tasks.c.id if forward else tasks.c.id.desc()).limit(wanted.limit)
        return [Task(*row) for row in connection.execute(query)]


def ended(database: Engine, batch_id: str, caller: str | None = None) -> Iterator[Task]:
    """Return the tasks of a batch that have ended, in order, a part at a time.

    Raises:
        BatchNotFound: when the first is asked for.
    """
    with database.connect() as connection:
        batch = _batch(connection, batch_id, caller)
    last = 0
    while True:
        query = _query(tasks.c.id).where(
            tasks.c.batch == batch, tasks.c.id > last, tasks.c.status.not_in(OPEN)
        )
        with database.connect() as connection:
            rows = connection.execute(query.order_by(tasks.c.id).limit(READ_AT_ONCE)).all()
        if not rows:
            return
        last = rows[-1][-1]
        yield from (Task(*row[:-1]) for row in rows)


def batches(database: Engine, caller: str | None = None, limit: int = 50) -> list[TaskBatch]:
    """Return batches with how many of their tasks have which status, the newest first."""
    query = select(task_batches).order_by(task_batches.c.id.desc()).limit(limit)
    if caller is not None:
        query = query.where(task_batches.c.caller == clean(caller))
    with database.connect() as connection:
        return _counted(connection, connection.execute(query).all())


def batch(database: Engine, batch_id: str, caller: str | None = None) -> TaskBatch:
    """Return a batch. Raises BatchNotFound."""
    with database.connect() as connection:
        number = _batch(connection, batch_id, caller)
        rows = connection.execute(select(task_batches).where(task_batches.c.id == number)).all()
        return _counted(connection, rows)[0]


def _counted(connection: Connection, rows: Sequence[Any]) -> list[TaskBatch]:
    numbers = [row.id for row in rows]
    query = select(tasks.c.batch, tasks.c.status, func.count()).where(tasks.c.batch.in_(numbers))
    counts: dict[int, dict[str, int]] = {number: {} for number in numbers}
    for number, status, count in connection.execute(query.group_by(tasks.c.batch, tasks.c.status)):
        counts[number][status] = count
    return [
        TaskBatch(row.batch_id, row.caller, row.created_at, row.count, counts[row.id])
        for row in rows
    ]


def cancel(database: Engine, task_id: str, caller: str | None = None) -> Task:
    """Cancel a task: it has ended at once, and whoever asks it stops.

    Raises:
        TaskNotFound, TaskEnded.
    """
    with writing(database) as connection:
        _load(connection, task_id, caller)
        cancelled = _cancelled(database).where(tasks.c.task_id == clean(task_id))
        changed = connection.execute(cancelled).rowcount
        task = _load(connection, task_id, caller)
    if not changed:
        raise TaskEnded(task.status)
    return task


def cancel_batch(database: Engine, batch_id: str, caller: str | None = None) -> TaskBatch:
    """Cancel the tasks of a batch that have not ended. Raises BatchNotFound."""
    with writing(database) as connection:
        number = _batch(connection, batch_id, caller)
        connection.execute(_cancelled(database).where(tasks.c.batch == number))
    return batch(database, batch_id, caller)


def _cancelled(database: Engine) -> Any:
    unended = update(tasks).where(tasks.c.status.in_(OPEN))
    return unended.values(status="cancelled", ended_at=now(database), worker=None)


def prune(database: Engine, kept: timedelta | None) -> int:
    """Delete the batches whose tasks all ended longer ago than `kept`; None: none. Returns how
    many."""
    if kept is None:
        return 0
    limit = now(database, kept)
    recent = select(tasks.c.batch).where(
        tasks.c.batch == task_batches.c.id,
        or_(tasks.c.ended_at.is_(None), tasks.c.ended_at > limit),
    )
    old = select(task_batches.c.id).where(task_batches.c.created_at < limit, ~recent.exists())
    with database.connect() as connection:
        numbers = list(connection.scalars(old.limit(DELETED_AT_ONCE)))
    if numbers:
        with writing(database) as connection:
            connection.execute(delete(task_batches).where(task_batches.c.id.in_(numbers)))
    return len(numbers)


def active(database: Engine) -> bool:
    """Whether a task is queued or running, or a server is still held for tasks."""
    with database.connect() as connection:
        queued = select(tasks.c.id).where(tasks.c.status == "queued").limit(1)
        held = select(task_servers.c.server).limit(1)
        return any(connection.execute(query).first() for query in (queued, held))


def tickets(database: Engine) -> set[str]:
    """Return under which tickets something is held that a task still needs."""
    needed = select(tasks.c.settings).where(tasks.c.ended_at.is_(None)).distinct()
    query = select(task_settings.c.ticket).where(
        task_settings.c.ticket.is_not(None), task_settings.c.id.in_(needed)
    )
    with database.connect() as connection:
        return {ticket for ticket in connection.scalars(query) if ticket is not None}


def counts(database: Engine) -> dict[str, int]:
    """Return how many tasks have which status."""
    query = select(tasks.c.status, func.count()).group_by(tasks.c.status)
    with database.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def _query(*more: Any) -> Select[Any]:
    names = [each.name for each in fields(Task)]
    columns: list[Any] = [
        _OF_BATCHES[name] if name in _OF_BATCHES else tasks.c[name] for name in names
    ]
    return select(*columns, *more).join(task_batches, tasks.c.batch == task_batches.c.id)


def _of(query: Select[Any], caller: str | None) -> Select[Any]:
    return query if caller is None else query.where(tasks.c.caller == clean(caller))


def _batch(connection: Connection, batch_id: str, caller: str | None) -> int:
    query = select(task_batches.c.id).where(task_batches.c.batch_id == clean(batch_id))
    if caller is not None:
        query = query.where(task_batches.c.caller == clean(caller))
    number: int | None = connection.scalar(query)
    if number is None:
        raise BatchNotFound(batch_id)
    return number


def _number(connection: Connection, task_id: str, caller: str | None) -> int:
    query = select(tasks.c.id).where(tasks.c.task_id == clean(task_id))
    if caller is not None:
        query = query.where(tasks.c.caller == clean(caller))
    number: int | None = connection.scalar(query)
    if number is None:
        raise TaskNotFound(task_id)
    return number


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


_OF_BATCHES: dict[str, Any] = {
    "batch_id": task_batches.c.batch_id,
    "created_at": task_batches.c.created_at,
}
