"""The queue of tasks, for the process that works on them: it claims servers, then their tasks, and
records how these ended.

A server belongs to one process at a time, so that the limit on concurrent tasks holds across all
machines. A task belongs to the process that claimed it: only that process can record how it ended,
and only while it owns the task. A dead process loses both; its tasks are queued again, and whatever
it still writes has no effect. So each task ends once. Runs come first: a server for which a run is
queued or running is not claimed, and is released when the tasks in flight have ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.exc import IntegrityError

from db.database import now, on_one_machine, writing
from db.heartbeats import LONG_LOST_S
from db.queue import GONE_S
from db.schema import runs, task_batches, task_servers, task_settings, task_workers, tasks
from db.task_batches import AT
from db.task_locks import lock_in_order
from services.ask.measurement import ACTIVE
from services.ask.tasks import OPEN, TaskEnd

UNENDED = tasks.c.ended_at.is_(None)  # an index finds these among all stored tasks
MAX_CALLERS = 200  # of one server, who take turns
GONE = (
    "The only machine that can reach this task's server, or holds its key, has not responded for "
    "15 minutes. Submit the task again on a machine that is running."
)


@dataclass(frozen=True, slots=True)
class TaskWorker:
    """A process that answers tasks. Only one runs at a time at a `place`, so a new one there knows
    that the previous one is gone."""

    worker: str
    place: str
    machine: str


@dataclass(frozen=True, slots=True)
class ClaimedTask:
    """A task that a process has claimed."""

    id: int
    server: str
    caller: str
    settings: int
    prompt: str


@dataclass(frozen=True, slots=True)
class EndedTask:
    """A task that a process had claimed, and how it ended."""

    id: int
    started_at: datetime
    ended_at: datetime
    end: TaskEnd


@dataclass(frozen=True, slots=True)
class StoredSettings:
    """Where tasks are sent, see `jobs/destination.py`."""

    config: dict[str, Any]
    destination: dict[str, Any]
    ticket: str | None


class WorkerGone(Exception):
    """This process counts as gone, and others have taken its tasks."""


def register_worker(database: Engine, me: TaskWorker) -> None:
    """Register a process: an earlier one at its place is gone, and its tasks are queued again."""
    values = {**asdict(me), "heartbeat_at": now(database)}
    with writing(database) as connection:
        _remove_workers(connection, task_workers.c.place == me.place)
        connection.execute(insert(task_workers).values(values))


def remove_worker(database: Engine, worker: str) -> None:
    """Remove a process that ends: its tasks are queued again."""
    with writing(database) as connection:
        _remove_workers(connection, task_workers.c.worker == worker)


def heartbeat(database: Engine, worker: str) -> None:
    """Store a process's heartbeat. Raises WorkerGone."""
    with writing(database) as connection:
        _renew_heartbeat(connection, database, worker)


def expire_workers(database: Engine, worker: str) -> None:
    """Queue the tasks of processes without a recent heartbeat again. The `worker` that looks is
    alive, even if the database was away for longer. Raises WorkerGone."""
    with writing(database) as connection:
        _renew_heartbeat(connection, database, worker)
        limit = now(database, timedelta(seconds=LONG_LOST_S))
        _remove_workers(connection, task_workers.c.heartbeat_at < limit)


def absent_machines(database: Engine) -> list[str]:
    """Return the machines without a process for which tasks wait that no other machine can send."""
    if on_one_machine(database):
        return []
    query = select(tasks.c.machine).where(*_waits_for_absent()).distinct()
    with database.connect() as connection:
        return sorted(connection.scalars(query))


def end_abandoned(database: Engine, machines: Collection[str]) -> None:
    """End the tasks that wait for these `machines`, except new ones: a machine to which a task was
    submitted lately is about to start a process."""
    limit = now(database, timedelta(seconds=GONE_S))
    old = select(task_batches.c.id).where(task_batches.c.created_at < limit)
    lost = *_waits_for_absent(), tasks.c.machine.in_(machines), tasks.c.batch.in_(old)
    with writing(database) as connection:
        lock_in_order(connection, *lost)
        connection.execute(
            update(tasks).where(*lost).values(status="failed", error=GONE, ended_at=now(database))
        )


