"""A search for the capacity of one server or several: its probes, what they found so far, and what
to probe next.

Each probe is a run at one load. A search has no state besides its probes: the next step follows
from them, so an interrupted search continues where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal

from services.analysis.capacity import (
    CapacityRatio,
    Conclusion,
    Estimate,
    Observation,
    Recovery,
    Step,
    capacity_ratio,
    estimate,
    next_step,
    recovery_of,
    valid_observations,
)
from services.base.roles import NOBODY, Origin
from services.studies.capacity_config import CapacityConfig
from services.studies.capacity_probe import Probe

Status = Literal["running", "done", "cancelled", "interrupted", "failed"]

# The page of a study asks each of its searches for this dozens of times, and it takes 3 ms.
_next_step = lru_cache(maxsize=256)(next_step)


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
    error: str | None = None  # why it failed, a sentence
    ended_at: datetime | None = None
    origin: Origin = NOBODY  # who asked for it, where people sign in
    study_id: int | None = None  # the study that it is part of
    engine_id: int | None = None  # the engine that Paceline starts for it
    start: int = 0  # of a study: 0 when each is searched first, from 1 on fresh starts of the best

    @property
    def started_by(self) -> str | None:
        return self.origin.started_by

    def observations(self, server: int) -> tuple[Observation, ...]:
        """What the probes of a server say, in the order in which they were made."""
        mine = (probe for probe in self.probes if probe.server == server)
        return tuple(probe.observation for probe in mine if probe.observation is not None)

    def next_step(self, server: int) -> Step | Conclusion:
        return _next_step(self.config.search, self.observations(server))

    def estimate_so_far(self, server: int) -> Estimate | None:
        """A server's capacity as its probes tell it by now; None: nothing yet."""
        return estimate(self._valid(server), self.config.parsed_objectives)

    def valid_probes(self, server: int) -> list[Probe]:
        """The probes that tell of a server as it is: without those that the client could not offer,
        and those before an overload after which it stayed slow."""
        valid = {id(each) for each in self._valid(server) if not each.limited}
        return [probe for probe in self.probes if id(probe.observation) in valid]

    def final_estimate(self, server: int) -> Estimate | None:
        """A server's capacity once its search has ended; None where none was found."""
        ended = self.next_step(server)
        return ended.estimate if isinstance(ended, Conclusion) else None

    def recovery(self, server: int) -> Recovery | None:
        """The load that was sustained before a server was overloaded, and was probed again."""
        return recovery_of(self.observations(server), self.config.parsed_objectives)

    @property
    def conclusions(self) -> tuple[Conclusion | None, ...]:
        """How the search of each server ended; None where it has not."""
        steps = (self.next_step(server) for server in range(len(self.config.servers)))
        return tuple(step if isinstance(step, Conclusion) else None for step in steps)

    @property
    def ratios(self) -> tuple[CapacityRatio | None, ...]:
        """Each other server's capacity over the baseline's, as far as both are known."""
        first, *others = (ended and ended.estimate for ended in self.conclusions)
        return tuple(
            capacity_ratio(first, other, self.config.margin) if first and other else None
            for other in others
        )

    def _valid(self, server: int) -> Sequence[Observation]:
        return valid_observations(self.observations(server), self.config.parsed_objectives)


def next_probe(capacity: Capacity) -> tuple[int, Step] | None:
    """Return the server to probe next, and how: the one with the fewest probes whose search has not
    ended, so that servers are measured in turns. None: all have ended."""
    steps = [(server, capacity.next_step(server)) for server in range(len(capacity.config.servers))]
    open_ = [(server, step) for server, step in steps if isinstance(step, Step)]
    return min(open_, key=lambda pair: len(capacity.observations(pair[0])), default=None)
