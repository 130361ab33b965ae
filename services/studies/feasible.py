"""Checks that a study, or a resumed one, has a cell that can be measured on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from services.ask.problems import InvalidConfig
from services.base.errors import Conflict
from services.base.units import many
from services.servers.engines import EngineProblem
from services.studies.grid import GridCell
from services.studies.study import Study
from services.studies.study_config import StudyConfig


class NothingToResume(Conflict):
    """No cell of the study can be measured again."""


def check_feasible(grid: Sequence[GridCell]) -> None:
    """Check that at least one of these cells, if any, can be measured on this machine.

    Raises:
        EngineProblem: none can, with the reason.
    """
    obstacles = [planned.obstacle for planned in grid if planned.obstacle is not None]
    if grid and len(obstacles) == len(grid):
        raise EngineProblem(none_can_run(obstacles))


def none_can_run(obstacles: Sequence[str]) -> str:
    """Return why nothing can be measured here: the only reason, or the first of several."""
    reasons = list(dict.fromkeys(obstacles))
    if len(reasons) == 1:
        return reasons[0]
    return f"None of these cells can be measured on this machine. The first one: {reasons[0]}"


def nothing_to_resume(study: Study, failed: bool) -> str:
    """Return a sentence that no cell of a study can be measured again. `failed`: whether failed
    cells were considered, too."""
    sentence = f"Study {study.id} has no cell that was interrupted{' or failed' if failed else ''}."
    if failed or not study.failed:
        return sentence
    count = many(len(study.failed), "failed cell")
    return f"{sentence} Its {count} can be retried with failed=true."


def check_same_search(stored: Study, more: StudyConfig) -> None:
    """Check that cells added to a study are measured like the others, so that they are comparable:
    by runs, or by searches with the same objectives and range of loads.

    Raises:
        InvalidConfig: they are not.
    """
    if _search(stored.config) != _search(more):
        raise InvalidConfig({"search": OTHERWISE})


def _search(study: StudyConfig) -> dict[str, object] | None:
    return study.search.model_dump(exclude={"starts"}) if study.search else None


OTHERWISE = (
    "Capacities are compared with each other only if they are searched under the same objectives "
    "and with the same loads and windows. Leave those as they are, or duplicate the study."
)
