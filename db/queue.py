"""The runs table is the queue: which run is next, and whether a run is still alive.

Unique indexes of the database allow one running run per lane, and one per comparison, so any number
of processes may claim at once: the second one gets the next lane or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Engine,
    and_,
    case,
    exists,
    false,
    func,
    not_,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from db.database import now, on_one_machine, update_one, writing
from db.heartbeats import LONG_LOST_S, Heartbeat, heartbeats_of, unchanged
from db.runs import AlreadyFinished, RunNotFound, load
from db.schema import engines, runs
from services.ask.measurement import ACTIVE, Run, RunStatus

INTERRUPTED = (
    "The process that measured this run ended before the run did. The results so far are kept."
)
GONE_S = 900.0  # without a heartbeat; then runs that wait for that machine are given up
GONE = (
    "The machine that this run waits for has not responded for 15 minutes: it measured the rest "
    "of the comparison, or is the only one that can reach the server. The results so far are "
    "kept. Start the run again on a machine that is running."
)


def claim(
    database: Engine, machine: str = "", is_free: Callable[[str], bool] = lambda lane: True
) -> Run | None:
    """Claim the oldest queued run of a lane in which none is running; return None if there is none.

    Its status becomes `running`, on `machine`; the caller must call `heartbeat` until `finish`.
    `is_free` may refuse a lane, whose runs then stay queued.
    """
    with database.connect() as connection:
        waiting = select(runs.c.id).where(runs.c.status == "queued")
        unwanted = connection.scalars(waiting.where(runs.c.cancel_requested)).all()
        busy = select(runs.c.lane).where(runs.c.status == "running")
        firsts = select(func.min(runs.c.id), runs.c.lane).where(
            runs.c.status == "queued",
            runs.c.cancel_requested.is_(False),
            runs.c.lane.not_in(busy),
            _is_next(),
            _has_its_engine(machine),
            _has_its_keys(database, machine),
            ~_assigned_to_other_machine(database, machine),
        )
        first_of_each_lane = connection.execute(firsts.group_by(runs.c.lane)).all()
    for run_id in unwanted:
        finish(database, run_id, "cancelled")
    for run_id, lane in sorted((first[0], first[1]) for first in first_of_each_lane):
        if is_free(lane) and _claim_run(database, run_id, machine):
            return load(database, run_id)
    return None


def _is_next() -> ColumnElement[bool]:
    """A run of a comparison waits while another one of it is running or comes first."""
    other = runs.alias()
    earlier = and_(other.c.status == "queued", other.c.item_index < runs.c.item_index)
    comes_first = or_(other.c.status == "running", earlier)
    return not_(exists().where(other.c.comparison_id == runs.c.comparison_id, comes_first))


def _has_its_engine(machine: str) -> ColumnElement[bool]:
    """A run on an engine that Paceline starts waits until the engine is ready, and is measured on
    the engine's machine."""
    its = engines.c.id == runs.c.engine_id
    ready = exists().where(its, engines.c.status == "ready", engines.c.machine == machine)
    return or_(runs.c.engine_id.is_(None), ready)


def _has_its_keys(database: Engine, machine: str) -> ColumnElement[bool]:
    """A run whose keys a supervisor holds in memory is left to that supervisor's machine, until the
    machine has sent no heartbeat for a long time."""
    here = runs.c.ticket.startswith(f"{machine}-", autoescape=True)
    heard = func.coalesce(runs.c.heartbeat_at, runs.c.created_at)
    lost = heard < now(database, timedelta(seconds=LONG_LOST_S))
    return or_(runs.c.ticket.is_(None), here, lost)


def _assigned_to_other_machine(database: Engine, machine: str) -> ColumnElement[bool]:
    """The work items of a comparison stay on one machine, as does a run whose server only one
    machine can reach."""
    if on_one_machine(database):
        return false()
    return _assigned_to(lambda its: and_(its.is_not(None), its != machine))


