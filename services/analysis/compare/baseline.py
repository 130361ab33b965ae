"""Which run another is held against: the reference that is pinned for its tag or its model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, get_args

Kind = Literal["model", "tag"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Pin:
    """A run that is the reference of all with this model, or with this tag."""

    kind: Kind
    value: str
    run_id: int
    pinned_at: datetime


class Pinnable(Protocol):
    """What is looked at of a run."""

    @property
    def model(self) -> str: ...
    @property
    def tags(self) -> Sequence[str]: ...


def of_run(run_id: int, pins: Iterable[Pin]) -> tuple[Pin, ...]:
    """Return the pins that name this run."""
    return tuple(pin for pin in pins if pin.run_id == run_id)


def fitting(run: Pinnable, pins: Iterable[Pin], tag: str = "", model: str = "") -> tuple[Pin, ...]:
    """Return the pins of this run's model and tags, the one that comes first first.

    A tag says more than a model, and a newer pin more than an older; what is looked at now (`tag`,
    `model`: a list narrowed to it) comes before both.
    """

    def rank(pin: Pin) -> tuple[bool, bool, float, int]:
        looked_at = pin.value == {"tag": tag, "model": model}[pin.kind]
        return not looked_at, pin.kind != "tag", -pin.pinned_at.timestamp(), -pin.run_id

    has = {"model": (run.model,), "tag": run.tags}
    return tuple(sorted((pin for pin in pins if pin.value in has[pin.kind]), key=rank))
