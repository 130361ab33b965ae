"""Tasks as their callers see them: read, listed and cancelled.

`new_tasks.py` stores new ones, `task_batches.py` handles batches, and `task_queue.py` is used by
the process that works on tasks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, func, or_, select

from db.database import writing
from db.schema import task_batches, task_servers, task_settings, tasks
from db.task_batches import AT, belongs_to_caller, cancelling, number_of
from services.ask.tasks import OPEN, Task, TaskResult, TaskStatus
from services.base.errors import Conflict, NotFound
from services.base.surrogates import clean

READ_AT_ONCE = 100  # tasks of a batch that is exported: their texts may be long


class TaskNotFound(NotFound):
    """The caller has no such task."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"There is no task {task_id[:60]!r}. It may have expired.")


class TaskEnded(Conflict):
    """A task that has ended cannot be cancelled."""

    def __init__(self, status: str) -> None:
        super().__init__(f"This task has already ended: it is {status}.")


def load(database: Engine, task_id: str, caller: str | None = None) -> Task:
    """Return a task. `caller`: whose task it must be, None: anybody's. Raises TaskNotFound."""
    with database.connect() as connection:
        return _load(connection, task_id, caller)


def _load(connection: Connection, task_id: str, caller: str | None) -> Task:
    return _task(*_row(connection, task_id, caller))


