"""How the share of requests that miss an objective rises with the load, and where it crosses the
allowed share.

Near the crossing, the share of misses is modeled as logistic in the logarithm of the load, and as
increasing: logit p = logit π + b (log x − θ), with b > 0 and π the allowed share. θ is then the
logarithm of the capacity, like the median lethal dose of a drug (Finney 1971, Probit Analysis, ch.
4). Requests of one probe are not independent, since a queue makes neighboring requests miss
together: the binomial variance is multiplied by a dispersion. The interval of θ comes from the
profile likelihood (Williams 1986, Biometrics 42, 641), so it may be asymmetric, and open-ended if
nothing was missed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.analysis.statistics import CONFIDENCE, t_quantile

Floats = NDArray[np.float64]

# The prior of b: 15 is typical of queues, where 5 % more load doubles the odds of a miss, and
# one standard deviation is a factor of e. Without a prior, a few probes may suggest any slope
# (for such priors see Kontsevich and Tyler 1999, Vision Res. 39, 2729).
USUAL_SLOPE = 15.0
SLOPES = np.geomspace(0.5, 300.0, 33)
REACH = 1.2  # how far outside the loads measured the crossing may lie, on the log scale
STEPS = 121  # of the grid over θ; a second, finer grid covers the interval
PRIOR_DF = 4  # how much a server that does not vary between windows is believed
FEWEST_EXPECTED = 0.5  # misses: with fewer expected, the squared residual is meaningless


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
    level = math.log(allowed / (1 - allowed))
    low, high = float(x.min()) - REACH, float(x.max()) + REACH
    grid = np.linspace(low, high, STEPS)
    curve, slopes = _profile(grid, x, misses, n, level)
    scale, df = _remaining(
        x, misses, n, level + slopes[curve.argmin()] * (x - grid[curve.argmin()])
    )
    bound = scale * t_quantile((1 + CONFIDENCE) / 2, df) ** 2
    inside = np.flatnonzero(curve <= curve.min() + bound)
    step = grid[1] - grid[0]
    fine = np.linspace(max(low, grid[inside[0]] - step), min(high, grid[inside[-1]] + step), STEPS)
    curve, slopes = _profile(fine, x, misses, n, level)
    inside = np.flatnonzero(curve <= curve.min() + bound)
    best = np.flatnonzero(curve <= curve.min() + 1e-6 * bound)
    at = int(best[len(best) // 2])  # the middle of the equally good ones, as between two cliffs
    return Crossing(
        math.exp(fine[at]),
        math.exp(fine[inside[0]]) if fine[inside[0]] > low + step else None,
        math.exp(fine[inside[-1]]) if fine[inside[-1]] < high - step else None,
        float(slopes[at]),
        df,
    )


def _profile(
    thetas: Floats, x: Floats, misses: Floats, n: Floats, level: float
) -> tuple[Floats, Floats]:
    """Return, for each θ, the deviance of the best slope, and that slope."""
    away = x[None, None, :] - thetas[:, None, None]
    p = _logistic(level + SLOPES[None, :, None] * away)
    curves = _deviance(misses, n, p) + np.log(SLOPES / USUAL_SLOPE) ** 2
    best = curves.argmin(axis=1)
    return curves[np.arange(len(thetas)), best], SLOPES[best]


def _logistic(z: Floats) -> Floats:
    result: Floats = 1 / (1 + np.exp(-np.clip(z, -36, 36)))
    return result


def _deviance(misses: Floats, n: Floats, p: Floats) -> Floats:
    """−2 log likelihood, minus that of the saturated model."""
    met = n - misses
    with np.errstate(divide="ignore", invalid="ignore"):
        missed = np.where(misses > 0, misses * (np.log(misses / n) - np.log(p)), 0.0)
        kept = np.where(met > 0, met * (np.log(met / n) - np.log1p(-p)), 0.0)
    result: Floats = 2 * (missed + kept).sum(axis=-1)
    return result


def _remaining(x: Floats, misses: Floats, n: Floats, logits: Floats) -> tuple[float, float]:
    """Return how much the probes scatter around the curve relative to their dispersions (a variance
    ratio, at least 1), and the total degrees of freedom: the dispersions' and the residuals'.

    The autocorrelation time τ of n requests, summed over 6 τ, has a relative variance of 12 τ / n
    (Madras and Sokal 1988, J. Stat. Phys. 50, 109), like a variance with n / 6 τ degrees of
    freedom. If the probes scatter more than that, the server itself may vary between windows, which
    only the few residuals show: their variance is moderated by PRIOR_DF degrees of freedom at 1
    (Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3, 3).
    """
    p = _logistic(logits)
    weights = n * p * (1 - p)
    counted = weights >= FEWEST_EXPECTED
    freedom = int(counted.sum()) - 2
    total = float(n.sum()) / 6 + max(0, freedom)
    if freedom < 1:
        return 1.0, max(1.0, total)
    squares = float((((misses - n * p) ** 2)[counted] / weights[counted]).sum())
    if squares > freedom:
        return (squares + PRIOR_DF) / (freedom + PRIOR_DF), float(freedom + PRIOR_DF)
    return 1.0, max(1.0, total)
