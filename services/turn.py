"""A turn: those repeats of a run that are measured in one go.

A run by itself has one turn with all of its repeats. A run that takes turns with others has one for
each repeat, and a run that is repeated afterwards has another for what is to come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.config import RunConfig, parse


@dataclass(frozen=True, slots=True)
class Turn:
    """`count` repeats of a run, from the repeat `first` on.

    `mark` tells the run's prompts from those of every other run; "": the worker makes one.
    `calibrate`: whether the client is looked at afterwards, where the config wants that.
    `base_url`: where an engine answers that was started for this run; the config names none.
    """

    config: RunConfig
    first: int = 0
    count: int | None = None  # None: all that the config asks for and that are left
    mark: str = ""
    calibrate: bool = True
    base_url: str | None = None

    @property
    def repeats(self) -> range:
        """The indices of the repeats to measure."""
        end = self.config.repeats if self.count is None else self.first + self.count
        return range(self.first, end)


def written(turn: Turn) -> dict[str, Any]:
    """Return the turn as JSON-ready data."""
    return {
        "config": turn.config.model_dump(mode="json"),
        "first": turn.first,
        "count": turn.count,
        "mark": turn.mark,
        "calibrate": turn.calibrate,
        "base_url": turn.base_url,
    }


def read(data: Mapping[str, Any]) -> Turn:
    """Return the turn that `written` wrote.

    Raises:
        InvalidConfig: its config cannot be asked for.
    """
    return Turn(**{**data, "config": parse(data["config"])})
