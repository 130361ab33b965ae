"""Fields that were given for the runs of a study but have no effect in them, as sentences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.ask import unread
from services.ask.config import RunConfig
from services.ask.problems import InvalidConfig
from services.studies.grid import loads
from services.studies.study_config import StudyConfig


def check(names: Iterable[str], study: StudyConfig) -> None:
    """Check that each of these fields of the study's run has an effect.

    Raises:
        InvalidConfig: with a sentence for each that has none.
    """
    if found := problems(names, study):
        raise InvalidConfig(found)


def problems(names: Iterable[str], study: StudyConfig) -> dict[str, str]:
    """Map each of these fields of the study's run to a sentence if no run reads it, or if the study
    replaces its value in every run."""
    runs, names = loads(study), tuple(names)
    found = unread.problems(names, runs)
    replaced = (name for name in names if name not in found and _is_replaced(name, study, runs))
    return found | {
        name: f"{name} has no effect: the study sets it in every run." for name in replaced
    }


def _is_replaced(name: str, study: StudyConfig, runs: list[RunConfig]) -> bool:
    """Whether the runs would be the same with another value of the field: for a number, the lowest
    or a higher one; otherwise, if no run has the value, with the default."""
    value = getattr(study.run, name)
    usual = RunConfig.model_fields[name].get_default(call_default_factory=True)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        if value == usual or any(getattr(run, name) == value for run in runs):
            return False
        return _loads_with(name, usual, study) == runs
    others = [other for other in (type(value)(1), 2 * value + 1) if other != value]
    return all(_loads_with(name, other, study) == runs for other in others)


def _loads_with(name: str, value: Any, study: StudyConfig) -> list[RunConfig] | None:
    """The runs with another value of a field; None if it is invalid."""
    run = study.run.model_copy(update={name: value})
    try:
        return loads(study.model_copy(update={"run": run}))
    except InvalidConfig:
        return None
