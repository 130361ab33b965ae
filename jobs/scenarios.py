"""Scenarios: writing them from what is stored, and starting them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Engine

import jobs
from db import capacities, comparisons, runs, servers, studies
from jobs import capacities as capacity_jobs
from jobs import studies as study_jobs
from services.ask import run_names
from services.base.roles import Person
from services.report.scenario import (
    CapacityScenario,
    ComparisonScenario,
    Reading,
    RunScenario,
    Scenario,
    StudyScenario,
    stored,
)
from services.report.scenario.prompts import ReadFile
from services.report.scenario.run import Values


@dataclass(frozen=True, slots=True)
class Started:
    """What a scenario started: the number of the run, the comparison, the study or the search, and
    the runs that are queued."""

    id: int
    run_ids: tuple[int, ...]


def reading_context(
    database: Engine, over: Values | None = None, read: ReadFile | None = None, **around: bool
) -> Reading:
    """Return the context for reading a scenario, in which saved servers can be named."""
    return Reading(partial(servers.expand, database), read, over, **around)


def of_run(database: Engine, run_id: int) -> RunScenario:
    """Return a stored run as a scenario. Raises RunNotFound, InvalidScenario."""
    run = runs.load(database, run_id)
    of_group = run.comparison_id is not None or run.study_id is not None
    return stored.of_run(run, "" if of_group or run_names.is_default_name(run) else run.name)


def of_runs(
    database: Engine, run_ids: Sequence[int], margin: float | None = None
) -> ComparisonScenario:
    """Return stored runs as a scenario that compares them, with the design of their comparison if
    they were measured in one. Raises RunNotFound, InvalidScenario."""
    loaded = runs.load_many(database, run_ids)
    number = loaded[0].comparison_id if loaded else None
    comparison = None if number is None else comparisons.load(database, number)
    return stored.of_runs(loaded, comparison, margin)


def of_comparison(database: Engine, comparison_id: int) -> ComparisonScenario:
    """Return a stored comparison as a scenario. Raises ComparisonNotFound, InvalidScenario."""
    return of_runs(database, comparisons.load(database, comparison_id).run_ids)


def of_study(database: Engine, study_id: int) -> StudyScenario:
    """Return a stored study as a scenario. Raises StudyNotFound."""
    study = studies.load(database, study_id)
    default = study_jobs.default_name(study.config)
    return stored.of_study(study, "" if study.name == default else study.name)


def of_capacity(database: Engine, capacity_id: int) -> CapacityScenario:
    """Return a stored capacity search as a scenario. Raises CapacityNotFound."""
    capacity = capacities.load(database, capacity_id)
    default = capacity_jobs.default_name(capacity.config)
    return stored.of_capacity(capacity, "" if capacity.name == default else capacity.name)


def start(database: Engine, scenario: Scenario, by: Person | None = None) -> Started:
    """Queue what a scenario describes; `by`: the person who starts it, if sign-in is on.

    Raises:
        BackendProblem, EngineProblem, InvalidConfig, InvalidEdit, QueueProblem: see `jobs.submit`,
            `jobs.submit_comparison`, `jobs.studies.submit` and `jobs.capacities.submit`.
    """
    called = (scenario.keys.name, scenario.keys.tags, scenario.keys.note)
    if isinstance(scenario, RunScenario):
        run_id = jobs.submit(database, scenario.config, *called, by=by)
        return Started(run_id, (run_id,))
    if isinstance(scenario, ComparisonScenario):
        comparison = jobs.submit_comparison(
            database, scenario.configs, scenario.design, *called, by=by
        )
        return Started(comparison.id, comparison.run_ids)
    if isinstance(scenario, CapacityScenario):
        name, note = scenario.keys.name, scenario.keys.note
        return Started(capacity_jobs.submit(database, scenario.config, name, note, by), ())
    study_id = study_jobs.submit(database, scenario.config, *called, by=by)
    return Started(study_id, tuple(run.id for run in studies.load(database, study_id).runs))
