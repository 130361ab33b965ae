"""A search for the capacity of one server or several: its probes, what they found so far, and what
to probe next.

Each probe is a run at one load. A search has no state besides its probes: the next step follows
from them, so an interrupted search continues where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Literal

from services.analysis.capacity import (
    CapacityRatio,
    Conclusion,
    Estimate,
    Observation,
    RatioBound,
    Recovery,
    Step,
    capacity_ratio,
    estimate,
    next_step,
    ratio_bound,
    recovery_of,
    valid_observations,
)
from services.base.errors import Conflict
from services.base.roles import NOBODY, Origin
from services.studies.capacity_config import CapacityConfig, parse_capacity
from services.studies.capacity_probe import Probe

Status = Literal["running", "done", "cancelled", "interrupted", "failed"]

# The page of a study reads this dozens of times per search, and computing it takes 40 ms.
_next_step = lru_cache(maxsize=2048)(next_step)


@dataclass(frozen=True, slots=True)
class Capacity:
    """A stored search."""

    id: int
    name: str
    note: str
    created_at: datetime
    config: CapacityConfig
    status: Status
    probes: tuple[Probe, ...]
    error: str | None = None  # why it failed, as a sentence
    ended_at: datetime | None = None
    origin: Origin = NOBODY  # who started it, if people sign in
    study_id: int | None = None  # the study that it is part of
    engine_id: int | None = None  # the engine that Paceline starts for it
    start: int = 0  # of a study: 0 for first searches, from 1 for fresh starts

    @property
    def started_by(self) -> str | None:
        return self.origin.started_by

    def observations(self, server: int) -> tuple[Observation, ...]:
        """The observations of a server's probes, in the order of measurement."""
        mine = (probe for probe in self.probes if probe.server == server)
        return tuple(probe.observation for probe in mine if probe.observation is not None)

    def next_step(self, server: int) -> Step | Conclusion:
        return _next_step(self.config.search, self.observations(server))

    def estimate_so_far(self, server: int) -> Estimate | None:
        """A server's capacity according to the probes so far; None if it cannot be estimated
        yet."""
        return estimate(self._valid(server), self.config.parsed_objectives)

    def valid_probes(self, server: int) -> list[Probe]:
        """The probes that describe a server as it is now: without those that the client failed to
        offer, and those before an overload after which the server stayed slow."""
        valid = {id(each) for each in self._valid(server) if not each.limited}
        return [probe for probe in self.probes if id(probe.observation) in valid]

    def final_estimate(self, server: int) -> Estimate | None:
        """A server's capacity once its search has ended; None if none was found."""
        ended = self.next_step(server)
        return ended.estimate if isinstance(ended, Conclusion) else None

    def recovery(self, server: int) -> Recovery | None:
        """The load that was probed again after a server was overloaded, with its results before and
        after."""
        return recovery_of(self.observations(server), self.config.parsed_objectives)

    @property
    def conclusions(self) -> tuple[Conclusion | None, ...]:
        """How the search of each server ended; None if it has not."""
        steps = (self.next_step(server) for server in range(len(self.config.servers)))
        return tuple(step if isinstance(step, Conclusion) else None for step in steps)

    @property
    def ratios(self) -> tuple[CapacityRatio | None, ...]:
        """Each other server's capacity divided by the baseline's; None if one of them is
        unknown."""
        first, *others = (ended and ended.estimate for ended in self.conclusions)
        return tuple(
            capacity_ratio(first, other, self.config.margin) if first and other else None
            for other in others
        )

    @property
    def ratio_bounds(self) -> tuple[RatioBound | None, ...]:
        """For each other server without a ratio, how far its capacity is from the baseline's, if
        what is known of both excludes that they are equal."""
        first, *others = (ended.bounds if ended else (None, None) for ended in self.conclusions)
        return tuple(
            ratio_bound(first, other) if ratio is None else None
            for ratio, other in zip(self.ratios, others, strict=True)
        )

    def _valid(self, server: int) -> Sequence[Observation]:
        return valid_observations(self.observations(server), self.config.parsed_objectives)


class NothingToContinue(Conflict):
    """A search has ended, and with its settings nothing more would be probed."""

    def __init__(self, capacity_id: int) -> None:
        super().__init__(
            f"Capacity search {capacity_id} has ended: with these settings, nothing more would be "
            "probed. Allow more probes, or ask for a narrower interval (precision)."
        )


def continued(
    capacity: Capacity, probes: int | None = None, precision: float | None = None
) -> Capacity:
    """Return a search as it goes on: with its measured probes, without the last ones if the client
    failed to offer them, and with these settings, where given. One that has ended needs others, or
    a client that is no longer too busy.

    Raises:
        NothingToContinue: nothing is left to probe. InvalidConfig: a setting is out of range.
    """
    measured = [probe for probe in capacity.probes if probe.observation is not None]
    while measured and measured[-1].observation and measured[-1].observation.limited:
        measured.pop()
    given = {"probes": probes, "precision": precision}
    changed = {name: value for name, value in given.items() if value is not None}
    config = parse_capacity({**dict(capacity.config), **changed}) if changed else capacity.config
    again = replace(capacity, config=config, probes=tuple(measured))
    if capacity.status == "done" and next_probe(again) is None:
        raise NothingToContinue(capacity.id)
    return again


def next_probe(capacity: Capacity) -> tuple[int, Step] | None:
    """Return the server to probe next and its next probe: of the servers whose search has not
    ended, the one with the fewest probes, so that servers are interleaved. None if all have
    ended."""
    steps = [(server, capacity.next_step(server)) for server in range(len(capacity.config.servers))]
    open_ = [(server, step) for server, step in steps if isinstance(step, Step)]
    return min(open_, key=lambda pair: len(capacity.observations(pair[0])), default=None)
