"""Studies: submit, extend, resume, cancel, delete, and the inputs of their reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from sqlalchemy import Engine

import jobs
from db import counts, queue, studies
from db import engines as stored
from db.runs import AlreadyFinished, NewRun
from db.studies import NewCell
from jobs import earlier_destinations, secrets_by_ticket, study_searches
from jobs.destination import Destination, resolve
from jobs.engine_supervisor import log_file
from jobs.keys import hand_over
from jobs.supervisor_lock import check_lock_file, machine_id
from services.ask import backends, run_names
from services.ask.answer_times import Pace, pace
from services.ask.backends import NO_KEYS, TypedKeys
from services.ask.clusters import check_cluster
from services.ask.config import RunConfig
from services.ask.measurement import ACTIVE
from services.ask.problems import InvalidConfig
from services.base import settings
from services.base.roles import Person, origin_of
from services.servers import engines
from services.servers.engines import EngineConfig
from services.studies.cell import Cell, MeasuredCell
from services.studies.configuration import configuration_of, engine_labels, server_name
from services.studies.estimate import Estimate, estimate, estimate_searches
from services.studies.feasible import (
    NothingToResume,
    check_feasible,
    check_same_search,
    none_can_run,
    nothing_to_resume,
)
from services.studies.grid import GridCell, planned
from services.studies.kind import kind_of
from services.studies.report import Device
from services.studies.study import Study
from services.studies.study_config import StudyConfig
from services.studies.work import load_labels

NO_TAGS = "tags do not apply: each probe gets the tags of its search and its study."


def plan(study: StudyConfig, typed: TypedKeys = NO_KEYS) -> list[GridCell]:
    """Return the grid of a study, with what cannot run on this machine and why.

    Raises:
        InvalidConfig: a cell is invalid, or there are too many.
        BackendProblem: its server cannot be used.
    """
    if study.engine is None:
        resolve(study.run, typed)
    devices, env = engines.devices(), settings.environment()
    check_cluster(study.run, env)
    return planned(study, lambda config: engines.preflight(config, devices, env))


def estimated(
    database: Engine, study: StudyConfig, grid: Sequence[GridCell], typed: TypedKeys = NO_KEYS
) -> Estimate:
    """Estimate how long a study will take, from the times of earlier engines and runs."""
    if study.search is not None:
        return estimate_searches(study, grid, lambda name: stored.seconds_to_ready(database, name))
    return estimate(
        study,
        grid,
        lambda name: stored.seconds_to_ready(database, name),
        lambda cell: cell_pace(database, cell, typed),
    )


def cell_pace(database: Engine, cell: Cell, typed: TypedKeys = NO_KEYS) -> Pace | None:
    """Return the expected pace of a cell's answers, from earlier runs on such a server."""
    if cell.engine is None:
        return jobs.pace(database, cell.config, typed)
    config = _config(cell)  # its engine will have a different address from earlier ones
    return pace(
        config, counts.earlier_runs(database, config.backend, "", None), "on such an engine"
    )


def submit(
    database: Engine,
    study: StudyConfig,
    name: str = "",
    tags: Sequence[str] = (),
    note: str = "",
    typed: TypedKeys = NO_KEYS,
    by: Person | None = None,
) -> int:
    """Queue a study and return its id. A cell that cannot run here is stored as failed, with the
    reason. `by`: the person who submits it, if sign-in is on.

    Raises:
        InvalidConfig, BackendProblem: see `plan`.
        EngineProblem: no cell can run here.
        InvalidEdit, QueueProblem: see `jobs.submit`. In each case nothing is queued.
    """
    grid = plan(study, typed)
    check_feasible(grid)
    name = name.strip() or default_name(study)
    if study.search is not None:
        if tags:
            raise InvalidConfig({"tags": NO_TAGS})
        return study_searches.submit(database, study, grid, name, note, by)
    destinations = _destinations(grid, typed)
    check_lock_file(database)
    hand_over(database, secrets_by_ticket(destinations.values()))
    new = _new(study, grid, destinations, tags, by)
    study_id = studies.create(database, study, name, new, note, machine_id())
    jobs.ensure(database)
    return study_id


def extend(
    database: Engine,
    study_id: int,
    study: StudyConfig,
    typed: TypedKeys = NO_KEYS,
    by: Person | None = None,
) -> int:
    """Add the cells, or the searches, of `study` that the stored study does not have; return how
    many.

    Raises:
        InvalidConfig: it searches for capacities differently, or only one of the two studies does.
            StudyNotFound, and see `submit`.
    """
    stored = studies.load(database, study_id)
    check_same_search(stored, study)
    grid = plan(study, typed)
    if study.search is not None:
        return study_searches.extend(database, stored, study, grid, by)
    existing = {_key(_engine_of(stored, run.engine_id), run.config) for run in stored.runs}
    more = [new for new in grid if _key(new.cell.engine, new.cell.config) not in existing]
    check_feasible(more)
    destinations = _destinations(more, typed)
    check_lock_file(database)
    tags = stored.runs[0].tags if stored.runs else ()
    hand_over(database, secrets_by_ticket(destinations.values()))
    new = _new(study, more, destinations, tags, by)
    studies.extend(database, study_id, study, new, machine_id())
    jobs.ensure(database)
    return len(more)


