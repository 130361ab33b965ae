"""Stored studies: their cells, which are runs, and the engines that these wait for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, func, insert, or_, select, update
from sqlalchemy import delete as delete_from

from db import capacities as stored_searches
from db import engines as stored_engines
from db import results
from db.comparisons import UNCHANGED, Destinations
from db.database import writing
from db.runs import NewRun, RunBusy, add, load_many, origins_of, unshare
from db.schema import capacities, engines, runs, studies
from services.ask.config import FORMER
from services.ask.measurement import ACTIVE, FINISHED, Run
from services.base.errors import NotFound
from services.servers.engines import EngineConfig
from services.servers.engines.instance import UP, EngineInstance
from services.studies.capacity import Capacity
from services.studies.cell import Cell, MeasuredCell
from services.studies.highest import StudySearch
from services.studies.study import Study
from services.studies.study_config import StudyConfig, parse_study


class StudyNotFound(NotFound):
    """No study has this id."""

    def __init__(self, study_id: int) -> None:
        super().__init__(f"There is no study {study_id}. It may have been deleted.")


@dataclass(frozen=True, slots=True)
class NewCell:
    """A cell of a study to be queued. `problem`: why it cannot be queued; it is then stored as a
    failed run."""

    cell: Cell
    run: NewRun
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class StudyRow:
    """A study in a list."""

    id: int
    name: str
    created_at: datetime
    preset: str
    cells: int
    done: int
    active: int


def create(
    database: Engine,
    config: StudyConfig,
    name: str,
    new: Sequence[NewCell],
    note: str = "",
    machine: str | None = None,
) -> int:
    """Queue a study with its cells; return its id. `machine`: the one that checked what can run
    there, which will start the engines; None: any machine.

    Raises:
        InvalidEdit: a run's name or tag is invalid; nothing is stored.
    """
    with writing(database) as connection:
        study_id = add_study(connection, config, name, note)
        _add_cells(connection, study_id, new, machine)
    return study_id


def add_study(connection: Connection, config: StudyConfig, name: str, note: str) -> int:
    """Store a study without cells or searches yet; return its id."""
    values = {
        "name": name,
        "note": note,
        "created_at": datetime.now(UTC),
        "grid": config.model_dump(mode="json"),
    }
    created = insert(studies).values(values).returning(studies.c.id)
    study_id: int = connection.execute(created).scalar_one()
    return study_id


def extend(
    database: Engine,
    study_id: int,
    config: StudyConfig,
    new: Sequence[NewCell],
    machine: str | None = None,
) -> None:
    """Add cells to a study; `config` is its new config. `machine`: see `create`."""
    with writing(database) as connection:
        set_config(connection, study_id, config)
        _add_cells(connection, study_id, new, machine)


def set_config(connection: Connection, study_id: int, config: StudyConfig) -> None:
    """Replace a study's config. Raises StudyNotFound."""
    this = update(studies).where(studies.c.id == study_id)
    if not connection.execute(this.values(grid=config.model_dump(mode="json"))).rowcount:
        raise StudyNotFound(study_id)


def resume(
    database: Engine,
    study_id: int,
    run_ids: Sequence[int],
    destinations: Destinations = UNCHANGED,
    machine: str | None = None,
) -> None:
    """Measure the cells of these runs again: each gets a new run, and the old runs are kept.
    `destinations`: destinations and tickets of cells that are measured on an existing server.
    `machine`: see `create`."""
    study = load(database, study_id)
    with writing(database) as connection:
        origins = origins_of(connection, run_ids)
        for run in study.runs:
            if run.id in run_ids:
                lane = select(runs.c.lane).where(runs.c.id == run.id)
                destination, ticket = destinations.get(run.id, (None, None))
                new = NewRun(
                    run.config,
                    connection.execute(lane).scalar_one(),
                    run.name,
                    run.tags,
                    destination=destination,
                    ticket=ticket,
                    origin=origins[run.id],
                    machine=machine if run.engine_id is not None else None,
                )
                add(
                    connection,
                    new,
                    study_id=study_id,
                    cell=run.cell,
                    engine_id=run.engine_id,
                )
        plan_engines(connection, study_id, machine)


