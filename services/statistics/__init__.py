"""From samples to what may be said of them: distributions, intervals, ratios, tests.

Pure functions; SciPy is what the tests hold them to, not what they run on. A difference between
runs is judged on one number a repeat: requests of one repeat are correlated, and a test over them
finds differences that are not there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, variance

import numpy as np
from numpy.typing import NDArray

from services.statistics.student_t import t_cdf, t_quantile

__all__ = [
    "Distribution",
    "Ratio",
    "distribution",
    "holm",
    "percentile",
    "ratio",
    "t_cdf",
    "t_quantile",
    "wilson",
]

Samples = Sequence[float] | NDArray[np.float64]

# From this many samples on a distribution-free 95 % interval of the percentile exists: q^n ≤ 2.5 %.
FLOORS = {95: 72, 99: 368}
MINIMUM_REPEATS = 3  # a side; fewer say nothing about the variation between repeats
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Distribution:
    """Samples in nine numbers, in the samples' own unit. None: too few samples to say."""

    n: int
    mean: float
    median: float
    sd: float | None  # of the sample (n − 1); needs two
    minimum: float
    maximum: float
    p90: float
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times the reference's value the other's is, with its 95 % interval.

    `value` is the ratio of geometric means. `p` tests that it is 1. Interval and `p` are None
    under MINIMUM_REPEATS a side.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None
    n_reference: int
    n_other: int


def percentile(samples: Samples, q: float) -> float:
    """Return the `q`-th percentile (0 to 100), by linear interpolation, as NumPy does by default.

    Raises:
        ValueError: there are no samples, or `q` is out of range.
    """
    if not len(samples):
        raise ValueError("no samples: a percentile needs at least one")
    return float(np.percentile(samples, q))


def distribution(samples: Samples) -> Distribution | None:
    """Describe samples (in any order); None when there are none."""
    n = len(samples)
    if not n:
        return None
    data = np.asarray(samples, dtype=np.float64)
    median, p90, p95, p99 = map(float, np.percentile(data, (50, 90, 95, 99)))
    return Distribution(
        n=n,
        mean=float(data.mean()),
        median=median,
        sd=float(data.std(ddof=1)) if n > 1 else None,
        minimum=float(data.min()),
        maximum=float(data.max()),
        p90=p90,
        p95=p95 if n >= FLOORS[95] else None,
        p99=p99 if n >= FLOORS[99] else None,
    )


def wilson(good: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
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


def ratio(reference: Sequence[float], other: Sequence[float], paired: bool = False) -> Ratio | None:
    """Compare two runs by one number a repeat: other / reference.

    Welch's t on the logarithms. `paired` is for repeats that took turns (A B A B): a t on the log
    ratios of the pairs. None when a side is empty or a number is not positive.

    Raises:
        ValueError: pairs are wanted of sides that differ in length.
    """
    if paired and len(reference) != len(other):
        raise ValueError(f"{len(reference)} and {len(other)} repeats cannot be paired")
    if not reference or not other or min(*reference, *other) <= 0:
        return None
    a, b = [math.log(x) for x in reference], [math.log(x) for x in other]
    difference = fmean(b) - fmean(a)
    if min(len(a), len(b)) < MINIMUM_REPEATS:
        return Ratio(math.exp(difference), None, None, None, len(a), len(b))
    error, df = _paired_error(a, b) if paired else _welch_error(a, b)
    half = t_quantile((1 + CONFIDENCE) / 2, df) * error
    return Ratio(
        math.exp(difference),
        math.exp(difference - half),
        math.exp(difference + half),
        _two_sided(difference, error, df),
        len(a),
        len(b),
    )


def holm(pvalues: Sequence[float]) -> list[float]:
    """Return p-values adjusted for being several, in the order given (Holm 1979)."""
    order = sorted(range(len(pvalues)), key=pvalues.__getitem__)
    adjusted, worst = [0.0] * len(pvalues), 0.0
    for rank, place in enumerate(order):
        worst = max(worst, min(1.0, (len(pvalues) - rank) * pvalues[place]))
        adjusted[place] = worst
    return adjusted


def _welch_error(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Standard error of the difference of means, and Welch-Satterthwaite degrees of freedom."""
    u, v = variance(a) / len(a), variance(b) / len(b)
    if u + v == 0:
        return 0.0, float(len(a) + len(b) - 2)
    df = (u + v) ** 2 / (u**2 / (len(a) - 1) + v**2 / (len(b) - 1))
    return math.sqrt(u + v), df


def _paired_error(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    differences = [y - x for x, y in zip(a, b, strict=True)]
    return math.sqrt(variance(differences) / len(a)), float(len(a) - 1)


def _two_sided(difference: float, error: float, df: float) -> float:
    if error == 0:  # every repeat gave the same, as counts of tokens do
        return 1.0 if difference == 0 else 0.0
    return min(1.0, 2 * t_cdf(-abs(difference / error), df))
