"""A turn: those repeats of a run that are measured in one go.

A run by itself has one turn with all of its repeats. A run that takes turns with others has one for
each repeat, and a run that is repeated afterwards has another for what is to come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.ask.backends import Target
from services.ask.backends.stored_target import private, public, whole
from services.ask.config import RunConfig, stored


@dataclass(frozen=True, slots=True)
class WorkItem:
    """`count` repeats of a run, from the repeat `first` on.

    `nonce` tells the run's prompts from those of every other run; "": the worker makes one.
    `calibrate`: whether the client is looked at afterwards, where the config wants that.
    `target`: to whom it goes, as whoever submitted it has it; None: the worker's environment says.
    `env`: variables that LiteLLM looks for by itself. Both may hold keys, and are in no repr.
    """

    config: RunConfig
    first: int = 0
    count: int | None = None  # None: all that the config asks for and that are left
    nonce: str = ""
    calibrate: bool = True
    target: Target | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def repeats(self) -> range:
        """The indices of the repeats to measure."""
        end = self.config.repeats if self.count is None else self.first + self.count
        return range(self.first, end)


def to_dict(turn: WorkItem) -> dict[str, Any]:
    """Return the turn as JSON-ready data, with its keys: for a pipe, and for nothing else."""
    return {
        "config": turn.config.model_dump(mode="json"),
        "first": turn.first,
        "count": turn.count,
        "nonce": turn.nonce,
        "calibrate": turn.calibrate,
        "target": turn.target and {**public(turn.target), **private(turn.target)},
        "env": dict(turn.env),
    }


def from_dict(data: Mapping[str, Any]) -> WorkItem:
    """Return the turn that `to_dict` wrote."""
    target = data["target"] and whole(data["target"], {})
    return WorkItem(**{**data, "config": stored(data["config"]), "target": target})