def _waits_for_absent() -> tuple[ColumnElement[bool], ...]:
    """The conditions for unclaimed tasks that only a machine without a process can send."""
    return (
        tasks.c.status == "queued",
        tasks.c.worker.is_(None),
        tasks.c.machine.is_not(None),
        tasks.c.machine.not_in(select(task_workers.c.machine)),
    )


def _remove_workers(connection: Connection, gone: ColumnElement[bool]) -> None:
    """Delete processes. This comes first, so that one that is not gone after all claims nothing
    more."""
    connection.execute(delete(task_workers).where(gone))
    known = select(task_workers.c.worker)
    had = tasks.c.worker.is_not(None), tasks.c.worker.not_in(known), UNENDED
    lock_in_order(connection, *had)
    again = {"status": "queued", "worker": None, "started_at": None}
    connection.execute(update(tasks).where(*had).values(again))
    connection.execute(delete(task_servers).where(task_servers.c.worker.not_in(known)))


def _renew_heartbeat(connection: Connection, database: Engine, worker: str) -> None:
    alive = update(task_workers).where(task_workers.c.worker == worker)
    if not connection.execute(alive.values(heartbeat_at=now(database))).rowcount:
        raise WorkerGone


def waiting_servers(database: Engine, machine: str) -> list[str]:
    """Return the servers that have unclaimed tasks and that this machine can reach."""
    query = select(tasks.c.server).where(_waits(database, machine), UNENDED).distinct()
    with database.connect() as connection:
        return list(connection.scalars(query))


def claim_server(database: Engine, me: TaskWorker, server: str) -> bool:
    """Claim a server. Return False if another process has it, or a run on it is queued or running.

    Raises:
        WorkerGone.
    """
    try:
        with writing(database) as connection:
            _renew_heartbeat(connection, database, me.worker)
            if _has_run(connection, server):
                return False
            connection.execute(insert(task_servers).values(server=server, worker=me.worker))
    except IntegrityError:
        return False
    return True


def release_server(database: Engine, worker: str, server: str) -> None:
    """Release a server, and its tasks that were claimed and have not begun."""
    mine = tasks.c.worker == worker, tasks.c.server == server, tasks.c.status == "queued"
    held = delete(task_servers).where(
        task_servers.c.server == server, task_servers.c.worker == worker
    )
    with writing(database) as connection:
        lock_in_order(connection, *mine)
        connection.execute(update(tasks).where(*mine).values(worker=None))
        connection.execute(held)


def run_waits(database: Engine, server: str) -> bool:
    """Whether a run on a server is queued or running; no task begins before it."""
    with database.connect() as connection:
        return _has_run(connection, server)


def _has_run(connection: Connection, server: str) -> bool:
    lane = server.partition(AT)[0]
    query = select(runs.c.id).where(runs.c.lane == lane, runs.c.status.in_(ACTIVE)).limit(1)
    return connection.execute(query).first() is not None


def is_claimed(database: Engine, lane: str, machine: str) -> bool:
    """Whether a process has claimed this run's server, which it must release first."""
    names = [lane, f"{lane}{AT}{machine}"]
    query = select(task_servers.c.server).where(task_servers.c.server.in_(names)).limit(1)
    with database.connect() as connection:
        return connection.execute(query).first() is not None


def callers(database: Engine, machine: str, server: str) -> list[str]:
    """Return the callers whose tasks wait for a server, the one who has waited longest first."""
    query = select(tasks.c.caller).where(_waits(database, machine), tasks.c.server == server)
    query = query.group_by(tasks.c.caller).order_by(func.min(tasks.c.id)).limit(MAX_CALLERS)
    with database.connect() as connection:
        return list(connection.scalars(query))


