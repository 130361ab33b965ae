"""The model of windows whose server varies in speed."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from services.analysis.capacity.miss_likelihood import SLOPES, logistic, profile
from services.analysis.capacity.response import MissRate, crossing

ALLOWED = 0.05
SLOPE = 15.0
LOADS = (40.0, 44.0, 48.0, 52.0, 56.0)


def windows(spread: float, per_load: int, n: int = 2_000) -> list[MissRate]:
    """Windows at each load, at evenly spread quantiles of the speed: half of them at 50 miss more
    than the allowed share."""
    quantiles = [NormalDist().inv_cdf((k + 0.5) / per_load) for k in range(per_load)]
    level = math.log(ALLOWED / (1 - ALLOWED))
    odds = [
        (load, level + SLOPE * (math.log(load / 50) + spread * z))
        for load in LOADS
        for z in quantiles
    ]
    return [MissRate(load, round(n / (1 + math.exp(-logit))), n) for load, logit in odds]


def mean_share(load: float, spread: float) -> float:
    """The share of misses over all speeds at a load, by averaging over 10,000 of them."""
    z = np.array([NormalDist().inv_cdf((k + 0.5) / 10_000) for k in range(10_000)])
    level = math.log(ALLOWED / (1 - ALLOWED))
    return float(logistic(level + SLOPE * (math.log(load / 50) + spread * z)).mean())


@pytest.mark.parametrize("spread", [0.02, 0.05])
def test_the_crossing_is_where_the_mean_over_windows_is_the_allowed_share(spread: float) -> None:
    """Not where the typical window misses that share: slow windows miss far more than fast ones
    miss less."""
    found = crossing(windows(spread, per_load=9), ALLOWED)
    assert found is not None and found.low and found.high
    assert mean_share(50.0, spread) > ALLOWED
    assert mean_share(found.low, spread) < ALLOWED < mean_share(found.high, spread)
    assert mean_share(found.value, spread) == pytest.approx(ALLOWED, rel=0.15)


def test_windows_that_differ_give_a_wider_interval() -> None:
    widths = []
    for spread in (0.0, 0.03, 0.06):
        found = crossing(windows(spread, per_load=3), ALLOWED)
        assert found is not None and found.low and found.high
        widths.append(math.log(found.high / found.low))
    assert widths == sorted(widths) and widths[2] > 1.5 * widths[0]


def test_more_windows_give_a_narrower_interval_than_longer_ones() -> None:
    """A longer window does not tell how much the next one differs."""
    widths = []
    for per_load, n in ((2, 1_000), (2, 8_000), (16, 1_000)):
        found = crossing(windows(0.05, per_load, n), ALLOWED)
        assert found is not None and found.low and found.high
        widths.append(math.log(found.high / found.low))
    few, long, many = widths
    assert many < 0.7 * few and long > 0.7 * few


def test_a_window_in_which_everything_or_nothing_missed_fits() -> None:
    x, n = np.log([10.0, 20.0]), np.array([50.0, 50.0])
    thetas, misses = np.log([12.0, 14.0, 200.0]), np.array([0.0, 50.0])
    fit = profile(thetas, SLOPES, x, misses, n, ALLOWED)
    assert np.isfinite(fit.deviance).all()
    assert fit.deviance[2] > fit.deviance[1]
