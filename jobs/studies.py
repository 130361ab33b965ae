"""Studies at work: submitted, resumed, extended, cancelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from sqlalchemy import Engine

import jobs
from db import counts, queue, runs, studies
from db import engines as stored
from db.runs import AlreadyFinished, NewRun
from db.studies import NewCell
from jobs import kept_of, sent_again
from jobs.engine_supervisor import log_file
from jobs.keys import hand_over
from jobs.place import see_to_place
from jobs.sent import Sent, sent
from services.analysis.candidates import SERVER, labels
from services.ask import backends
from services.ask.answer_times import Pace, pace
from services.ask.backends import NO_KEYS, TypedKeys
from services.ask.config import RunConfig
from services.ask.measurement import ACTIVE
from services.base import settings
from services.servers import engines
from services.servers.engines import EngineConfig, parallel_label
from services.studies.cell import Cell, Measured
from services.studies.estimate import Estimate, estimate
from services.studies.feasible import (
    NothingToResume,
    check_feasible,
    none_can_run,
    nothing_to_resume,
)
from services.studies.grid import Planned, planned
from services.studies.presets import PRESETS
from services.studies.report import Device
from services.studies.study import Study
from services.studies.study_config import StudyConfig


def plan(study: StudyConfig, typed: TypedKeys = NO_KEYS) -> list[Planned]:
    """Return the grid of a study with what cannot run on this machine, and why.

    Raises:
        InvalidConfig: a cell cannot be asked for, or there are too many.
        BackendProblem: there is no server that it could be measured on.
    """
    if study.engine is None:
        sent(study.run, typed)
    here, env = engines.devices(), settings.environment()
    return planned(study, lambda config: engines.preflight(config, here, env))


def ahead(
    database: Engine, study: StudyConfig, grid: Sequence[Planned], typed: TypedKeys = NO_KEYS
) -> Estimate:
    """Return what a study will take, by what earlier engines and runs took."""
    return estimate(
        study,
        grid,
        lambda name: stored.seconds_to_ready(database, name),
        lambda cell: _pace(database, cell, typed),
    )


def _pace(database: Engine, cell: Cell, typed: TypedKeys) -> Pace | None:
    if cell.engine is None:
        return jobs.pace(database, cell.config, typed)
    config = _config(cell)  # its engine will be at another address than those before it
    return pace(config, counts.seen(database, config.backend, "", None), "on such an engine")


def submit(
    database: Engine,
    study: StudyConfig,
    name: str = "",
    tags: Sequence[str] = (),
    note: str = "",
    typed: TypedKeys = NO_KEYS,
) -> int:
    """Queue a study and return its id. A cell that cannot run here is kept as failed, with why.

    Raises:
        InvalidConfig, BackendProblem: see `plan`.
        EngineProblem: no cell can run here.
        InvalidEdit, QueueProblem: see `jobs.submit`. Nothing is queued after any of these.
    """
    grid = plan(study, typed)
    check_feasible(grid)
    to = _sent(grid, typed)
    see_to_place(database)
    called = name.strip() or default_name(study)
    hand_over(database, kept_of(to.values()))
    study_id = studies.create(database, study, called, _new(study, grid, to, tags), note)
    jobs.ensure(database)
    return study_id


def extend(database: Engine, study_id: int, study: StudyConfig, typed: TypedKeys = NO_KEYS) -> int:
    """Add the cells of `study` that the stored one does not have; return how many.

    Raises:
        StudyNotFound, and see `submit`.
    """
    stored = studies.load(database, study_id)
    there = {_key(_engine_of(stored, run.engine_id), run.config) for run in stored.runs}
    grid = plan(study, typed)
    more = [one for one in grid if _key(one.cell.engine, one.cell.config) not in there]
    check_feasible(more)
    to = _sent(more, typed)
    see_to_place(database)
    tags = stored.runs[0].tags if stored.runs else ()
    hand_over(database, kept_of(to.values()))
    studies.extend(database, study_id, study, _new(study, more, to, tags))
    jobs.ensure(database)
    return len(more)


def resume(
    database: Engine, study_id: int, failed: bool = False, typed: TypedKeys = NO_KEYS
) -> int:
    """Measure anew the cells that were cut short, and those that failed where that is asked for;
    return how many. What cannot run here is left as it is.

    Raises:
        NothingToResume: there is no such cell, or none that can run here.
        StudyNotFound, QueueProblem.
        BackendProblem, InvalidSettings: see `jobs.submit`.
    """
    study = studies.load(database, study_id)
    again = (*study.to_resume, *(study.failed if failed else ()))
    if not again:
        raise NothingToResume(nothing_to_resume(study, failed))
    here, env = engines.devices(), settings.environment()
    lost: dict[int | None, str] = {
        server.id: why
        for server in study.engines
        if (why := engines.preflight(server.config, here, env)) is not None
    }
    wanted = [run for run in again if run.engine_id not in lost]
    if not wanted:
        raise NothingToResume(none_can_run([lost[run.engine_id] for run in again]))
    to = sent_again(database, wanted, typed)
    see_to_place(database)
    hand_over(database, kept_of(to.values()))
    stored = {run_id: to[run_id].stored_as for run_id in to}
    studies.resume(database, study_id, [run.id for run in wanted], stored)
    jobs.ensure(database)
    return len(wanted)


def cancel(database: Engine, study_id: int) -> None:
    """Cancel every cell that is not measured yet. Raises StudyNotFound, QueueProblem."""
    for run in studies.load(database, study_id).runs:
        if run.status in ACTIVE:
            with suppress(AlreadyFinished):
                queue.request_cancel(database, run.id)
    jobs.ensure(database)


def told(database: Engine, study: Study) -> tuple[list[Measured], float | None, Device]:
    """Return what every report of a study is made of: its cells with what came of them, what a GPU
    costs an hour, and what one rank of its engines runs on."""
    price = study.config.usd_per_gpu_hour
    return studies.measured(database, study), price, study.device


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
    """Return the name of a study that nobody has named: "vLLM · tensor parallel"."""
    preset = PRESETS[study.preset].label
    if study.engine is None:
        return f"{backends.find(study.run.backend).label} · {preset.lower()}"
    return f"{engines.ENGINES[study.engine.engine].label} · {preset.lower()}"


def _sent(grid: Sequence[Planned], typed: TypedKeys) -> dict[int, Sent]:
    """Return to whom the cells go that are measured on a server that is there, by their place."""
    cells = [one.cell for one in grid if one.cell.engine is None]
    return {cell.index: sent(cell.config, typed) for cell in cells}


def _new(
    study: StudyConfig, grid: Sequence[Planned], to: Mapping[int, Sent], tags: Sequence[str]
) -> list[NewCell]:
    said = dict(zip([one.cell.index for one in grid], _load_labels(grid), strict=True))
    return [
        NewCell(
            one.cell,
            _run(one.cell, to.get(one.cell.index), said, tags),
            one.obstacle,
        )
        for one in grid
    ]


def _run(cell: Cell, to: Sent | None, said: dict[int, str], tags: Sequence[str]) -> NewRun:
    """Return a cell's run. What an engine's waits for, the database says."""
    named = _name(cell, "" if to is None else to.lane, said)
    if to is None:
        return NewRun(_config(cell), "", named, tuple(tags))
    return NewRun(_config(cell), to.lane, named, tuple(tags), "", to.stored, to.ticket)


def _config(cell: Cell) -> RunConfig:
    if cell.engine is None:
        return cell.config
    backend = engines.ENGINES[cell.engine.engine].backend
    return cell.config.model_copy(update={"backend": backend, "base_url": None, "model": ""})


def _name(cell: Cell, lane: str, said: dict[int, str]) -> str:
    if cell.engine is None:
        server = runs.default_name(cell.config, lane, cell.config.model)
        return " · ".join(filter(None, (server, said[cell.index])))
    spec = engines.ENGINES[cell.engine.engine]
    parts = (spec.label, parallel_label(cell.engine), _switch(cell.engine), said[cell.index])
    return " · ".join(filter(None, parts))


def _switch(config: EngineConfig) -> str:
    if config.chunked_prefill is None:
        return ""
    return f"chunked prefill {'on' if config.chunked_prefill else 'off'}"


def _load_labels(grid: Sequence[Planned]) -> list[str]:
    return labels([one.cell.config for one in grid], SERVER)


def _engine_of(study: Study, engine_id: int | None) -> EngineConfig | None:
    return next((one.config for one in study.engines if one.id == engine_id), None)


def _key(config: EngineConfig | None, run: RunConfig) -> tuple[EngineConfig | None, RunConfig]:
    """What makes two cells the same: where they are measured and what is, however often. On an
    engine of Paceline's the address is its own, and the model's name is filled in afterwards."""
    aside = {"repeats": 1, "model": ""}
    if config is not None:
        aside |= {"backend": "", "base_url": None}
    return config, run.model_copy(update=aside)
