"""Stored capacity searches, with their probes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    and_,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import delete as delete_from

from db.database import on_one_machine, writing
from db.runs import NewRun, add
from db.schema import capacities, runs
from services.ask.measurement import ACTIVE
from services.ask.problems import validate
from services.base.errors import Conflict, NotFound
from services.base.roles import NOBODY, Origin
from services.studies.capacity import Capacity, Status, continued
from services.studies.capacity_config import CapacityConfig
from services.studies.capacity_probe import Probe, from_dict, to_dict


class CapacityNotFound(NotFound):
    """No search has this id."""

    def __init__(self, capacity_id: int) -> None:
        super().__init__(f"There is no capacity search {capacity_id}. It may have been deleted.")


class CapacityBusy(Conflict):
    """A running search can be neither deleted nor resumed."""

    def __init__(self, capacity_id: int) -> None:
        super().__init__(f"Capacity search {capacity_id} is still running. Cancel it first.")


class PartOfStudy(Conflict):
    """The search belongs to a study: only the study can be resumed or deleted."""

    def __init__(self, capacity_id: int, study_id: int) -> None:
        super().__init__(
            f"Capacity search {capacity_id} is part of study {study_id}: resume or delete that."
        )


def create(
    database: Engine,
    config: CapacityConfig,
    name: str,
    note: str = "",
    machine: str | None = None,
    origin: Origin = NOBODY,
) -> int:
    """Store a search, which a supervisor will start; return its id. `machine`: the only machine
    that can reach its servers; None: any machine can."""
    values = {"name": name, "note": note, "machine": machine, **origin._asdict()}
    with writing(database) as connection:
        return add_search(connection, config, **values)


def add_search(connection: Connection, config: CapacityConfig, **more: Any) -> int:
    """Store a search within a transaction that writes; `more`: further columns. Returns its id."""
    values = {
        "created_at": datetime.now(UTC),
        "config": config.model_dump(mode="json"),
        "status": "running",
        "probes": [],
        **more,
    }
    created = insert(capacities).values(values).returning(capacities.c.id)
    capacity_id: int = connection.execute(created).scalar_one()
    return capacity_id


def of_study(connection: Connection, study_id: int) -> list[Capacity]:
    """Return the searches of a study, in the order in which they run."""
    query = select(capacities).where(capacities.c.study_id == study_id).order_by(capacities.c.id)
    return [from_row(row) for row in connection.execute(query).mappings()]


def load(database: Engine, capacity_id: int) -> Capacity:
    """Return a search. Raises CapacityNotFound."""
    with database.connect() as connection:
        return from_row(_row(connection, capacity_id))


def waiting(database: Engine, machine: str) -> list[Capacity]:
    """Return the running searches that this machine continues and that have no probe in progress,
    oldest first. It is called several times a second, so configs are read only for running
    searches."""
    query = select(capacities.c.id, capacities.c.probes).where(_running(database, machine))
    with database.connect() as connection:
        last = {row.id: row.probes[-1]["run_id"] for row in connection.execute(query) if row.probes}
        active = select(runs.c.id).where(runs.c.id.in_(last.values()), runs.c.status.in_(ACTIVE))
        busy = set(connection.scalars(active)) if last else set()
        measured = [number for number, run_id in last.items() if run_id in busy]
        ready = select(capacities).where(
            _running(database, machine), capacities.c.id.not_in(measured)
        )
        rows = connection.execute(ready.order_by(capacities.c.id)).mappings()
        return [from_row(row) for row in rows]


def any_running(database: Engine, machine: str) -> bool:
    """Whether a search of this machine is running."""
    query = select(capacities.c.id).where(_running(database, machine)).limit(1)
    with database.connect() as connection:
        return connection.scalar(query) is not None


def _running(database: Engine, machine: str) -> ColumnElement[bool]:
    running, its = capacities.c.status == "running", capacities.c.machine
    if on_one_machine(database):
        return running
    return and_(running, or_(its.is_(None), its == machine))


def begin(database: Engine, capacity: Capacity, probe: Probe, new: NewRun) -> int | None:
    """Queue a probe's run and add the probe in one transaction; return the run's id, or None if
    another process has changed or ended the search meanwhile."""
    with writing(database) as connection:
        if not _is_unchanged(connection, capacity):
            return None
        run_id = add(connection, new, engine_id=capacity.engine_id)
        _set(
            connection,
            capacity.id,
            probes=list(map(to_dict, (*capacity.probes, replace(probe, run_id=run_id)))),
        )
        return run_id


def save_probes(database: Engine, capacity: Capacity, probes: Sequence[Probe]) -> bool:
    """Store the outcomes of probes. Return False if another process has changed or ended the search
    meanwhile."""
    with writing(database) as connection:
        if not _is_unchanged(connection, capacity):
            return False
        _set(connection, capacity.id, probes=list(map(to_dict, probes)))
        return True


def end(database: Engine, capacity_id: int, status: Status, error: str | None = None) -> bool:
    """End a search. Return False if it had already ended. Raises CapacityNotFound."""
    with writing(database) as connection:
        if not is_running(connection, capacity_id):
            return False
        _set(connection, capacity_id, status=status, error=error, ended_at=datetime.now(UTC))
        return True


def is_running(connection: Connection, capacity_id: int) -> bool:
    """Whether a search is running; this cannot change until the transaction ends. Raises
    CapacityNotFound."""
    return bool(_row(connection, capacity_id)["status"] == "running")


def resume(
    database: Engine,
    capacity_id: int,
    machine: str | None = None,
    probes: int | None = None,
    precision: float | None = None,
) -> None:
    """Resume a search; finished probes are kept, see `continued`, also for `probes` and
    `precision`. `machine`: see `create`; it may be another one than before.

    Raises:
        CapacityNotFound, CapacityBusy, NothingToContinue, InvalidConfig.
        PartOfStudy: resume its study instead.
    """
    with writing(database) as connection:
        row = _row(connection, capacity_id)
        _check_own(row)
        again = continued(from_row(row), probes, precision)
        _set_running(connection, again)
        _set(connection, again.id, machine=machine, config=again.config.model_dump(mode="json"))


def delete(database: Engine, capacity_id: int) -> None:
    """Delete a search; the runs that were its probes are kept.

    Raises:
        CapacityNotFound: no search has this id.
        CapacityBusy: it is running.
        PartOfStudy: it is deleted with its study.
    """
    with writing(database) as connection:
        _check_own(_row(connection, capacity_id))
        connection.execute(delete_from(capacities).where(capacities.c.id == capacity_id))


def resume_of_study(connection: Connection, capacity_id: int) -> None:
    """Resume a search of a study unless it is running; finished probes are kept. Raises
    CapacityNotFound."""
    if not is_running(connection, capacity_id):
        _set_running(connection, continued(from_row(_row(connection, capacity_id))))


def _set_running(connection: Connection, again: Capacity) -> None:
    measured = list(map(to_dict, again.probes))
    _set(connection, again.id, status="running", error=None, ended_at=None, probes=measured)


def _is_unchanged(connection: Connection, capacity: Capacity) -> bool:
    """Whether a search is still running and has the same probes as when it was read."""
    stored = from_row(_row(connection, capacity.id))
    return stored.status == "running" and stored.probes == capacity.probes


def _check_own(row: RowMapping) -> None:
    """Check that a search has ended and does not belong to a study."""
    if row["study_id"] is not None:
        raise PartOfStudy(row["id"], row["study_id"])
    if row["status"] == "running":
        raise CapacityBusy(row["id"])


def _row(connection: Connection, capacity_id: int) -> RowMapping:
    query = select(capacities).where(capacities.c.id == capacity_id).with_for_update()
    row = connection.execute(query).mappings().first()
    if row is None:
        raise CapacityNotFound(capacity_id)
    return row


def _set(connection: Connection, capacity_id: int, **values: Any) -> None:
    connection.execute(update(capacities).where(capacities.c.id == capacity_id).values(**values))


def from_row(row: RowMapping) -> Capacity:
    """Return the search of a row of the table."""
    return Capacity(
        row["id"],
        row["name"],
        row["note"],
        row["created_at"],
        validate(CapacityConfig, row["config"]),
        row["status"],
        tuple(map(from_dict, row["probes"])),
        row["error"],
        row["ended_at"],
        Origin(*(row[name] for name in Origin._fields)),
        row["study_id"],
        row["engine_id"],
        row["start"],
    )
