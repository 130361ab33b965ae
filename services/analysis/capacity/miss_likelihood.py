"""How likely the misses of several windows are, given a crossing: the deviance of the model that
`response` fits.

In a window, the log odds of a miss are c + b (log x − θ) + b σ z: the speed of the server differs
from one window to the next by a factor whose logarithm is normal with standard deviation σ, so z is
standard normal. The constant c makes the mean share over such windows the allowed share at x = e^θ.
z is integrated out by Gauss-Hermite quadrature (Anderson and Aitkin 1985, J. R. Stat. Soc. B 47,
203); b and σ are profiled, each with a log-normal prior, since a few windows may suggest any.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# One standard deviation of either prior is a factor of e (for such priors see Kontsevich and Tyler
# 1999, Vision Res. 39, 2729).
USUAL_SLOPE = 15.0  # typical of queues, where 5 % more load doubles the odds of a miss
SLOPES = np.geomspace(0.5, 300.0, 17)
USUAL_SPREAD = 0.02  # of a server's speed from one window to the next
SPREADS = np.geomspace(0.005, 0.16, 6)
NODES, _weights = np.polynomial.hermite_e.hermegauss(3)
WEIGHTS = _weights / _weights.sum()
NEWTON = 3  # steps: more change nothing
FARTHEST = 36.0  # logits: beyond, a share is 0 or 1


class Fit(NamedTuple):
    """For each θ: the lowest deviance over b and σ, and that b."""

    deviance: Floats
    slope: Floats


def profile(
    thetas: Floats, slopes: Floats, x: Floats, misses: Floats, n: Floats, allowed: float
) -> Fit:
    """Return how well each θ fits `misses` of `n` requests in the windows at the logarithms `x` of
    their loads, with any of the `slopes`. Misses need not be whole numbers."""
    spread = SPREADS[:, None] * slopes  # of the log odds: σ × b
    centre = np.interp(spread, *_centres(allowed))
    away = x - thetas[:, None]
    odds = centre[..., None] + slopes[:, None] * away[:, None, None, :]
    each = _log_likelihood(odds, spread[..., None], misses, n)  # θ × σ × b × window
    slope_prior = np.log(slopes / USUAL_SLOPE) ** 2
    spread_prior = np.log(SPREADS / USUAL_SPREAD) ** 2
    deviance = -2 * each.sum(axis=-1) + slope_prior + spread_prior[:, None]
    flat = deviance.reshape(len(thetas), -1)
    at = flat.argmin(axis=1)
    return Fit(flat[np.arange(len(thetas)), at], slopes[at % len(slopes)])


def _log_likelihood(odds: Floats, spread: Floats, misses: Floats, n: Floats) -> Floats:
    """The log likelihood of each window relative to the share that was observed in it, if its log
    odds are normal around `odds`. The nodes lie around the likeliest z, which Newton's method
    finds: a long window leaves hardly any other (Liu and Pierce 1994, Biometrika 81, 624)."""
    missed, met = misses + 0.5, n - misses + 0.5
    seen, weight = np.log(missed / met), missed * met / (n + 1)
    z = spread * (seen - odds) * weight / (1 + spread**2 * weight)
    for _ in range(NEWTON):
        p = logistic(odds + spread * z)
        curvature = 1 + spread**2 * n * p * (1 - p)
        z += np.clip((spread * (misses - n * p) - z) / curvature, -1.0, 1.0)
    p = logistic(odds + spread * z)
    width = 1 / np.sqrt(1 + spread**2 * n * p * (1 - p))
    best = _saturated(misses, n)
    mean = np.zeros_like(odds)
    for node, share in zip(NODES, WEIGHTS, strict=True):
        at = z + width * node
        logit = np.clip(odds + spread * at, -FARTHEST, FARTHEST)
        log = -n * np.log1p(np.exp(-logit)) - (n - misses) * logit - best
        mean += share * np.exp((node**2 - at**2) / 2 + log)
    result: Floats = np.log(width * np.maximum(mean, np.finfo(float).tiny))
    return result


def logistic(z: Floats) -> Floats:
    result: Floats = 1 / (1 + np.exp(-np.clip(z, -FARTHEST, FARTHEST)))
    return result


def _saturated(misses: Floats, n: Floats) -> Floats:
    """The log likelihood of each window if its share of misses is the one observed."""
    met = n - misses
    with np.errstate(divide="ignore", invalid="ignore"):
        missed = np.where(misses > 0, misses * np.log(misses / n), 0.0)
        kept = np.where(met > 0, met * np.log(met / n), 0.0)
    result: Floats = missed + kept
    return result


@cache
def _centres(allowed: float) -> tuple[Floats, Floats]:
    """σ b, and c for each, by bisection: the mean share over windows is then the allowed share."""
    spread = np.linspace(0.0, float(SPREADS[-1] * SLOPES[-1]), 961)
    z, weights = np.polynomial.hermite_e.hermegauss(41)
    low, high = np.full(spread.shape, -400.0), np.full(spread.shape, 400.0)
    for _ in range(60):
        middle = (low + high) / 2
        share = logistic(middle[:, None] + spread[:, None] * z) @ weights / weights.sum()
        low, high = np.where(share < allowed, middle, low), np.where(share < allowed, high, middle)
    return spread, low
