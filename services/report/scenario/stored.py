"""Stored runs, comparisons, studies and searches as scenarios that measure them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.analysis.compare import FEWEST, MARGIN, MOST
from services.analysis.comparison_design import ComparisonDesign, StoredComparison
from services.ask.measurement import Run
from services.report.scenario.capacity import CapacityScenario
from services.report.scenario.comparison import ComparisonScenario, keys_of
from services.report.scenario.document import InvalidScenario
from services.report.scenario.keys import VERSION, Keys, RunKeys
from services.report.scenario.run import RunScenario
from services.report.scenario.study import StudyScenario
from services.studies.capacity import Capacity
from services.studies.study import Study


def of_run(run: Run, name: str = "") -> RunScenario:
    """Return a run as a scenario. `name`: its name, if a user gave it one. Raises
    InvalidScenario."""
    _check_measured_here([run])
    called = RunKeys(version=VERSION, name=name, tags=run.tags, note=run.note)
    return RunScenario(run.config, called)


def of_runs(
    runs: Sequence[Run], stored: StoredComparison | None = None, margin: float | None = None
) -> ComparisonScenario:
    """Return runs as a scenario that compares them; the first is the baseline. `stored`: the
    comparison that they were measured in, if any; `margin`: one that replaces its margin.

    Raises:
        InvalidScenario: there are too few or too many, or one was imported.
    """
    _check_measured_here(runs)
    if not FEWEST <= len(runs) <= MOST:
        raise InvalidScenario(f"A comparison takes {FEWEST} to {MOST} runs, not {len(runs)}.")
    design = _design(runs, stored)
    design = design if margin is None else replace(design, margin=margin)
    each = {"repeats": design.repeats}
    configs = tuple(run.config.model_copy(update=each) for run in runs)
    tags = [tag for tag in runs[0].tags if all(tag in run.tags for run in runs)]
    return ComparisonScenario(configs, (), design, keys_of(design, tags=tags))


def of_study(study: Study, name: str = "") -> StudyScenario:
    """Return a study as a scenario. `name`: its name, if a user gave it one."""
    tags = study.runs[0].tags if study.runs else ()
    called = Keys(version=VERSION, name=name, tags=tags, note=study.note)
    return StudyScenario(study.config, called)


def of_capacity(capacity: Capacity, name: str = "") -> CapacityScenario:
    """Return a search as a scenario. `name`: its name, if a user gave it one."""
    called = Keys(version=VERSION, name=name, note=capacity.note)
    return CapacityScenario(capacity.config, called)


def _design(runs: Sequence[Run], stored: StoredComparison | None) -> ComparisonDesign:
    if stored is not None and list(stored.run_ids) == [run.id for run in runs]:
        return stored.design
    repeats = max(run.config.repeats for run in runs)
    return ComparisonDesign(None, repeats, repeats, None, MARGIN)


def _check_measured_here(runs: Sequence[Run]) -> None:
    for run in runs:
        if run.source is not None:
            raise InvalidScenario(
                f"Run {run.id} was imported: only its results are known, not how to measure it "
                "again."
            )
