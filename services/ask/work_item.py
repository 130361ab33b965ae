"""A work item: the repeats of a run that are measured in one go.

A run by itself is one work item with all of its repeats. A run of a comparison has one for each
repeat, and a run that is given more repeats afterwards has another one for those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from services.ask.backends import Target
from services.ask.backends.stored_target import private, public, whole
from services.ask.config import RunConfig, stored
from services.base.ipc import Message


@dataclass(frozen=True, slots=True)
class WorkItem(Message):
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

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON, with its keys: for a pipe, and for nothing else."""
        return {
            "config": self.config.model_dump(mode="json"),
            "first": self.first,
            "count": self.count,
            "nonce": self.nonce,
            "calibrate": self.calibrate,
            "target": self.target and {**public(self.target), **private(self.target)},
            "env": dict(self.env),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        target = data["target"] and whole(data["target"], {})
        return cls(**{**data, "config": stored(data["config"]), "target": target})
