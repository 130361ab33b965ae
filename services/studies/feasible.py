"""That a study, or what is to be resumed of one, has a cell that can be measured here at all."""

from __future__ import annotations

from collections.abc import Sequence

from services.base.errors import Conflict
from services.base.units import many
from services.servers.engines import EngineProblem
from services.studies.grid import Planned
from services.studies.study import Study


class NothingToResume(Conflict):
    """A study of which no cell can be measured anew, in a sentence."""


def check_feasible(grid: Sequence[Planned]) -> None:
    """See that at least one of these cells, if there are any, can be measured on this machine.

    Raises:
        EngineProblem: none can, with why.
    """
    obstacles = [one.obstacle for one in grid if one.obstacle is not None]
    if grid and len(obstacles) == len(grid):
        raise EngineProblem(none_can_run(obstacles))


def none_can_run(obstacles: Sequence[str]) -> str:
    """Say why nothing can be measured here: the one reason, or that there are several."""
    reasons = list(dict.fromkeys(obstacles))
    if len(reasons) == 1:
        return reasons[0]
    return f"None of these cells can be measured on this machine. The first one: {reasons[0]}"


def nothing_to_resume(study: Study, failed: bool) -> str:
    """Say that a study has no cell to be measured anew; `failed`: those that failed count, too."""
    sentence = f"Study {study.id} has no cell that was cut short{' or failed' if failed else ''}."
    if failed or not study.failed:
        return sentence
    some = many(len(study.failed), "failed cell")
    return f"{sentence} Its {some} can be tried again with failed=true."
