"""A work item: the repeats of a run that are measured in one go.

A single run is one work item with all of its repeats. A run of a comparison has one for each
repeat, and a run that gets more repeats later has another one for those.
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

    `nonce` makes the run's prompts different from those of other runs; "": the worker makes one.
    `calibrate`: whether to calibrate the client afterwards, if the config says so.
    `target`: the target as resolved on submission; None: the worker resolves it.
    `env`: variables that LiteLLM reads itself. Both may contain keys, and no repr shows them.
    """

    config: RunConfig
    first: int = 0
    count: int | None = None  # None: all remaining repeats of the config
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
        """Return JSON-ready data including keys, only for a pipe."""
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
