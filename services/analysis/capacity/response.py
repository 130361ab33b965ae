"""How the share of requests that miss an objective rises with the load, and where it crosses the
allowed share.

Near the crossing, the log odds of a miss are modeled as a straight line over the logarithm of the
load, like the response to the dose of a drug (Finney 1971, Probit Analysis, ch. 4), which is
shifted a little in each window because the server's own speed varies (see `miss_likelihood`). θ,
where the mean share over such windows is the allowed share, is the logarithm of the capacity.
Requests of one window are not independent either, since a queue makes neighboring requests miss
together: the binomial variance is multiplied by a dispersion. The interval of θ comes from the
profile likelihood (Williams 1986, Biometrics 42, 641), so it may be asymmetric, and open-ended if
nothing was missed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.analysis.capacity.miss_likelihood import SLOPES, Floats, logistic, profile
from services.analysis.statistics import CONFIDENCE, t_quantile

REACH = 1.2  # how far outside the loads measured the crossing may lie, on the log scale
STEPS = 41  # of the grid over θ; a second and a third, finer grid cover the interval
PRIOR_DF = 4.0  # how much the prior of the variation between windows is believed
FEWEST_EXPECTED = 0.5  # misses: a window with fewer expected says nothing of that variation


@dataclass(frozen=True, slots=True)
class MissRate:
    """The misses of one objective in one probe: `misses` of `n` requests at a load. `dispersion`:
    the variance of the count, divided by that of independent requests."""

    load: float
    misses: int
    n: int
    dispersion: float = 1.0

    def met(self, allowed: float) -> bool:
        """Return whether at most the allowed share missed."""
        return self.misses <= allowed * self.n


@dataclass(frozen=True, slots=True)
class Crossing:
    """The load at which the share of misses reaches the allowed share, with its 95 % interval.
    None: not bounded on that side. `slope` is b; `df` is the degrees of freedom."""

    value: float
    low: float | None
    high: float | None
    slope: float
    df: float


def crossing(shares: Sequence[MissRate], allowed: float) -> Crossing | None:
    """Return where the share of misses crosses `allowed` (between 0 and 1). None if fewer than two
    loads were measured.

    Raises:
        ValueError: `allowed` is not between 0 and 1.
    """
    if not 0 < allowed < 1:
        raise ValueError(f"a share between 0 and 1 is needed (got {allowed})")
    shares = [share for share in shares if share.n > 0]
    if len({share.load for share in shares}) < 2:
        return None
    x = np.log([share.load for share in shares])
    misses = np.array([share.misses / share.dispersion for share in shares])
    n = np.array([share.n / share.dispersion for share in shares])
    low, high = float(x.min()) - REACH, float(x.max()) + REACH
    grid = np.linspace(low, high, STEPS)
    fit = profile(grid, SLOPES, x, misses, n, allowed)
    first = int(fit.deviance.argmin())
    logits = math.log(allowed / (1 - allowed)) + fit.slope[first] * (x - grid[first])
    df = _degrees_of_freedom(n, n * logistic(logits))
    bound = t_quantile((1 + CONFIDENCE) / 2, df) ** 2
    for _ in range(2):
        inside = np.flatnonzero(fit.deviance <= fit.deviance.min() + bound)
        step = grid[1] - grid[0]
        start, stop = max(low, grid[inside[0]] - step), min(high, grid[inside[-1]] + step)
        grid = np.linspace(start, stop, STEPS)
        fit = profile(grid, _finer(fit.slope[inside]), x, misses, n, allowed)
    inside = np.flatnonzero(fit.deviance <= fit.deviance.min() + bound)
    best = np.flatnonzero(fit.deviance <= fit.deviance.min() + 1e-6 * bound)
    at = int(best[len(best) // 2])  # the middle of the equally good ones, as between two cliffs
    return Crossing(
        math.exp(grid[at]),
        math.exp(grid[inside[0]]) if grid[inside[0]] > low + step else None,
        math.exp(grid[inside[-1]]) if grid[inside[-1]] < high - step else None,
        float(fit.slope[at]),
        df,
    )


def _finer(slopes: Floats) -> Floats:
    """Return a finer grid of slopes over those that fit."""
    step = SLOPES[1] / SLOPES[0]
    return np.geomspace(slopes.min() / step, slopes.max() * step, len(SLOPES))


def _degrees_of_freedom(n: Floats, expected: Floats) -> float:
    """Return those with which the variance of the misses is known: of the dispersions, or of the
    variation between windows, which only the few windows show, whichever is less.

    The autocorrelation time τ of n requests, summed over 6 τ, has a relative variance of 12 τ / n
    (Madras and Sokal 1988, J. Stat. Phys. 50, 109), like a variance with n / 6 τ degrees of
    freedom. A variance among few windows is moderated by its prior's (Smyth 2004, Stat. Appl.
    Genet. Mol. Biol. 3, 3).
    """
    telling = int((expected * (1 - expected / n) >= FEWEST_EXPECTED).sum())
    return max(1.0, min(float(n.sum()) / 6, max(0, telling - 2) + PRIOR_DF))
