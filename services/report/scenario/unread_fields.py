"""Fields of a scenario that have no effect. They are kept, because a file must come back in as it
was written: a run may have fields of a mode that is not chosen."""

from __future__ import annotations

from services.ask import unread
from services.ask.config import RunConfig
from services.report.scenario.capacity import CapacityScenario
from services.report.scenario.comparison import ComparisonScenario
from services.report.scenario.run import RunScenario
from services.report.scenario.study import StudyScenario
from services.studies import unread_fields
from services.studies.capacity_probe import first_probes
from services.studies.grid import loads
from services.studies.study_link import preset_config

Scenario = RunScenario | ComparisonScenario | StudyScenario | CapacityScenario


def notes(scenario: Scenario) -> tuple[str, ...]:
    """Return a sentence for each field that is not its default and that no run uses."""
    runs = runs_of(scenario)
    given = dict.fromkeys(
        name for config in _written(scenario) for name in unread.given(config.model_dump(), runs)
    )
    if isinstance(scenario, StudyScenario):  # what a preset sets was not given
        run, usual = scenario.config.run, preset_config(scenario.config.preset).run
        own = [name for name in given if getattr(run, name) != getattr(usual, name)]
        return tuple(unread_fields.problems(own, scenario.config).values())
    return tuple(unread.problems(given, runs).values())


def runs_of(scenario: Scenario) -> list[RunConfig]:
    """Return the runs that a scenario starts, one of each kind."""
    match scenario:
        case ComparisonScenario():
            return list(scenario.configs)
        case CapacityScenario():
            return first_probes(scenario.config)
        case StudyScenario():
            return loads(scenario.config)
    return [scenario.config]


def _written(scenario: Scenario) -> list[RunConfig]:
    match scenario:
        case CapacityScenario():
            return list(scenario.config.servers)
        case StudyScenario():
            return [scenario.config.run]
    return runs_of(scenario)
