"""The Universal Scalability Law: what keeps N devices from being N times as fast.

X(N) = λN / (1 + σ(N − 1) + κN(N − 1)): λ is what one device gives, σ the share of the work that
only one can do at a time (contention; with κ = 0 this is Amdahl's law), κ what each pair of devices
costs to keep in step (coherency, communication). Gunther 2007, Guerrilla Capacity Planning, ch. 4.
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
TINY = 1e-9  # less than that is zero


@dataclass(frozen=True, slots=True)
class Fit:
    """`kappa` None: two sizes cannot tell it from σ. The intervals are of 95 %, of the chance among
    repeats alone, not of whether the law holds; None where a size has fewer than 3 repeats.
    `worst` is the largest share by which a measured mean lies off the curve."""

    sizes: tuple[int, ...]
    unit: float  # λ, of the measure's own unit
    sigma: float
    kappa: float | None
    sigma_interval: Interval | None
    kappa_interval: Interval | None
    worst: float

    def at(self, n: float) -> float:
        """Return the curve's X(n)."""
        return self.unit * n / self.slowdown(n)

    def slowdown(self, n: float) -> float:
        return 1 + self.sigma * (n - 1) + (self.kappa or 0.0) * n * (n - 1)

    @property
    def peak(self) -> float | None:
        """Devices from which more of them give less: √((1 − σ)/κ); None where κ is zero or not
        known."""
        if not self.kappa or self.kappa < TINY:
            return None
        return max(1.0, math.sqrt(max(0.0, 1 - self.sigma) / self.kappa))

    @property
    def limit(self) -> float | None:
        """The speed-up that no number of devices passes, 1/σ, where κ is zero."""
        return 1 / self.sigma if self.sigma > TINY and not (self.kappa or 0.0) > TINY else None

    @property
    def limit_of_first(self) -> float | None:
        """The same as times the smallest size that was measured, which may be more than one."""
        return self.limit and self.limit * self.unit / self.at(self.sizes[0])


def fit(measured: Mapping[int, Sequence[float]]) -> Fit | None:
    """Fit the law to a throughput's repeats by number of devices; None under two sizes, and where
    no law of losses comes near them (a first device would have to be infinitely fast).

    Non-negative least squares on N/X = (1 + σ(N−1) + κN(N−1))/λ, which is linear, each size
    weighted so that it is the relative misses that are squared. Two sizes allow only σ.

    Raises:
        ValueError: a throughput is not positive.
    """
    sizes = tuple(sorted(n for n, numbers in measured.items() if numbers))
    if any(number <= 0 for n in sizes for number in measured[n]):
        raise ValueError("a throughput must be more than 0")
    if len(sizes) < 2:
        return None
    logs = [np.log(np.asarray(measured[n], dtype=np.float64)) for n in sizes]
    means = np.array([one.mean() for one in logs])
    n = np.array(sizes, dtype=np.float64)
    terms = np.column_stack([np.ones_like(n), n - 1, n * (n - 1)][: min(3, len(sizes))])
    weights = np.exp(means) / n
    found = _least_squares(terms, weights, means[None, :], n)[0]
    if found[0] <= 0:
        return None
    spread = _spread(terms, weights, logs, n)
    curve = n / (terms @ found)
    return Fit(
        sizes,
        float(1 / found[0]),
        float(found[1] / found[0]),
        float(found[2] / found[0]) if len(found) > 2 else None,
        spread[0] if spread else None,
        spread[1] if spread and len(found) > 2 else None,
        float(np.abs(np.exp(means) / curve - 1).max()),
    )


def _least_squares(terms: Floats, weights: Floats, logs: Floats, n: Floats) -> Floats:
    """Non-negative least squares for each row of `logs`. With so few terms every set of them that
    may be zero is tried: the best of those without a negative one is the exact answer."""
    weighted, wanted = terms * weights[:, None], n / np.exp(logs) * weights
    best = np.zeros((len(logs), terms.shape[1]))
    least = np.full(len(logs), np.inf)
    every = range(terms.shape[1])
    for columns in map(list, chain.from_iterable(combinations(every, k + 1) for k in every)):
        answer = wanted @ np.linalg.pinv(weighted[:, columns]).T
        answer[np.abs(answer) < TINY * np.abs(answer).max(axis=1, keepdims=True)] = 0.0
        misses = ((answer @ weighted[:, columns].T - wanted) ** 2).sum(axis=1)
        better = (answer >= 0).all(axis=1) & (misses < least - 1e-18)
        best[better] = 0.0
        best[np.ix_(better, columns)] = answer[better]
        least[better] = misses[better]
    return best


def _spread(
    terms: Floats, weights: Floats, logs: Sequence[Floats], n: Floats
) -> list[Interval] | None:
    """Intervals of σ and κ: the fit again for means drawn from where the repeats say that the true
    ones lie, mean + t·s/√r for each size (generalised confidence intervals, Weerahandi 1993)."""
    if min(map(len, logs)) < MINIMUM_REPEATS:
        return None
    random = np.random.default_rng(SEED)
    drawn = np.column_stack(
        [
            one.mean()
            + one.std(ddof=1) / math.sqrt(len(one)) * random.standard_t(len(one) - 1, DRAWS)
            for one in logs
        ]
    )
    found = _least_squares(terms, weights, np.clip(drawn, -700, 700), n)
    tail = 50 * (1 - CONFIDENCE)
    found = found[found[:, 0] > 0]
    if len(found) < DRAWS * CONFIDENCE:
        return None
    ends = np.percentile(found[:, 1:] / found[:, :1], (tail, 100 - tail), axis=0)
    return [(float(low), float(high)) for low, high in ends.T]
