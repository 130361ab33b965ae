"""Stored engines: which wait, which run, and which are no longer needed.

An engine of a study stays `planned` until one of its runs is waiting and no other study's engine is
running: two at once would take each other's devices. An engine that a person starts does not wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    Update,
    and_,
    case,
    exists,
    func,
    insert,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy import delete as delete_from

from db.database import now, on_one_machine, update_one, writing
from db.heartbeats import Heartbeat, heartbeats_of, unchanged
from db.schema import capacities, engines, runs
from services.base.errors import Conflict, NotFound
from services.servers.engines import EngineConfig, parse_engine
from services.servers.engines.instance import UP, EngineInstance

MAX_STARTS = 3  # of an engine that dies while it is measured; then its cells fail
LOST = "The process that supervised this engine ended, and the engine with it."

_PLAIN = tuple(f.name for f in fields(EngineInstance) if f.name != "config")


class EngineNotFound(NotFound):
    """No engine has this id."""

    def __init__(self, engine_id: int) -> None:
        super().__init__(f"There is no engine {engine_id}. It may have been deleted.")


class EngineBusy(Conflict):
    """An engine that is up cannot be deleted."""

    def __init__(self, engine_id: int) -> None:
        super().__init__(f"Engine {engine_id} is running. Stop it first.")


def create(database: Engine, config: EngineConfig, machine: str | None = None) -> int:
    """Queue the start of an engine; return its id."""
    with writing(database) as connection:
        return add(connection, config, machine=machine)


def add(
    connection: Connection,
    config: EngineConfig,
    study_id: int | None = None,
    machine: str | None = None,
) -> int:
    """Queue the start of an engine within a transaction that writes; return its id. `machine`: the
    one that checked that it can run there; None: any machine may start it."""
    values = {
        "status": "planned",
        "config": config.model_dump(mode="json"),
        "study_id": study_id,
        "machine": machine,
        "created_at": now(connection),
    }
    created = insert(engines).values(values).returning(engines.c.id)
    engine_id: int = connection.execute(created).scalar_one()
    return engine_id


def load(database: Engine, engine_id: int) -> EngineInstance:
    """Return one engine. Raises EngineNotFound."""
    with database.connect() as connection:
        query = select(engines).where(engines.c.id == engine_id)
        row = connection.execute(query).mappings().first()
    if row is None:
        raise EngineNotFound(engine_id)
    return _server(row)


def list_all(database: Engine, study_id: int | None = None) -> list[EngineInstance]:
    """Return the engines of a study; None: those that people started, newest first."""
    query = select(engines).where(engines.c.study_id == study_id)
    order = engines.c.id if study_id is not None else engines.c.id.desc()
    with database.connect() as connection:
        return [_server(row) for row in connection.execute(query.order_by(order)).mappings()]


def list_running(database: Engine) -> list[EngineInstance]:
    """Return the engines that are up or starting, whoever started them."""
    query = select(engines).where(engines.c.status.in_(UP)).order_by(engines.c.id)
    with database.connect() as connection:
        return [_server(row) for row in connection.execute(query).mappings()]


def claim(database: Engine, machine: str = "") -> EngineInstance | None:
    """Claim the first engine that may start. Its status becomes `starting`, on `machine`, and the
    caller must start it."""
    with database.connect() as connection:
        startable = _may_start(database, machine)
        waiting = select(engines.c.id).where(startable).order_by(engines.c.id)
        ids = connection.scalars(waiting).all()
    for engine_id in ids:
        moment = now(database)
        fresh = {
            "status": "starting",
            "started_at": moment,
            "heartbeat_at": moment,
            "ready_at": None,
            "ended_at": None,
            "base_url": None,
            "pid": None,
            "hint": None,  # the error of an earlier start is kept
            "facts": {},
            "starts": engines.c.starts + 1,
            "machine": machine,
        }
        if update_one(database, _with_id(engine_id).where(startable).values(fresh)):
            return load(database, engine_id)
    return None


def _may_start(database: Engine, machine: str) -> ColumnElement[bool]:
    other = engines.alias()
    here = and_(other.c.status.in_(UP), other.c.machine == machine)
    another = exists().where(other.c.study_id.is_not(None), here)
    where = or_(engines.c.machine.is_(None), engines.c.machine == machine)
    where = true() if on_one_machine(database) else where
    return and_(_is_wanted(), where, or_(engines.c.study_id.is_(None), ~another))


def _is_wanted() -> ColumnElement[bool]:
    """It is planned, and a person or a waiting run needs it."""
    planned = and_(engines.c.status == "planned", engines.c.stop_requested.is_(False))
    return and_(planned, or_(engines.c.study_id.is_(None), _has_waiting_work()))


def _may_start_again() -> ColumnElement[bool]:
    """Whether an engine that has died will be started again, since a study still waits for it."""
    of_a_study = and_(engines.c.study_id.is_not(None), engines.c.stop_requested.is_(False))
    return and_(of_a_study, engines.c.starts < MAX_STARTS, _has_waiting_work())


def _has_waiting_work() -> ColumnElement[bool]:
    """Whether a run waits for an engine, or a search for its capacity is running: between two
    probes no run waits."""
    searched = exists().where(
        capacities.c.engine_id == engines.c.id, capacities.c.status == "running"
    )
    return or_(_has_runs(("queued",)), searched)


def _has_runs(statuses: Sequence[str]) -> ColumnElement[bool]:
    return exists().where(
        runs.c.engine_id == engines.c.id,
        runs.c.status.in_(statuses),
        runs.c.cancel_requested.is_(False),
    )


def heartbeat(database: Engine, engine_id: int) -> bool:
    """Store an engine's heartbeat. Return whether it should stop: this was requested, it has
    already ended, or it belongs to a study that has no run left for it."""
    alive = _with_id(engine_id).where(engines.c.status.in_(UP))
    # also running runs that are being cancelled: they end by themselves
    wanted = or_(engines.c.study_id.is_(None), _has_waiting_work(), _running())
    query = select(engines.c.stop_requested, wanted).where(engines.c.id == engine_id)
    with writing(database) as connection:
        if not connection.execute(alive.values(heartbeat_at=now(database))).rowcount:
            return True
        stop, is_wanted = connection.execute(query).one()
    return bool(stop) or not is_wanted


def _running() -> ColumnElement[bool]:
    return exists().where(runs.c.engine_id == engines.c.id, runs.c.status == "running")


def update_running(database: Engine, engine_id: int, **values: Any) -> None:
    """Store facts about an engine that is up: phase, pid, command, base_url, facts."""
    update_one(database, _with_id(engine_id).where(engines.c.status.in_(UP)).values(values))


def ready(database: Engine, engine_id: int, facts: dict[str, Any]) -> None:
    """Mark an engine as ready, so that its runs can be measured."""
    values = {"status": "ready", "ready_at": now(database), "phase": "", "facts": facts}
    update_one(database, _with_id(engine_id).where(engines.c.status == "starting").values(values))


def ended(
    database: Engine, engine_id: int, error: str | None = None, hint: str | None = None
) -> None:
    """Record that an engine has ended; `error` None: it was stopped. An engine of a study that was
    stopped without a request, while runs wait for it, is started again."""
    up = _with_id(engine_id).where(engines.c.status.in_(UP))
    too_soon = and_(
        engines.c.study_id.is_not(None), engines.c.stop_requested.is_(False), _has_waiting_work()
    )
    again = up.where(too_soon).values(status="planned", phase="")
    if error is None and update_one(database, again):
        return
    values = {
        "status": "failed" if error else "stopped",
        "ended_at": now(database),
        "phase": "",
        "pid": None,
        "error": error,
        "hint": hint,
    }
    update_one(database, up.values(values))


def restart(database: Engine, engine_id: int, why: str) -> bool:
    """Plan another start of an engine that died while it was measured, if runs still wait for it
    and it has not died too often. Return whether it will start. `why` is kept as its error."""
    this = _with_id(engine_id).where(engines.c.status.in_(UP), _may_start_again())
    again = {"status": "planned", "phase": f"{why} It will be restarted.", "error": why}
    return update_one(database, this.values(again))


def request_stop(database: Engine, engine_id: int) -> EngineInstance:
    """Request an engine to stop; one that has not been started is stopped at once. Runs of a study
    that wait for it fail. Raises EngineNotFound."""
    load(database, engine_id)
    with writing(database) as connection:
        connection.execute(_with_id(engine_id).values(stop_requested=True))
        stopped = {"status": "stopped", "ended_at": now(database), "phase": ""}
        waits = _with_id(engine_id).where(engines.c.status == "planned")
        connection.execute(waits.values(stopped))
    return load(database, engine_id)


def last_start(
    database: Engine, engine_id: int
) -> tuple[int | None, datetime | None, datetime | None]:
    """Return the process id and the time of an engine's last start, and its last heartbeat. Raises
    EngineNotFound."""
    c = engines.c
    with database.connect() as connection:
        query = select(c.pid, c.started_at, c.heartbeat_at).where(c.id == engine_id)
        row = connection.execute(query).first()
    if row is None:
        raise EngineNotFound(engine_id)
    return row.pid, row.started_at, row.heartbeat_at


def heartbeats(database: Engine) -> list[Heartbeat]:
    """Return the last heartbeat of each engine that is up."""
    return heartbeats_of(database, engines, engines.c.status.in_(UP))


def end_lost(database: Engine, silent: Sequence[Heartbeat]) -> list[int]:
    """End the engines that have sent no heartbeat since these; those of a study for which runs wait
    are planned again. Return their ids: the caller cleans up their processes."""
    if not silent:
        return []
    stale = update(engines).where(engines.c.status.in_(UP), unchanged(engines, silent))
    stopped = engines.c.stop_requested
    gone = {
        "status": case((stopped, "stopped"), else_="failed"),
        "error": case((stopped, null()), else_=LOST),
        "ended_at": engines.c.heartbeat_at,
        "phase": "",
    }
    with writing(database) as connection:
        anew = stale.where(_may_start_again())
        anew = anew.values(status="planned", phase=f"{LOST} It will be restarted.")
        planned = connection.scalars(anew.returning(engines.c.id)).all()
        return [*planned, *connection.scalars(stale.values(gone).returning(engines.c.id)).all()]


def give_up_runs(database: Engine) -> None:
    """Fail the runs whose engine will not start: a failed cell is a result."""
    gone = engines.c.status.in_(("failed", "stopped"))
    of_it = engines.c.id == runs.c.engine_id
    why = select(engines.c.error).where(of_it).scalar_subquery()
    deleted = and_(runs.c.engine_id.is_not(None), ~exists().where(of_it))
    waiting = update(runs).where(
        runs.c.status == "queued", or_(exists().where(of_it, gone), deleted)
    )
    error = func.coalesce(why, "Its engine was stopped.")
    values = {"status": "failed", "error": error, "ended_at": now(database)}
    with writing(database) as connection:
        connection.execute(waiting.values(values))


def active(database: Engine) -> int:
    """Return how many engines are up or planned."""
    wanted = or_(engines.c.status.in_(UP), _is_wanted())
    with database.connect() as connection:
        query = select(func.count()).select_from(engines).where(wanted)
        return connection.execute(query).scalar_one()


def seconds_to_ready(database: Engine, name: str) -> float | None:
    """Return how many seconds the last engine of that name took to become ready; None if none has
    been."""
    query = (
        select(engines.c.started_at, engines.c.ready_at, engines.c.config)
        .where(engines.c.ready_at.is_not(None))
        .order_by(engines.c.id.desc())
        .limit(100)
    )
    with database.connect() as connection:
        for started_at, ready_at, config in connection.execute(query):
            if config["engine"] == name:
                return float((ready_at - started_at).total_seconds())
    return None


def delete(database: Engine, engine_id: int) -> None:
    """Delete an engine that has ended. Raises EngineNotFound, EngineBusy."""
    server = load(database, engine_id)
    this = engines.c.id == engine_id
    with writing(database) as connection:
        gone = delete_from(engines).where(this, engines.c.status.not_in(UP))
        if not connection.execute(gone).rowcount:
            raise EngineBusy(server.id)


def _with_id(engine_id: int) -> Update:
    return update(engines).where(engines.c.id == engine_id)


def _server(row: RowMapping) -> EngineInstance:
    return EngineInstance(
        config=parse_engine(row["config"]), **{name: row[name] for name in _PLAIN}
    )
