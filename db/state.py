"""The state of the queue, the runs and the client in a few numbers, for a monitoring system that
polls every few seconds: each query reads an index or a handful of rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, Engine, and_, case, func, select

from db import schema, span_exports
from db.database import now
from db.task_batches import AT
from services.ask.measurement import ACTIVE, FINISHED
from services.ask.tasks import OPEN, STATUSES
from services.report.spans.progress import SpanStatus
from services.servers.engines.instance import UP

ALIVE_S = 10.0  # a run's supervisor sends a heartbeat four times a second


@dataclass(frozen=True, slots=True)
class ClientHealth:
    """The client's health in the newest run that it measured: the worst value over its processes,
    in seconds and as a share of a core; None: unknown."""

    run_id: int
    late_p99_s: float | None
    lag_p99_s: float | None
    cpu_share: float | None


@dataclass(frozen=True, slots=True)
class TaskCounts:
    """`queue` and `ended`: tasks by status. `servers`: those waiting or running, by server and
    status; servers without any are left out."""

    queue: dict[str, int]
    ended: dict[str, int]
    servers: dict[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class State:
    """`queue` and `ended`: runs by status, without imported ones. `workers`: runs being measured
    whose supervisor was heard within ALIVE_S. `engines`: those that are up, by status. `spans`:
    runs to be sent as spans, by status. `tasks`: their numbers."""

    queue: dict[str, int]
    ended: dict[str, int]
    workers: int
    in_flight: int
    engines: dict[str, int]
    spans: dict[SpanStatus, int]
    tasks: TaskCounts
    client: ClientHealth | None


def state(database: Engine) -> State:
    """Return the current state."""
    with database.connect() as connection:
        runs = _by_status(connection)
        return State(
            {status: runs.get(status, 0) for status in ACTIVE},
            {status: runs.get(status, 0) for status in FINISHED},
            _workers(connection),
            _in_flight(connection),
            _engines(connection),
            span_exports.status_counts(connection),
            _tasks(connection),
            _client(connection),
        )


def _by_status(connection: Connection) -> dict[str, int]:
    runs = schema.runs.c
    query = select(runs.status, func.count()).where(runs.source.is_(None)).group_by(runs.status)
    return {status: int(count) for status, count in connection.execute(query)}


def _workers(connection: Connection) -> int:
    runs, heard = schema.runs.c, now(connection, timedelta(seconds=ALIVE_S))
    query = select(func.count()).where(runs.status == "running", runs.heartbeat_at > heard)
    return connection.execute(query).scalar_one()


def _in_flight(connection: Connection) -> int:
    """The requests in flight that the workers last reported."""
    table, runs = schema.progress.c, schema.runs.c
    lasts = (
        select(table.run_id, func.max(table.t).label("t"))
        .join(schema.runs, runs.id == table.run_id)
        .where(runs.status == "running")
        .group_by(table.run_id)
        .subquery()
    )
    query = select(func.sum(table.in_flight)).join(
        lasts, (table.run_id == lasts.c.run_id) & (table.t == lasts.c.t)
    )
    return int(connection.scalar(query) or 0)


def _engines(connection: Connection) -> dict[str, int]:
    engines = schema.engines.c
    query = select(engines.status, func.count()).where(engines.status.in_(UP))
    rows = connection.execute(query.group_by(engines.status))
    counts = {status: int(count) for status, count in rows}
    return {status: counts.get(status, 0) for status in UP}


def _tasks(connection: Connection) -> TaskCounts:
    """Count the queue by its own indexes, and the other tasks by an index on their status, without
    reading rows."""
    tasks, workers = schema.tasks.c, select(schema.task_workers.c.worker)
    servers: dict[tuple[str, str], int] = {}
    for status, its in (
        ("queued", tasks.status == "queued"),
        ("running", and_(tasks.worker.in_(workers), tasks.status == "running")),
    ):
        counted = select(tasks.server, func.count()).where(its).group_by(tasks.server)
        for server, count in connection.execute(counted):
            place = server.partition(AT)[0], status
            servers[place] = servers.get(place, 0) + int(count)
    queue: dict[str, int] = dict.fromkeys(OPEN, 0)
    for (_, status), count in servers.items():
        queue[status] += count
    over = [status for status in STATUSES if status not in OPEN]
    ended = connection.execute(select(*(func.count(case((tasks.status == s, 1))) for s in over)))
    counts: dict[str, int] = dict(zip(over, ended.one(), strict=True))
    return TaskCounts(queue, counts, servers)


def _client(connection: Connection) -> ClientHealth | None:
    table = schema.progress.c
    run_id = connection.scalar(select(func.max(table.run_id)))
    if run_id is None:
        return None
    worst = select(func.max(table.late_p99_s), func.max(table.lag_p99_s), func.max(table.cpu_share))
    row = connection.execute(worst.where(table.run_id == run_id)).one()
    return ClientHealth(run_id, row[0], row[1], row[2])
