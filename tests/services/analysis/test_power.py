"""Equivalence and power: held to SciPy, to printed tables, and to numbers worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from services.analysis.statistics import (
    POWER,
    Ratio,
    detectable,
    equivalence,
    power,
    ratio,
    repeats_needed,
)
from services.analysis.statistics.power import noncentral_t_cdf

tenths = st.integers(1, 10_000).map(lambda number: number / 10)
sides = st.lists(tenths, min_size=3, max_size=8, unique=True)


def known(reference: Sequence[float], other: Sequence[float], paired: bool = False) -> Ratio:
    result = ratio(reference, other, paired)
    assert result is not None
    return result


def exp(*logs: float) -> list[float]:
    return [math.exp(x) for x in logs]


# --- equivalence -------------------------------------------------------------------------------


@given(sides, sides, st.sampled_from([0.01, 0.05, 0.5, 1.0]))
def test_equivalence_matches_two_one_sided_tests_of_scipy(
    a: list[float], b: list[float], margin: float
) -> None:
    bound = math.log1p(margin)
    above = stats.ttest_ind(np.log(b) + bound, np.log(a), equal_var=False, alternative="greater")
    below = stats.ttest_ind(np.log(b) - bound, np.log(a), equal_var=False, alternative="less")
    expected = max(above.pvalue, below.pvalue)
    assert equivalence(known(a, b), margin) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_equivalence_by_hand() -> None:
    # Logs 0, 0.01, 0.02 on both sides: error √(2 · 0.0001 / 3), and the bound is ln 1.05.
    p = equivalence(known(exp(0, 0.01, 0.02), exp(0, 0.01, 0.02)), 0.05)
    t = 0.0487902 / math.sqrt(2 * 0.0001 / 3)  # 5.9756 with 4 degrees of freedom
    assert p == pytest.approx(stats.t.sf(t, 4), rel=1e-5)


@given(sides, sides)
def test_equivalence_is_symmetric(a: list[float], b: list[float]) -> None:
    forth, back = equivalence(known(a, b), 0.1), equivalence(known(b, a), 0.1)
    assert forth == pytest.approx(back, rel=1e-9, abs=1e-12)


@pytest.mark.slow
@given(sides, sides)
def test_equivalent_is_where_the_90_per_cent_interval_is_within(
    a: list[float], b: list[float]
) -> None:
    interval = stats.ttest_ind(np.log(b), np.log(a), equal_var=False).confidence_interval(0.9)
    bound = math.log1p(0.5)
    p = equivalence(known(a, b), 0.5)
    assert p is not None
    if abs(p - 0.05) > 1e-9:
        assert (p < 0.05) == (-bound < interval.low and interval.high < bound)


@pytest.mark.parametrize(("other", "p"), [(1.04, 0.0), (1.06, 1.0)])
def test_the_equivalence_of_constant_repeats_is_certain(other: float, p: float) -> None:
    assert equivalence(known([1.0] * 3, [other] * 3), 0.05) == p


def test_too_few_repeats_have_no_equivalence_or_power() -> None:
    few = known([1.0, 1.1], [1.0, 1.1, 1.2])
    assert equivalence(few, 0.05) is detectable(few) is repeats_needed(few, 0.05) is None


@pytest.mark.parametrize("margin", [0.0, -0.1, math.nan])
def test_a_margin_that_is_not_positive_is_an_error(margin: float) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        equivalence(known([1.0] * 3, [1.0] * 3), margin)


# --- power -------------------------------------------------------------------------------------


@pytest.mark.slow
@given(st.floats(-20, 40), st.floats(1, 300), st.floats(-10, 36))
def test_the_noncentral_t_matches_scipy(t: float, df: float, effect: float) -> None:
    expected = stats.nct.cdf(t, df, effect)
    if math.isfinite(expected):
        assert noncentral_t_cdf(t, df, effect) == pytest.approx(expected, abs=1e-9)


def test_a_very_large_effect_has_a_power_near_one() -> None:
    assert noncentral_t_cdf(2.0, 8, 50.0) == pytest.approx(0.0, abs=1e-9)
    assert noncentral_t_cdf(50.0, 1_000, 50.0) == pytest.approx(0.5, abs=0.01)


def test_without_an_effect_power_equals_the_false_alarm_rate() -> None:
    assert power(0.0, 8) == pytest.approx(0.05)
    assert power(0.0, 8, 0.0125) == pytest.approx(0.0125)


@pytest.mark.parametrize(
    ("n", "d", "expected"),
    [(64, 0.5, 0.80), (26, 0.8, 0.81), (17, 1.0, 0.81), (10, 1.0, 0.56)],
)
def test_power_matches_cohens_table(n: int, d: float, expected: float) -> None:
    """Cohen 1988, table 2.3.5: two means, two-sided 5 %, n a side, d standard deviations."""
    assert power(d * math.sqrt(n / 2), 2 * (n - 1)) == pytest.approx(expected, abs=0.006)


@pytest.mark.long
@pytest.mark.slow
@given(sides, sides, st.sampled_from([1, 4]))
def test_the_detectable_ratio_has_the_intended_power(
    a: list[float], b: list[float], tests: int
) -> None:
    ratio_found = known(a, b)
    smallest = detectable(ratio_found, tests)
    assert smallest is not None and smallest > 1 and ratio_found.error and ratio_found.df
    if smallest < 1e100:
        effect = math.log(smallest) / ratio_found.error
        assert power(effect, ratio_found.df, 0.05 / tests) == pytest.approx(POWER, abs=1e-3)


def test_repeats_that_never_vary_show_any_difference() -> None:
    same = known([1.0] * 3, [1.0] * 3)
    assert detectable(same) == 1.0
    assert repeats_needed(same, 0.05) == 3


def test_the_repeats_needed_match_the_printed_table() -> None:
    # d = 0.5 takes 64 a side, paired 34 (Cohen 1988, table 2.4.1; G*Power): logs of variance 1
    # and a margin of e^0.5 − 1.
    unit = [x / math.sqrt(1.25) for x in (-1.0, 1.0, -0.5, 0.5, -math.sqrt(1.25), math.sqrt(1.25))]
    scaled = [x / float(np.std(unit, ddof=1)) for x in unit]
    assert repeats_needed(known(exp(*scaled), exp(*scaled)), math.expm1(0.5)) == 64
    assert repeats_needed(known([1.0] * 6, exp(*scaled), True), math.expm1(0.5)) == 34


@pytest.mark.slow
@given(sides, sides, st.sampled_from([1, 4]))
def test_the_repeats_needed_are_the_fewest_that_are_enough(
    a: list[float], b: list[float], tests: int
) -> None:
    n = min(len(a), len(b))
    ratio_found = known(a[:n], b[:n])
    needed = repeats_needed(ratio_found, 2.0, tests)
    assert ratio_found.error and ratio_found.df

    def reached(repeats: int) -> float:
        assert ratio_found.error and ratio_found.df
        effect = math.log(3.0) / (ratio_found.error * math.sqrt(n / repeats))
        return power(effect, ratio_found.df * (repeats - 1) / (n - 1), 0.05 / tests)

    if needed is None:
        assert reached(1_000) < POWER
    else:
        assert reached(needed) >= POWER
        assert needed == 3 or reached(needed - 1) < POWER


def test_more_than_a_thousand_needed_repeats_are_unknown() -> None:
    assert repeats_needed(known([0.1, 1.0, 10.0], [0.1, 1.0, 10.0]), 0.01) is None