def _add_cells(
    connection: Connection, study_id: int, new: Sequence[NewCell], machine: str | None
) -> None:
    engine_ids = _engines_of(connection, study_id)
    highest = select(func.max(runs.c.cell)).where(runs.c.study_id == study_id)
    last = connection.execute(highest).scalar_one()
    for index, new_cell in enumerate(new, start=0 if last is None else last + 1):
        wanted = new_cell.cell.engine
        if wanted is not None and wanted not in engine_ids:
            engine_ids[wanted] = stored_engines.add(connection, wanted, study_id, machine)
        engine_id = engine_ids[wanted] if wanted is not None else None
        run = new_cell.run
        if engine_id is not None:
            run = replace(run, lane=f"engine {engine_id}", machine=machine)
        run_id = add(connection, run, study_id=study_id, cell=index, engine_id=engine_id)
        if new_cell.problem is not None:
            this = update(runs).where(runs.c.id == run_id)
            ended = {"status": "failed", "error": new_cell.problem, "ended_at": datetime.now(UTC)}
            connection.execute(this.values(ended))
    plan_engines(connection, study_id, machine)


def _engines_of(connection: Connection, study_id: int) -> dict[EngineConfig, int]:
    query = select(engines.c.id, engines.c.config).where(engines.c.study_id == study_id)
    return {
        EngineConfig.model_validate(config): engine_id
        for engine_id, config in connection.execute(query)
    }


def plan_engines(connection: Connection, study_id: int, machine: str | None) -> None:
    """Plan another start, on that machine, of the engines for which runs wait or searches are
    running; these go with their engines."""
    waited_for = select(runs.c.engine_id).where(
        runs.c.study_id == study_id, runs.c.status == "queued"
    )
    searched = select(capacities.c.engine_id).where(
        capacities.c.study_id == study_id, capacities.c.status == "running"
    )
    wanted = or_(engines.c.id.in_(waited_for), engines.c.id.in_(searched))
    idle = update(engines).where(wanted, engines.c.status.not_in(UP))
    fresh: dict[str, Any] = {
        "status": "planned",
        "stop_requested": False,
        "starts": 0,
        "error": None,
        "hint": None,
        "phase": "",
        "machine": machine,
    }
    connection.execute(idle.values(fresh))
    of_study = select(engines.c.id).where(engines.c.study_id == study_id)
    for table, goes_on in ((runs, "queued"), (capacities, "running")):
        whose = update(table).where(table.c.engine_id.in_(of_study), table.c.status == goes_on)
        its = select(engines.c.machine).where(engines.c.id == table.c.engine_id)
        connection.execute(whose.values(machine=its.scalar_subquery()))


def load(database: Engine, study_id: int) -> Study:
    """Return a study with the newest run of each cell.

    Raises:
        StudyNotFound: no study has this id.
    """
    with database.connect() as connection:
        query = select(studies).where(studies.c.id == study_id)
        row = connection.execute(query).mappings().first()
        if row is None:
            raise StudyNotFound(study_id)
        newest = (
            select(func.max(runs.c.id)).where(runs.c.study_id == study_id).group_by(runs.c.cell)
        )
        ids = list(connection.scalars(newest))
        searches = stored_searches.of_study(connection, study_id)
    measured = sorted(load_many(database, ids), key=lambda run: (run.cell or 0, run.id))
    servers = stored_engines.list_all(database, study_id)
    return _study(row, tuple(measured), tuple(servers), searches)


def _study(
    row: RowMapping,
    measured: tuple[Run, ...],
    servers: tuple[EngineInstance, ...],
    searches: Sequence[Capacity],
) -> Study:
    by_id = {server.id: server.config for server in servers}
    return Study(
        id=row["id"],
        name=row["name"],
        note=row["note"],
        created_at=row["created_at"],
        config=parse_study({**row["grid"], "run": {**FORMER, **row["grid"]["run"]}}),
        runs=measured,
        engines=servers,
        searches=tuple(
            StudySearch(by_id[capacity.engine_id or 0], capacity) for capacity in searches
        ),
    )


