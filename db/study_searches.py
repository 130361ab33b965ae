"""The capacity searches of a study, each on one of its engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine

from db import capacities as stored_searches
from db import engines as stored_engines
from db.database import writing
from db.studies import add_study, plan_engines, set_config
from services.base.roles import NOBODY, Origin
from services.servers.engines import EngineConfig
from services.studies.capacity import Capacity
from services.studies.highest import PlannedSearch, StudySearch
from services.studies.study_config import StudyConfig


@dataclass(frozen=True, slots=True)
class NewSearch:
    """A search of a study to be queued. `problem`: why it cannot run; it is then stored as
    failed."""

    planned: PlannedSearch
    name: str
    problem: str | None = None


def create(
    database: Engine,
    config: StudyConfig,
    name: str,
    new: Sequence[NewSearch],
    note: str = "",
    machine: str | None = None,
    origin: Origin = NOBODY,
) -> int:
    """Queue a study that searches for capacities; return its id. `machine`: see
    `studies.create`."""
    with writing(database) as connection:
        study_id = add_study(connection, config, name, note)
        _add(connection, study_id, new, machine, origin)
    return study_id


def extend(
    database: Engine,
    study_id: int,
    config: StudyConfig,
    known: int,
    new: Sequence[NewSearch],
    machine: str | None,
    origin: Origin = NOBODY,
) -> bool:
    """Add searches to a study; `config` is its new config. Return whether they were added: not if
    it no longer has the `known` number of searches, since another process may have added the same.
    `machine`: see `studies.create`. Raises StudyNotFound."""
    with writing(database) as connection:
        if len(stored_searches.of_study(connection, study_id)) != known:
            return False
        set_config(connection, study_id, config)
        _add(connection, study_id, new, machine, origin)
    return True


def add_finals(
    database: Engine,
    ending: Capacity,
    known: int,
    new: Sequence[NewSearch],
    machine: str | None,
    origin: Origin,
) -> None:
    """Add the searches on fresh starts that follow when `ending` ends. Does nothing if that was
    cancelled meanwhile, or if its study no longer has the `known` number of searches: then another
    process has added them. Raises CapacityNotFound."""
    assert ending.study_id is not None
    with writing(database) as connection:
        if not stored_searches.is_running(connection, ending.id):
            return
        if len(stored_searches.of_study(connection, ending.study_id)) == known:
            _add(connection, ending.study_id, new, machine, origin)


def resume(
    database: Engine, study_id: int, again: Sequence[StudySearch], machine: str | None
) -> None:
    """Resume searches of a study, on engines that are started again on `machine`."""
    with writing(database) as connection:
        for search in again:
            stored_searches.resume_of_study(connection, search.capacity.id)
        plan_engines(connection, study_id, machine)


def _add(
    connection: Connection,
    study_id: int,
    new: Sequence[NewSearch],
    machine: str | None,
    origin: Origin,
) -> None:
    """Store searches, each with its engine. The first searches of a configuration share an engine;
    each search on a fresh start has its own."""
    engine_ids: dict[EngineConfig, int] = {}
    for search in new:
        engine = search.planned.engine
        if search.planned.start or engine not in engine_ids:
            engine_ids[engine] = stored_engines.add(connection, engine, study_id, machine)
        stored_searches.add_search(
            connection,
            search.planned.config,
            name=search.name,
            study_id=study_id,
            engine_id=engine_ids[engine],
            start=search.planned.start,
            machine=machine,
            **origin._asdict(),
            status="failed" if search.problem else "running",
            error=search.problem,
            ended_at=datetime.now(UTC) if search.problem else None,
        )
