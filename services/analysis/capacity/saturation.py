"""What a server completes while its queue grows, and what follows for objectives on waiting.

Near saturation, a queue takes longer to reach its full length than a probe may last, so the misses
in the meantime say too little. How long it takes, and how far below saturation a limit on the wait
is reached, follow from the rate that the server completes and from how much the numbers of arrivals
and departures vary: the queue behaves as a reflected Brownian motion, the limit of every such queue
in heavy traffic (Kingman 1962, J. Royal Stat. Soc. B 24, 383; Abate and Whitt 1987, Queueing
Systems 2, 41).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from services.analysis.capacity.objective import Objective
from services.analysis.capacity.observation import Observation
from services.analysis.statistics import CONFIDENCE, t_quantile

ABOVE = 0.4  # queues that grow at up to 1.5 times the lowest such load tell what is served at most
WAITED = ("ttft_s", "ttfa_s", "e2e_s")  # what a request waits before is part of these
HEAVY = 0.35  # of what is served: a load that is lower by more is no heavy traffic


@dataclass(frozen=True, slots=True)
class Saturation:
    """The rate that is completed per second, `half` the half-width of its 95 % interval on the log
    scale. `variability`: of arrivals and departures, the mean of their indices of dispersion."""

    rate: float
    half: float
    variability: float

    @property
    def low(self) -> float:
        return self.rate * math.exp(-self.half)

    @property
    def high(self) -> float:
        return self.rate * math.exp(self.half)

    def below(self, objective: Objective, room_s: float) -> float | None:
        """The share of the rate by which the load has to be lower for the objective to be met, if
        it is the wait that takes `room_s`: P(W > t) = exp(−(1 − ρ) rate t / variability). None
        where that is no heavy traffic, of which alone this is true."""
        if room_s <= 0:
            return None
        share = -math.log(objective.allowed) * self.variability / (self.rate * room_s)
        return share if share <= HEAVY else None

    def relaxation_s(self, load: float) -> float:
        """For how long the queue remembers, at a load: 2 σ² / drift², σ² = 2 rate variability."""
        drift = self.rate - load
        return 4 * self.rate * self.variability / drift**2 if drift > 0 else math.inf


def saturation(observations: Sequence[Observation]) -> Saturation | None:
    """Return what the server completes per second while its queue grows, which is all that it can:
    the mean of the probes that are not far beyond, each weighted by what it counted. None where no
    queue grew."""
    grown = [probe for probe in observations if probe.growing and probe.served]
    if not grown:
        return None
    lowest = min(probe.load for probe in grown)
    counted = [probe for probe in grown if math.log(probe.load / lowest) <= ABOVE]
    total = sum(probe.served for probe in counted)
    varied = sum(probe.served_dispersion * probe.served for probe in counted) / total
    half = t_quantile((1 + CONFIDENCE) / 2, 9 * len(counted)) * math.sqrt(varied / total)
    return Saturation(total / sum(probe.window_s for probe in counted), half, (1 + varied) / 2)


def room_s(observations: Sequence[Observation], index: int, objective: Objective) -> float | None:
    """Return how long a request may wait: the limit, less the least that was reached at any load.
    None: the wait is no part of what is limited."""
    if objective.metric not in WAITED or objective.limit_s is None:
        return None
    reached = (probe.reached[index] for probe in observations if probe.reached)
    return objective.limit_s - min((each for each in reached if each is not None), default=0.0)
