"""The Universal Scalability Law: why N devices are not N times as fast as one.

X(N) = λN / (1 + σ(N − 1) + κN(N − 1)): λ is what one device gives, σ the share of the work that
only one can do at a time (contention; with κ = 0 this is Amdahl's law), κ the cost of keeping each
pair of devices in step (coherency, communication). Gunther 2007, Guerrilla Capacity Planning, ch.
4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
from numpy.typing import NDArray

from services.analysis.statistics import CONFIDENCE, MINIMUM_REPEATS

Floats = NDArray[np.float64]
Interval = tuple[float, float]

DRAWS = 2_000
SEED = 4  # the same numbers give the same intervals
TINY = 1e-9  # smaller values count as zero
REACH = 2.0  # the law is extrapolated to this multiple of what was measured, and no further


@dataclass(frozen=True, slots=True)
class Fit:
    """`kappa` is None with two sizes, which cannot distinguish it from σ. The 95 % intervals cover
    variation between repeats, not whether the law holds; None if a size has fewer than 3 repeats.
    `max_relative_error` is that of the measured mean farthest from the curve."""

    sizes: tuple[int, ...]
    unit: float  # λ, of the measure's own unit
    sigma: float
    kappa: float | None
    sigma_interval: Interval | None
    kappa_interval: Interval | None
    max_relative_error: float

    def at(self, n: float) -> float:
        """Return the curve's X(n)."""
        return self.unit * n / self.slowdown(n)

    def slowdown(self, n: float) -> float:
        return 1 + self.sigma * (n - 1) + (self.kappa or 0.0) * n * (n - 1)

    @property
    def peak(self) -> float | None:
        """The number of devices with the highest throughput, √((1 − σ)/κ); None if κ is zero or
        unknown."""
        if not self.kappa or self.kappa < TINY:
            return None
        return max(1.0, math.sqrt(max(0.0, 1 - self.sigma) / self.kappa))

    @property
    def limit(self) -> float | None:
        """The highest possible speed-up, 1/σ; None if κ is not zero."""
        return 1 / self.sigma if self.sigma > TINY and not (self.kappa or 0.0) > TINY else None

    @property
    def limit_of_first(self) -> float | None:
        """The same relative to the smallest size measured, which may be more than one device."""
        return self.limit and self.limit * self.unit / self.at(self.sizes[0])

    @property
    def shows_peak(self) -> bool:
        """Whether there is a peak within reach, beyond the variation between repeats."""
        surely = self.kappa_interval is None or self.kappa_interval[0] > 0
        return self.peak is not None and surely and self.reaches_limit

    @property
    def reaches_limit(self) -> bool:
        """Whether the peak, or the limit of the speed-up, is within REACH of what was measured: at
        most that multiple of the largest size, or of its throughput. What is farther away is not
        known: the sizes measured hardly show the slowdown that it is derived from."""
        if self.peak is not None:
            return self.peak <= REACH * self.sizes[-1]
        return self.limit is not None and self.limit * self.unit <= REACH * self.at(self.sizes[-1])


def fit(measured: Mapping[int, Sequence[float]]) -> Fit | None:
    """Fit the law to the throughputs of each number of devices, one number for each repeat. None
    for fewer than two sizes, or if the fit implies an infinitely fast first device.

    Non-negative least squares on N/X = (1 + σ(N−1) + κN(N−1))/λ, which is linear, each size
    weighted so that relative errors are minimized. Two sizes allow only σ.

    Raises:
        ValueError: a throughput is not positive.
    """
    sizes = tuple(sorted(n for n, numbers in measured.items() if numbers))
    if any(number <= 0 for n in sizes for number in measured[n]):
        raise ValueError("a throughput must be more than 0")
    if len(sizes) < 2:
        return None
    logs = [np.log(np.asarray(measured[n], dtype=np.float64)) for n in sizes]
    means = np.array([log.mean() for log in logs])
    n = np.array(sizes, dtype=np.float64)
    terms = np.column_stack([np.ones_like(n), n - 1, n * (n - 1)][: min(3, len(sizes))])
    weights = np.exp(means) / n
    solution = _least_squares(terms, weights, means[None, :], n)[0]
    if solution[0] <= 0:
        return None
    intervals = _intervals(terms, weights, logs, n)
    curve = n / (terms @ solution)
    return Fit(
        sizes,
        float(1 / solution[0]),
        float(solution[1] / solution[0]),
        float(solution[2] / solution[0]) if len(solution) > 2 else None,
        intervals[0] if intervals else None,
        intervals[1] if intervals and len(solution) > 2 else None,
        float(np.abs(np.exp(means) / curve - 1).max()),
    )


def _least_squares(terms: Floats, weights: Floats, logs: Floats, n: Floats) -> Floats:
    """Exact non-negative least squares for each row of `logs`: there are so few terms that every
    subset is solved; the best solution without a negative term wins."""
    weighted, targets = terms * weights[:, None], n / np.exp(logs) * weights
    best = np.zeros((len(logs), terms.shape[1]))
    least = np.full(len(logs), np.inf)
    every = range(terms.shape[1])
    for columns in map(list, chain.from_iterable(combinations(every, k + 1) for k in every)):
        answer = targets @ np.linalg.pinv(weighted[:, columns]).T
        answer[np.abs(answer) < TINY * np.abs(answer).max(axis=1, keepdims=True)] = 0.0
        misses = ((answer @ weighted[:, columns].T - targets) ** 2).sum(axis=1)
        better = (answer >= 0).all(axis=1) & (misses < least - 1e-18)
        best[better] = 0.0
        best[np.ix_(better, columns)] = answer[better]
        least[better] = misses[better]
    return best


def _intervals(
    terms: Floats, weights: Floats, logs: Sequence[Floats], n: Floats
) -> list[Interval] | None:
    """Intervals of σ and κ: the fit repeated for means drawn from mean + t·s/√r of each size
    (generalised confidence intervals, Weerahandi 1993)."""
    if min(map(len, logs)) < MINIMUM_REPEATS:
        return None
    random = np.random.default_rng(SEED)
    drawn = np.column_stack(
        [
            log.mean()
            + log.std(ddof=1) / math.sqrt(len(log)) * random.standard_t(len(log) - 1, DRAWS)
            for log in logs
        ]
    )
    solutions = _least_squares(terms, weights, np.clip(drawn, -700, 700), n)
    tail = 50 * (1 - CONFIDENCE)
    solutions = solutions[solutions[:, 0] > 0]
    if len(solutions) < DRAWS * CONFIDENCE:
        return None
    ends = np.percentile(solutions[:, 1:] / solutions[:, :1], (tail, 100 - tail), axis=0)
    return [(float(low), float(high)) for low, high in ends.T]
