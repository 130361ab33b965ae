"""Studies that search for capacities: submit, resume, cancel."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine

import jobs
from db import studies
from db import study_searches as stored
from db.study_searches import NewSearch
from jobs import capacities as capacity_jobs
from jobs.supervisor_lock import check_lock_file, machine_id
from services.ask.config import RunConfig
from services.base import settings
from services.base.roles import Person, origin_of
from services.servers import engines
from services.studies.configuration import engine_labels
from services.studies.feasible import NothingToResume, check_feasible, none_can_run
from services.studies.grid import GridCell
from services.studies.highest import PlannedSearch, search_config
from services.studies.study import Study
from services.studies.study_config import StudyConfig
from services.studies.work import work_labels


def submit(
    database: Engine,
    study: StudyConfig,
    grid: Sequence[GridCell],
    name: str,
    note: str,
    by: Person | None,
) -> int:
    """Queue the searches of a study and return its id. Searches that cannot run here are stored as
    failed, with the reason. Raises QueueProblem."""
    check_lock_file(database)
    new = _new(study, grid)
    study_id = stored.create(database, study, name, new, note, machine_id(), origin_of(by))
    jobs.ensure(database)
    return study_id


def extend(
    database: Engine,
    before: Study,
    study: StudyConfig,
    grid: Sequence[GridCell],
    by: Person | None,
) -> int:
    """Add the searches of `study` that the stored study, in the state `before`, does not have;
    return how many. If one of them turns out among the two best, those are searched again on fresh
    starts. `by`: see `submit`.

    Raises:
        EngineProblem: nothing new can run here.
        StudyNotFound, QueueProblem.
    """
    check_lock_file(database)
    new = _new_searches(before, study, grid)
    args = machine_id(), origin_of(by)
    while not stored.extend(database, before.id, study, len(before.searches), new, *args):
        before = studies.load(database, before.id)  # other processes may have added some meanwhile
        new = _new_searches(before, study, grid)
    jobs.ensure(database)
    return len(new)


def _new_searches(before: Study, study: StudyConfig, grid: Sequence[GridCell]) -> list[NewSearch]:
    """The searches that a study does not have yet. Raises EngineProblem: none can run here."""
    made = {(one.engine, one.run) for one in before.searches}
    check_feasible([cell for cell in grid if _key(cell) not in made])
    return [
        search
        for search in _new(study, grid)
        if (search.planned.engine, search.planned.run) not in made
    ]


def _key(cell: GridCell) -> tuple[engines.EngineConfig, RunConfig]:
    """A key that is equal for equal searches of a study: the engine, and the run on it."""
    assert cell.cell.engine is not None
    return cell.cell.engine, _run_on_engine(cell.cell.engine, cell.cell.config)


def _new(study: StudyConfig, grid: Sequence[GridCell]) -> list[NewSearch]:
    assert study.search is not None
    names = engine_labels(planned.cell.engine for planned in grid)
    works = work_labels([planned.cell.config for planned in grid])
    new = []
    for planned, work in zip(grid, works, strict=True):
        engine = planned.cell.engine
        assert engine is not None
        config = search_config(study.search, _run_on_engine(engine, planned.cell.config))
        name = " · ".join(filter(None, (names[engine], work)))
        new.append(NewSearch(PlannedSearch(engine, config), name, planned.obstacle))
    return new


def _run_on_engine(engine: engines.EngineConfig, run: RunConfig) -> RunConfig:
    backend = engines.ENGINES[engine.engine].backend
    return run.model_copy(update={"backend": backend, "base_url": None, "model": ""})


def resume(database: Engine, study: Study, failed: bool) -> int:
    """Resume the interrupted searches, and with `failed` also those that failed; return how many.
    Finished probes are kept.

    Raises:
        NothingToResume: there is none, or none of them can run here. QueueProblem.
    """
    to_resume = study.searches_to_resume(failed)
    if not to_resume:
        raise NothingToResume(
            f"Study {study.id} has no search that was interrupted{' or failed' if failed else ''}."
        )
    devices, env = engines.devices(), settings.environment()
    obstacles = {
        search.engine: engines.preflight(search.engine, devices, env) for search in to_resume
    }
    runnable = [search for search in to_resume if obstacles[search.engine] is None]
    if not runnable:
        raise NothingToResume(none_can_run([why for why in obstacles.values() if why]))
    check_lock_file(database)
    stored.resume(database, study.id, runnable, machine_id())
    jobs.ensure(database)
    return len(runnable)


def cancel(database: Engine, study: Study) -> None:
    """Cancel the running searches; what they have measured is kept. Raises StudyNotFound,
    QueueProblem."""
    while going := [
        search.capacity.id for search in study.searches if search.capacity.status == "running"
    ]:
        for capacity_id in going:
            capacity_jobs.cancel(database, capacity_id)
        study = studies.load(database, study.id)  # fresh starts may have been added meanwhile
