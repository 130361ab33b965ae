"""The definition of a mode: when it sends, and how that is described."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from services.ask.about import read_by
from services.ask.config import MOST, RunConfig
from services.ask.modes.arrivals import Rate
from services.ask.modes.schedule import Schedule


@dataclass(frozen=True, slots=True)
class ModeSpec:
    """A mode. `schedule` is that of one repeat. `describe` returns how requests follow each other,
    for sentences such as "Sends 5 requests, …"; `wait_field` is the field with the client's own
    wait between requests in seconds, or "". `rate`: of an open loop, over time. `limit`: on
    requests in flight. `exact`: the number of requests in a given time is known before the run."""

    name: str
    label: str
    help: str
    schedule: Callable[[RunConfig, int], Schedule]
    loop: Literal["closed", "open"]
    describe: Callable[[RunConfig], str]
    wait_field: str = ""
    rate: Callable[[RunConfig], Rate | None] = lambda config: None
    limit: Callable[[RunConfig], int | None] = lambda config: config.concurrency
    exact: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """The fields of RunConfig that only this mode uses."""
        return read_by(RunConfig, self.name)


def count(config: RunConfig) -> int | None:
    """Return the number of requests in each repeat; None if it ends after a duration."""
    return config.requests if config.duration_s is None else None


def max_requests(config: RunConfig) -> int:
    """Return the maximum number of requests in a repeat."""
    return count(config) or MOST