def _row(connection: Connection, task_id: str, caller: str | None) -> Row[Any]:
    """The values of `_task`. The owner is read from the task's own batch: programs poll this, and a
    search through all batches would take longer the more there are."""
    query = _query().where(tasks.c.task_id == clean(task_id))
    row = connection.execute(
        query if caller is None else query.where(belongs_to_caller(caller))
    ).first()
    if row is None:
        raise TaskNotFound(task_id)
    return row


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks to return. None: all. `text`: in their prompt or their caller's name for them;
    `after`: the task after which the list continues; `offset`: how many to skip."""

    batch_id: str | None = None
    status: TaskStatus | None = None
    caller: str | None = None
    after: str | None = None
    limit: int = 100
    offset: int = 0
    text: str = ""


def find(database: Engine, wanted: TaskFilter) -> list[Task]:
    """Return tasks in the order of submission; without a batch, newest first.

    Raises:
        BatchNotFound, TaskNotFound: `wanted` names one that does not exist.
    """
    with database.connect() as connection:
        query = _apply_filter(connection, _query(), wanted)
        forward = wanted.batch_id is not None
        if wanted.after is not None:
            number = _row(connection, wanted.after, wanted.caller)[0]
            query = query.where(tasks.c.id > number if forward else tasks.c.id < number)
        query = query.order_by(tasks.c.id if forward else tasks.c.id.desc())
        query = query.limit(wanted.limit).offset(wanted.offset)
        return [_task(*row) for row in connection.execute(query)]


def count(database: Engine, wanted: TaskFilter) -> int:
    """Return how many tasks match, regardless of the limit. Raises BatchNotFound."""
    query = select(func.count()).select_from(tasks.join(task_batches))
    with database.connect() as connection:
        return connection.scalar(_apply_filter(connection, query, wanted)) or 0


def _apply_filter(connection: Connection, query: Select[Any], wanted: TaskFilter) -> Select[Any]:
    if wanted.batch_id is not None:
        number = number_of(connection, wanted.batch_id, wanted.caller)
        query = query.where(tasks.c.batch == number)
    elif wanted.caller is not None:
        query = query.where(belongs_to_caller(wanted.caller))
    if wanted.status is not None:
        query = query.where(tasks.c.status == wanted.status)
    if text := clean(wanted.text):
        columns = (tasks.c.custom_id, tasks.c.prompt)
        query = query.where(or_(*(c.icontains(text, autoescape=True) for c in columns)))
    return query


def ended(database: Engine, batch_id: str, caller: str | None = None) -> Iterator[Task]:
    """Yield the tasks of a batch that have ended, in order, reading a part at a time.

    Raises:
        BatchNotFound: when the first one is requested.
    """
    query = _query().add_columns(task_settings.c.config)
    query = query.join(task_settings, tasks.c.settings == task_settings.c.id)
    for row in _ended(database, batch_id, caller, query):
        yield replace(_task(row[0], *row[1:-1]), dialect=row[-1].get("dialect"))


def ended_with_prompts(
    database: Engine, batch_id: str, caller: str | None = None
) -> Iterator[tuple[Task, str]]:
    """Yield the tasks of a batch that have ended, each with its prompt; see `ended`."""
    query = _query().add_columns(tasks.c.prompt)
    for row in _ended(database, batch_id, caller, query):
        yield _task(row[0], *row[1:-1]), row[-1]


def _ended(
    database: Engine, batch_id: str, caller: str | None, query: Select[Any]
) -> Iterator[Row[Any]]:
    with database.connect() as connection:
        batch = number_of(connection, batch_id, caller)
    last = 0
    while True:
        part = query.where(tasks.c.batch == batch, tasks.c.id > last, tasks.c.status.not_in(OPEN))
        with database.connect() as connection:
            rows = connection.execute(part.order_by(tasks.c.id).limit(READ_AT_ONCE)).all()
        if not rows:
            return
        last = rows[-1][0]
        yield from rows


def prompts(database: Engine, task_ids: Collection[str]) -> dict[str, str]:
    """Return the prompts of these tasks, in the format of `dialogue`."""
    query = select(tasks.c.task_id, tasks.c.prompt).where(tasks.c.task_id.in_(task_ids))
    with database.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def cancel(database: Engine, task_id: str, caller: str | None = None) -> Task:
    """Cancel a task: it ends at once, and the process that runs it stops its request.

    Raises:
        TaskNotFound, TaskEnded.
    """
    with writing(database) as connection:
        _load(connection, task_id, caller)
        its = cancelling(database).where(tasks.c.task_id == clean(task_id))
        changed = connection.execute(its).rowcount
        task = _load(connection, task_id, caller)
    if not changed:
        raise TaskEnded(task.status)
    return task


def active(database: Engine) -> bool:
    """Whether a task is queued or running, or a server is still claimed for tasks."""
    with database.connect() as connection:
        unended = select(tasks.c.id).where(tasks.c.ended_at.is_(None)).limit(1)
        held = select(task_servers.c.server).limit(1)
        return any(connection.execute(query).first() for query in (unended, held))


def tickets(database: Engine) -> set[str]:
    """Return the tickets whose secrets a task still needs."""
    needed = select(tasks.c.settings).where(tasks.c.ended_at.is_(None)).distinct()
    query = select(task_settings.c.ticket).where(
        task_settings.c.ticket.is_not(None), task_settings.c.id.in_(needed)
    )
    with database.connect() as connection:
        return {ticket for ticket in connection.scalars(query) if ticket is not None}


def _query() -> Select[Any]:
    """The values of `_task`."""
    own = [_COLUMNS.get(each.name, tasks.c.get(each.name)) for each in _OWN]
    its = [tasks.c[each.name] for each in fields(TaskResult)]
    return select(tasks.c.id, *own, *its).join(task_batches, tasks.c.batch == task_batches.c.id)


def _task(_: int, *values: Any) -> Task:
    own, its = values[: len(_OWN)], values[len(_OWN) :]
    named: dict[str, Any] = {each.name: value for each, value in zip(_OWN, own, strict=True)}
    named["server"] = named["server"].partition(AT)[0]
    return Task(**named, result=TaskResult(*its))


_OWN = tuple(each for each in fields(Task) if each.name not in ("result", "dialect"))
_COLUMNS: dict[str, Any] = {
    "batch_id": task_batches.c.batch_id,
    "created_at": task_batches.c.created_at,
}
