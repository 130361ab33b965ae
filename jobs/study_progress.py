"""How much longer a study will take: its cells, estimated from earlier runs, and the starts of
engines."""

from __future__ import annotations

from sqlalchemy import Engine

from db import runs
from db.engines import seconds_to_ready
from jobs.studies import cell_pace
from services.ask import time_left
from services.ask.measurement import ACTIVE, Run
from services.ask.plan import plan
from services.ask.time_left import RunTiming, TimeLeft
from services.servers.engines.instance import EngineInstance
from services.studies.cell import Cell
from services.studies.estimate import START_S
from services.studies.study import Study

MOMENTS = 300  # states of the running cell
TO_START = ("planned", "starting")


def study_time_left(database: Engine, study: Study) -> TimeLeft | None:
    """Return how many seconds the queued and running cells will still take; None if unknown."""
    to_come = [run for run in study.runs if run.status in ACTIVE]
    waited_for = {run.engine_id for run in to_come}
    starts = [
        _start(database, engine)
        for engine in study.engines
        if engine.id in waited_for and engine.status in TO_START
    ]
    return time_left.together([*starts, *(_cell(database, study, run) for run in to_come)])


def _start(database: Engine, engine: EngineInstance) -> TimeLeft:
    seconds = seconds_to_ready(database, engine.config.engine) or START_S
    return TimeLeft(seconds, seconds)


def _cell(database: Engine, study: Study, run: Run) -> TimeLeft | None:
    engine = study.engine_of(run)
    cell = Cell(run.cell or 0, engine.config if engine else None, run.config)
    expected = plan(run.config, None, cell_pace(database, cell)).seconds_between
    running = run.status == "running"
    progress = runs.progress(database, run.id, MOMENTS) if running else ()
    return time_left.of_run(RunTiming(run.config, run.repeats, progress, expected))