def _assigned_to(
    wanted: Callable[[ColumnElement[Any]], ColumnElement[bool]],
) -> ColumnElement[bool]:
    """Whether a run is left to a `wanted` machine: its own, or that of another run of its
    comparison that has not ended."""
    other = runs.alias()
    together = exists().where(
        other.c.comparison_id == runs.c.comparison_id,
        other.c.status.in_(ACTIVE),
        wanted(other.c.machine),
    )
    return or_(wanted(runs.c.machine), together)


def _claim_run(database: Engine, run_id: int, machine: str = "") -> bool:
    moment = now(database)
    waiting = update(runs).where(runs.c.id == run_id, runs.c.status == "queued")
    began = func.coalesce(runs.c.started_at, moment)  # of its first work item
    taken = waiting.values(status="running", started_at=began, heartbeat_at=moment, machine=machine)
    try:
        with writing(database) as connection:
            return connection.execute(taken).rowcount == 1
    except IntegrityError:  # another run of this lane or comparison was started meanwhile
        return False


def heartbeat(database: Engine, run_id: int, phase: str | None = None) -> bool:
    """Store a run's heartbeat and its current phase. Return whether it must stop: it was cancelled,
    or it counts as ended already (see `interrupt`)."""
    values: dict[str, Any] = {"heartbeat_at": now(database)}
    if phase is not None:
        values["phase"] = phase
    alive = update(runs).where(runs.c.id == run_id, runs.c.status == "running").values(values)
    with writing(database) as connection:
        return any(connection.scalars(alive.returning(runs.c.cancel_requested)).all() or [True])


def needed_tickets(database: Engine) -> set[str]:
    """Return the tickets whose secrets are still needed: by a run that is queued or running, or by
    one whose comparison may continue."""
    goes_on = select(runs.c.comparison_id).where(
        runs.c.status.in_(ACTIVE), runs.c.comparison_id.is_not(None)
    )
    wanted = or_(runs.c.status.in_(ACTIVE), runs.c.comparison_id.in_(goes_on))
    with database.connect() as connection:
        query = select(runs.c.ticket).where(runs.c.ticket.is_not(None), wanted)
        return set(connection.scalars(query))


def lanes(database: Engine, run_ids: Collection[int]) -> set[str]:
    """Return the lanes of these runs."""
    with database.connect() as connection:
        return set(connection.scalars(select(runs.c.lane).where(runs.c.id.in_(run_ids))))


def machine_heartbeat(database: Engine, machine: str) -> None:
    """Record that this machine is up, for its queued runs and those whose secrets it holds."""
    keys = runs.c.ticket.startswith(f"{machine}-", autoescape=True)
    here = or_(keys, _assigned_to(lambda its: its == machine))
    waiting = update(runs).where(runs.c.status == "queued", here)
    with writing(database) as connection:
        connection.execute(waiting.values(heartbeat_at=now(database)))


def end_abandoned(database: Engine, machine: str) -> list[int]:
    """End the queued runs that are left to another machine that has sent no heartbeat for GONE_S.
    Return their ids."""
    heard = func.coalesce(runs.c.heartbeat_at, runs.c.created_at)
    gone = heard < now(database, timedelta(seconds=GONE_S))
    lost = and_(gone, _assigned_to_other_machine(database, machine))
    waiting = update(runs).where(runs.c.status == "queued", lost)
    ended = waiting.values(status="interrupted", error=GONE, ended_at=now(database), phase="")
    with writing(database) as connection:
        return sorted(connection.scalars(ended.returning(runs.c.id)).all())


def destination(database: Engine, run_id: int) -> tuple[dict[str, Any] | None, str | None]:
    """Return a run's destination without its secrets, and the ticket under which those are held.
    None if an older Paceline stored it. Raises RunNotFound."""
    with database.connect() as connection:
        query = select(runs.c.destination, runs.c.ticket).where(runs.c.id == run_id)
        row = connection.execute(query).first()
    if row is None:
        raise RunNotFound(run_id)
    return row.destination, row.ticket


