"""Fields that were given for the runs of a study but have no effect in them, as sentences."""

from __future__ import annotations

from collections.abc import Iterable

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
    """Whether no run has the field's value, and the runs would be the same without it: a value of
    which those of the runs are a multiple has an effect."""
    usual = RunConfig.model_fields[name].get_default(call_default_factory=True)
    if any(getattr(run, name) == getattr(study.run, name) for run in runs):
        return False
    without = study.model_copy(update={"run": study.run.model_copy(update={name: usual})})
    try:
        return loads(without) == runs
    except InvalidConfig:
        return False