def measured_cells(database: Engine, study: Study) -> list[MeasuredCell]:
    """Return the study's cells with their results; each run as `results.candidate` returns it."""
    done = [run.id for run in study.runs if run.status == "done"]
    candidates = {candidate.run.id: candidate for candidate in results.candidates(database, done)}
    return [
        MeasuredCell(
            _cell(study, run),
            candidates.get(run.id),
            None if run.id in candidates else _why_no_numbers(run),
        )
        for run in study.runs
    ]


def _cell(study: Study, run: Run) -> Cell:
    server = study.engine_of(run)
    return Cell(run.cell or 0, server.config if server else None, run.config)


def _why_no_numbers(run: Run) -> str | None:
    """Return why a cell has no numbers; None if it simply has none yet."""
    if run.status in ACTIVE:
        return None
    return run.error or f"It was {run.status}."


def list_all(database: Engine, limit: int = 50) -> list[StudyRow]:
    """Return the newest studies."""
    newest = (
        select(runs.c.study_id, func.max(runs.c.id).label("id"))
        .where(runs.c.study_id.is_not(None))
        .group_by(runs.c.study_id, runs.c.cell)
        .subquery()
    )
    each = select(newest.c.study_id, runs.c.status).join(runs, runs.c.id == newest.c.id).subquery()
    query = (
        select(
            studies.c.id,
            studies.c.name,
            studies.c.created_at,
            studies.c.grid,
            func.count(each.c.status).label("cells"),
            func.count(each.c.status).filter(each.c.status == "done").label("done"),
            func.count(each.c.status).filter(each.c.status.not_in(FINISHED)).label("active"),
        )
        .outerjoin(each, each.c.study_id == studies.c.id)
        .group_by(studies.c.id)
        .order_by(studies.c.id.desc())
        .limit(limit)
    )
    c = capacities.c
    searches = select(c.study_id, c.status, func.count().label("count")).where(
        c.study_id.is_not(None)
    )
    with database.connect() as connection:
        rows = connection.execute(query).all()
        counts: dict[int, Counter[str]] = defaultdict(Counter)
        for study_id, status, count in connection.execute(searches.group_by(c.study_id, c.status)):
            counts[study_id][status] += count
    return [
        StudyRow(
            r.id,
            r.name,
            r.created_at,
            r.grid["preset"],
            r.cells + counts[r.id].total(),
            r.done + counts[r.id]["done"],
            r.active + counts[r.id]["running"],
        )
        for r in rows
    ]


def delete(database: Engine, study_id: int) -> None:
    """Delete a study, its engines and its runs, with everything they measured and their shared
    pages.

    Raises:
        StudyNotFound: no study has this id.
        RunBusy, CapacityBusy, EngineBusy: one of its runs or searches is running, or one of its
            engines is up; nothing is deleted.
    """
    load(database, study_id)
    with writing(database) as connection:
        for search in stored_searches.of_study(connection, study_id):
            if search.status == "running":
                raise stored_searches.CapacityBusy(search.id)
        of_study = select(engines.c.id).where(engines.c.study_id == study_id)
        its = or_(runs.c.study_id == study_id, runs.c.engine_id.in_(of_study))  # runs of probes
        busy = select(runs.c.id).where(its, runs.c.status == "running")
        if (run_id := connection.scalar(busy)) is not None:
            raise RunBusy(run_id)
        if (engine_id := connection.scalar(of_study.where(engines.c.status.in_(UP)))) is not None:
            raise stored_engines.EngineBusy(engine_id)
        for run_id in connection.scalars(select(runs.c.id).where(its)).all():
            unshare(connection, run_id)
        connection.execute(delete_from(runs).where(its))
        for table in (capacities, engines):
            connection.execute(delete_from(table).where(table.c.study_id == study_id))
        connection.execute(delete_from(studies).where(studies.c.id == study_id))
