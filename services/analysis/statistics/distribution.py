"""Summary statistics of samples, and the confidence interval of a proportion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Samples = Sequence[float] | NDArray[np.float64]

CONFIDENCE = 0.95
# The fewest samples with a distribution-free 95 % interval of the percentile: q^n ≤ 2.5 %.
FLOORS = {
    q: math.ceil(math.log((1 - CONFIDENCE) / 2) / math.log(q / 100)) for q in (90, 95, 99)
}  # 36, 72, 368


@dataclass(frozen=True, slots=True)
class Distribution:
    """Summary statistics, in the unit of the samples. None: too few samples."""

    n: int
    mean: float
    median: float
    sd: float | None  # sample standard deviation (n − 1); needs two samples
    minimum: float
    maximum: float
    p90: float | None
    p95: float | None
    p99: float | None


def percentile(samples: Samples, q: float) -> float:
    """Return the `q`-th percentile (0 to 100), by linear interpolation, like NumPy's default.

    Raises:
        ValueError: there are no samples, or `q` is out of range.
    """
    if not len(samples):
        raise ValueError("no samples: a percentile needs at least one")
    return float(np.percentile(samples, q))


def distribution(samples: Samples) -> Distribution | None:
    """Return the summary statistics of samples in any order; None if there are none."""
    n = len(samples)
    if not n:
        return None
    data = np.asarray(samples, dtype=np.float64)
    median, *tail = map(float, np.percentile(data, (50, *FLOORS)))
    p90, p95, p99 = (
        value if n >= floor else None for value, floor in zip(tail, FLOORS.values(), strict=True)
    )
    return Distribution(
        n=n,
        mean=float(data.mean()),
        median=median,
        sd=float(data.std(ddof=1)) if n > 1 else None,
        minimum=float(data.min()),
        maximum=float(data.max()),
        p90=p90,
        p95=p95,
        p99=p99,
    )


def wilson(good: float, n: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion `good` / `n`; (0, 1) when `n` is 0.

    Wilson 1927; Brown, Cai and DasGupta 2001, equation (4).
    """
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = good / n, z * z / n
    centre = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / n + weight / (4 * n)) / (1 + weight)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return (0.0 if good == 0 else low), (1.0 if good == n else high)  # exact at the ends
