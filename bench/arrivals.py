"""Whether the arrivals that were asked for happened: at the server, by the kernel's stamps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, sqrt
from typing import Any

CRITICAL = 1.358  # of √n × the Kolmogorov-Smirnov distance, at 5 %: Smirnov's asymptotic law


@dataclass(frozen=True, slots=True)
class Arrivals:
    """One round: requests per second, and how far the gaps are from exponential ones of the
    requested rate, as the largest difference between the two distribution functions. `allowed`: the
    difference that exponential gaps exceed in one round of twenty."""

    per_s: float
    distance: float
    allowed: float


def arrivals(log: Mapping[str, Any], rate: float) -> Arrivals | None:
    """Return the arrivals in a server's log; None if there are too few."""
    at = sorted(did["arrived"] / 1e9 for did in log.values() if "arrived" in did)
    gaps = sorted(later - earlier for earlier, later in pairwise(at))
    if len(gaps) < 2:
        return None
    return Arrivals(len(gaps) / (at[-1] - at[0]), distance(gaps, rate), CRITICAL / sqrt(len(gaps)))


def distance(gaps: Sequence[float], rate: float) -> float:
    """Return the Kolmogorov-Smirnov distance of sorted gaps from exponential ones of a rate."""
    count = len(gaps)
    law = [1 - exp(-rate * gap) for gap in gaps]
    above = max((index + 1) / count - share for index, share in enumerate(law))
    below = max(share - index / count for index, share in enumerate(law))
    return max(above, below)
