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

ABOVE = 0.4  # queues that grow at up to 1.5 times the lowest such load are used for the rate
WAITED = ("ttft_s", "ttfa_s", "e2e_s")  # metrics that include the wait in the queue
HEAVY = 0.35  # of the rate: lower loads than this much below it are not heavy traffic


@dataclass(frozen=True, slots=True)
class Saturation:
    """The rate at saturation, in requests per second. `half`: half the width of its 95 % interval
    on the log scale. `variability`: the mean of the indices of dispersion of arrivals and
    departures."""

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
        """Return how far below the rate the load must be for requests to wait at most `room_s`
        seconds, as a share of the rate, from P(W > t) = exp(−(1 − ρ) rate t / variability). None if
        that is outside heavy traffic, where the formula does not hold."""
        if room_s <= 0:
            return None
        share = -math.log(objective.allowed) * self.variability / (self.rate * room_s)
        return share if share <= HEAVY else None

    def relaxation_s(self, load: float) -> float:
        """Return the queue's relaxation time at a load, in seconds: 2 σ² / drift², σ² = 2 rate
        variability."""
        drift = self.rate - load
        return 4 * self.rate * self.variability / drift**2 if drift > 0 else math.inf


def saturation(observations: Sequence[Observation]) -> Saturation | None:
    """Return the rate at which the server completes requests while its queue grows, which is its
    maximum: the mean of the probes at the lowest such loads, weighted by time. None if no queue
    grew."""
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
    """Return how long a request may wait: the limit minus the lowest value reached at any load, in
    seconds. None if the objective does not include waiting."""
    if objective.metric not in WAITED or objective.limit_s is None:
        return None
    reached = (probe.reached[index] for probe in observations if probe.reached)
    return objective.limit_s - min((each for each in reached if each is not None), default=0.0)
