"""Capacities over fresh starts: the ratio of two configurations, and what it says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from services.analysis.capacity import Estimate, ratio_over_starts

ERROR = 0.025  # of a search's logarithm


def found(value: float, error: float = ERROR) -> Estimate:
    half = math.exp(1.96 * error)
    return Estimate(value, value / half, value * half, "interval", "ttft:p95<0.5")


def test_the_ratio_is_that_of_the_means_and_its_interval_shrinks_with_the_starts() -> None:
    two = ratio_over_starts([found(10)] * 2, [found(13)] * 2, 0.05)
    eight = ratio_over_starts([found(10)] * 8, [found(13)] * 8, 0.05)
    assert two is not None and eight is not None
    assert (two.value, two.word) == (pytest.approx(1.3), "more")
    assert math.log(two.high / two.low) == pytest.approx(2 * 1.96 * ERROR, rel=0.01)
    assert math.log(two.high / two.low) == pytest.approx(2 * math.log(eight.high / eight.low))


def test_starts_that_differ_widen_the_interval() -> None:
    alike = ratio_over_starts([found(10)] * 3, [found(12)] * 3, 0.05)
    apart = ratio_over_starts(
        [found(8), found(10), found(12.5)], [found(9.6), found(12), found(15)], 0.05
    )
    assert alike is not None and apart is not None
    assert alike.word == "more" and apart.word == "inconclusive"
    assert apart.value == pytest.approx(alike.value)
    assert apart.longer is not None and apart.longer > 1


def test_equal_capacities_are_equivalent_if_the_starts_are_enough() -> None:
    ratio = ratio_over_starts([found(10, 0.01)] * 4, [found(10.05, 0.01)] * 4, 0.05)
    assert ratio is not None and ratio.word == "equivalent"


def test_a_start_without_a_capacity_does_not_count() -> None:
    unknown = Estimate(10, 8, None, "open", "ttft:p95<0.5")
    with_it = ratio_over_starts([found(10), unknown], [found(13)], 0.05)
    assert with_it == ratio_over_starts([found(10)], [found(13)], 0.05)
    assert ratio_over_starts([unknown], [found(13)], 0.05) is None


@pytest.mark.parametrize("between", [0.0, 1.0, 3.0])
def test_the_interval_of_the_ratio_covers_the_true_value(between: float) -> None:
    """Starts that differ by `between` times what a search tells; the truth is 1.1."""
    rng, covered = np.random.default_rng(5), 0
    spread = math.hypot(1, between) * ERROR
    for _ in range(400):
        a, b = (np.exp(rng.normal(at, spread, 3)) for at in (0.0, math.log(1.1)))
        ratio = ratio_over_starts([found(v) for v in a], [found(v) for v in b], 0.05)
        assert ratio is not None
        covered += ratio.low <= 1.1 <= ratio.high
    assert covered >= 365  # 95 % of 400 less three standard errors