def resume(
    database: Engine, study_id: int, failed: bool = False, typed: TypedKeys = NO_KEYS
) -> int:
    """Measure the interrupted cells again, and with `failed` also those that failed; return how
    many. Cells that cannot run here do not change.

    Raises:
        NothingToResume: there is no such cell, or none of them can run here. StudyNotFound,
            QueueProblem.
        BackendProblem, InvalidSettings: see `jobs.submit`.
    """
    study = studies.load(database, study_id)
    if study.config.search is not None:
        return study_searches.resume(database, study, failed)
    to_resume = (*study.to_resume, *(study.failed if failed else ()))
    if not to_resume:
        raise NothingToResume(nothing_to_resume(study, failed))
    devices, env = engines.devices(), settings.environment()
    problems: dict[int | None, str] = {
        server.id: problem
        for server in study.engines
        if (problem := engines.preflight(server.config, devices, env)) is not None
    }
    runnable = [run for run in to_resume if run.engine_id not in problems]
    if not runnable:
        raise NothingToResume(none_can_run([problems[run.engine_id] for run in to_resume]))
    destinations = earlier_destinations(database, runnable, typed)
    check_lock_file(database)
    hand_over(database, secrets_by_ticket(destinations.values()))
    stored = {run_id: destinations[run_id].stored_as for run_id in destinations}
    studies.resume(database, study_id, [run.id for run in runnable], stored, machine_id())
    jobs.ensure(database)
    return len(runnable)


def cancel(database: Engine, study_id: int) -> None:
    """Cancel every cell that has not been measured. Raises StudyNotFound, QueueProblem."""
    study = studies.load(database, study_id)
    study_searches.cancel(database, study)
    for run in study.runs:
        if run.status in ACTIVE:
            with suppress(AlreadyFinished):
                queue.request_cancel(database, run.id)
    jobs.ensure(database)


def report_inputs(
    database: Engine, study: Study
) -> tuple[list[MeasuredCell], float | None, Device]:
    """Return the inputs of a study's report: its cells with their results, the price of a GPU hour,
    and the device of one rank of its engines."""
    price = study.config.usd_per_gpu_hour
    return studies.measured_cells(database, study), price, study.device


def delete(database: Engine, study_id: int) -> None:
    """Delete a study with its runs, its engines and their logs.

    Raises:
        StudyNotFound, RunBusy, EngineBusy: see `db.studies.delete`.
    """
    servers = studies.load(database, study_id).engines
    studies.delete(database, study_id)
    for server in servers:
        log_file(database, server.id).unlink(missing_ok=True)


def default_name(study: StudyConfig) -> str:
    """Return the default name of a study: "vLLM · tensor parallel", "Qwen3-8B · prompt length"."""
    kind = kind_of(study).label.lower()
    if study.engine is not None:
        return f"{engines.ENGINES[study.engine.engine].label} · {kind}"
    of_any = study.run.backend == "url"  # whose label is not informative
    server = configuration_of(Cell(0, None, study.run)).server
    name = server_name(*server) if of_any else backends.find(study.run.backend).label
    return f"{name} · {kind}"


def _destinations(grid: Sequence[GridCell], typed: TypedKeys) -> dict[int, Destination]:
    """Return the destinations of the cells that are measured on an existing server, by index."""
    cells = [planned.cell for planned in grid if planned.cell.engine is None]
    return {cell.index: resolve(cell.config, typed) for cell in cells}


def _new(
    study: StudyConfig,
    grid: Sequence[GridCell],
    destinations: Mapping[int, Destination],
    tags: Sequence[str],
    by: Person | None,
) -> list[NewCell]:
    names = _names(grid)
    return [
        NewCell(
            new.cell,
            _run(new.cell, destinations.get(new.cell.index), names[new.cell.index], tags, by),
            new.obstacle,
        )
        for new in grid
    ]


def _run(
    cell: Cell,
    destination: Destination | None,
    label: str,
    tags: Sequence[str],
    by: Person | None,
) -> NewRun:
    """Return a cell's run. A run on an engine gets its lane when it is stored. A name that many
    fields make too long is cut: nobody could shorten it."""
    if destination is None:
        name = label[: run_names.LONGEST_NAME]
        return NewRun(_config(cell), "", name, tuple(tags), origin=origin_of(by))
    server = run_names.server_name(cell.config, destination.lane, cell.config.model)
    return NewRun(
        _config(cell),
        destination.lane,
        f"{server} · {label}"[: run_names.LONGEST_NAME],
        tuple(tags),
        "",
        destination.stored,
        destination.ticket,
        destination.machine,
        origin_of(by),
    )


def _config(cell: Cell) -> RunConfig:
    if cell.engine is None:
        return cell.config
    backend = engines.ENGINES[cell.engine.engine].backend
    return cell.config.model_copy(update={"backend": backend, "base_url": None, "model": ""})


def _names(grid: Sequence[GridCell]) -> dict[int, str]:
    """Return the names of the cells' runs, by index. The server is left out if it is an existing
    one, since its name is not known yet."""
    engine_names = engine_labels(planned.cell.engine for planned in grid)
    loads = _load_labels(grid)
    return {
        cell.index: f"{engine_names[cell.engine]} · {loads[cell.index]}"
        if cell.engine
        else loads[cell.index]
        for cell in (planned.cell for planned in grid)
    }


def _load_labels(grid: Sequence[GridCell]) -> dict[int, str]:
    """Return labels that distinguish the cells' loads, by index."""
    cells = [planned.cell for planned in grid]
    texts = load_labels([cell.config for cell in cells])
    return {cell.index: text for cell, text in zip(cells, texts, strict=True)}


def _engine_of(study: Study, engine_id: int | None) -> EngineConfig | None:
    return next((server.config for server in study.engines if server.id == engine_id), None)


def _key(config: EngineConfig | None, run: RunConfig) -> tuple[EngineConfig | None, RunConfig]:
    """Return a key that is equal for equal cells: the same server and the same run, whatever the
    number of repeats. For engines that Paceline starts, the address and the model's name are left
    out."""
    ignored = {"repeats": 1, "model": ""}
    if config is not None:
        ignored |= {"backend": "", "base_url": None}
    return config, run.model_copy(update=ignored)