def exchange(
    database: Engine,
    me: TaskWorker,
    ended: Sequence[EndedTask],
    begun: Mapping[int, datetime],
    wanted: Mapping[tuple[str, str], int],
) -> tuple[list[ClaimedTask], set[int]]:
    """Store in one transaction which tasks ended and which have begun, and claim the `wanted`
    number of tasks by server and caller. Return these, and the ids of all tasks that this process
    has now: its other tasks were cancelled.

    Raises:
        WorkerGone.
    """
    with writing(database) as connection:
        _renew_heartbeat(connection, database, me.worker)
        lock_in_order(connection, tasks.c.id.in_([*(each.id for each in ended), *begun]))
        _store(connection, me.worker, ended)
        _begin(connection, me.worker, begun)
        claimed = [
            task
            for (server, caller), count in wanted.items()
            for task in _claim(connection, database, me, server, caller, count)
        ]
        mine = select(tasks.c.id).where(tasks.c.worker == me.worker, tasks.c.status.in_(OPEN))
        return claimed, set(connection.scalars(mine))


def _store(connection: Connection, worker: str, ended: Iterable[EndedTask]) -> None:
    rows = [_row(each) for each in ended]
    if rows:
        names = [name for name in rows[0] if not name.startswith("its_")]
        its = tasks.c.id == bindparam("its_id"), tasks.c.worker == worker
        known = func.coalesce(func.nullif(bindparam("its_model"), ""), tasks.c.model)
        values: dict[str, Any] = {name: bindparam(name) for name in names} | {
            "model": known,
            "worker": None,
        }
        connection.execute(update(tasks).where(*its, UNENDED).values(values), rows)


def _row(ended: EndedTask) -> dict[str, Any]:
    end = asdict(ended.end)
    result = end.pop("result")
    times = {"started_at": ended.started_at, "ended_at": ended.ended_at}
    return {"its_id": ended.id, "its_model": result.pop("model"), **times, **end, **result}


def _begin(connection: Connection, worker: str, begun: Mapping[int, datetime]) -> None:
    rows = [{"its_id": number, "its_start": at} for number, at in begun.items()]
    if rows:
        its = tasks.c.id == bindparam("its_id"), tasks.c.worker == worker
        values: dict[str, Any] = {"status": "running", "started_at": bindparam("its_start")}
        connection.execute(
            update(tasks).where(*its, tasks.c.status == "queued").values(values), rows
        )


def _claim(
    connection: Connection, database: Engine, me: TaskWorker, server: str, caller: str, count: int
) -> list[ClaimedTask]:
    theirs = tasks.c.server == server, tasks.c.caller == caller
    first = select(tasks.c.id).where(_waits(database, me.machine), *theirs).order_by(tasks.c.id)
    # What another process is changing is left alone: a claim waits for no lock, see lock_in_order.
    ids = list(connection.scalars(first.limit(count).with_for_update(skip_locked=True)))
    if not ids:
        return []
    free = update(tasks).where(
        tasks.c.id.in_(ids), tasks.c.status == "queued", tasks.c.worker.is_(None)
    )
    took = free.values(worker=me.worker, asked=tasks.c.asked + 1)
    shown = (tasks.c.id, tasks.c.server, tasks.c.caller, tasks.c.settings, tasks.c.prompt)
    rows = connection.execute(took.returning(*shown)).all()
    return [ClaimedTask(*row) for row in sorted(rows)]


def _waits(database: Engine, machine: str) -> ColumnElement[bool]:
    """The condition for unclaimed tasks whose server this machine can reach."""
    here = or_(tasks.c.machine.is_(None), tasks.c.machine == machine)
    return and_(
        tasks.c.status == "queued",
        tasks.c.worker.is_(None),
        true() if on_one_machine(database) else here,
    )


def load_settings(database: Engine, settings: Collection[int]) -> dict[int, StoredSettings]:
    """Return where tasks with these settings are sent."""
    shown = (task_settings.c[name] for name in ("id", "config", "destination", "ticket"))
    query = select(*shown).where(task_settings.c.id.in_(settings))
    with database.connect() as connection:
        return {row[0]: StoredSettings(*row[1:]) for row in connection.execute(query)}