def finish(
    database: Engine,
    run_id: int,
    status: RunStatus,
    error: str | None = None,
    headline: dict[str, Any] | None = None,
) -> bool:
    """End a queued or running run. Return False, and change nothing, if it has already ended."""
    active = update(runs).where(runs.c.id == run_id, runs.c.status.in_(ACTIVE))
    ended = active.values(status=status, error=error, ended_at=now(database), phase="")
    return update_one(database, ended if headline is None else ended.values(headline=headline))


def requeue(database: Engine, run_id: int, item_index: int, headline: dict[str, Any]) -> bool:
    """Put a running run back into the queue until its next work item. Return False, and change
    nothing, if it was cancelled or has ended meanwhile."""
    running = update(runs).where(
        runs.c.id == run_id, runs.c.status == "running", runs.c.cancel_requested.is_(False)
    )
    return update_one(
        database,
        running.values(status="queued", item_index=item_index, phase="", headline=headline),
    )


def request_cancel(database: Engine, run_id: int) -> Run:
    """Cancel a queued run at once; request a running one to stop, which it learns from `heartbeat`.

    Raises:
        RunNotFound: there is no such run.
        AlreadyFinished: it has ended.
    """
    waits = runs.c.status == "queued"
    active = update(runs).where(runs.c.id == run_id, runs.c.status.in_(ACTIVE))
    change = active.values(  # in one statement: a work item may start or end at the same moment
        cancel_requested=True,
        status=case((waits, "cancelled"), else_=runs.c.status),
        ended_at=case((waits, now(database)), else_=runs.c.ended_at),
    )
    changed = update_one(database, change)
    run = load(database, run_id)
    if not changed:
        raise AlreadyFinished(run_id)
    return run


def heartbeats(database: Engine) -> list[Heartbeat]:
    """Return the last heartbeat of each running run."""
    return heartbeats_of(database, runs, runs.c.status == "running")


def interrupt(database: Engine, lost: Sequence[Heartbeat]) -> list[int]:
    """End the running runs that have sent no heartbeat since these, with those times as their ends;
    one whose cancellation was requested is cancelled. Return their ids."""
    if not lost:
        return []
    stale = update(runs).where(runs.c.status == "running", unchanged(runs, lost))
    ended = stale.values(
        status=case((runs.c.cancel_requested, "cancelled"), else_="interrupted"),
        error=case((runs.c.cancel_requested, null()), else_=INTERRUPTED),
        ended_at=runs.c.heartbeat_at,
        phase="",
    )
    with writing(database) as connection:
        return sorted(connection.scalars(ended.returning(runs.c.id)).all())


def active(database: Engine) -> int:
    """Return how many runs are queued or running."""
    with database.connect() as connection:
        query = select(func.count()).select_from(runs).where(runs.c.status.in_(ACTIVE))
        return connection.execute(query).scalar_one()


@dataclass(frozen=True, slots=True)
class Ahead:
    """A run that comes before another one in the queue, and the comparison or study that it belongs
    to."""

    id: int
    name: str
    status: RunStatus
    comparison_id: int | None
    study_id: int | None


def runs_ahead(database: Engine, run_id: int) -> list[Ahead]:
    """Return the runs of its lane that a queued run waits for, the running one first; [] if it does
    not wait."""
    me = runs.alias()
    earlier = and_(runs.c.status == "queued", runs.c.id < me.c.id)
    waits = and_(me.c.id == run_id, me.c.status == "queued", me.c.lane == runs.c.lane)
    columns = [getattr(runs.c, field.name) for field in fields(Ahead)]
    query = select(*columns).where(waits, or_(runs.c.status == "running", earlier))
    with database.connect() as connection:
        rows = connection.execute(query.order_by(runs.c.status == "queued", runs.c.id))
        return [Ahead(*row) for row in rows]
