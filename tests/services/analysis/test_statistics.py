"""Held to SciPy, to published tables, and to numbers worked out by hand."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from services.analysis.statistics import (
    FLOORS,
    distribution,
    holm,
    percentile,
    ratio,
    t_cdf,
    t_quantile,
    wilson,
)

finite = st.floats(-1e6, 1e6)
positive = st.floats(1e-3, 1e3)


def test_a_distribution_matches_values_computed_by_hand() -> None:
    result = distribution([4.0, 1.0, 2.0, 3.0])
    assert result is not None
    assert (result.n, result.mean, result.median, result.minimum, result.maximum) == (
        4,
        2.5,
        2.5,
        1,
        4,
    )
    assert result.sd == pytest.approx(math.sqrt(5 / 3))
    assert result.p90 is result.p95 is result.p99 is None
    many = distribution([float(x) for x in range(36)])
    assert many is not None
    assert many.p90 == pytest.approx(31.5)  # rank 0.9 · 35 = 31.5: between 31 and 32


def test_no_samples_have_no_distribution_and_one_has_no_deviation() -> None:
    assert distribution([]) is None
    single = distribution([7.0])
    assert single is not None and single.sd is None and single.median == 7.0


@pytest.mark.parametrize(
    ("n", "shown"),
    [
        (5, []),
        (35, []),
        (36, ["p90"]),
        (71, ["p90"]),
        (72, ["p90", "p95"]),
        (367, ["p90", "p95"]),
        (368, ["p90", "p95", "p99"]),
    ],
)
def test_a_percentile_is_hidden_until_there_are_samples_for_it(n: int, shown: list[str]) -> None:
    result = distribution([float(x) for x in range(n)])
    assert result is not None
    assert [q for q in ("p90", "p95", "p99") if getattr(result, q) is not None] == shown


@pytest.mark.parametrize(("q", "floor"), [(90, 36), (95, 72), (99, 368)])
def test_a_percentile_needs_the_samples_of_a_distribution_free_interval(q: int, floor: int) -> None:
    assert FLOORS[q] == floor
    assert (q / 100) ** floor <= 0.025 < (q / 100) ** (floor - 1)


@given(st.lists(finite, min_size=1), st.floats(0, 100))
def test_a_percentile_matches_numpy(samples: list[float], q: float) -> None:
    assert percentile(samples, q) == float(np.percentile(samples, q))


def test_a_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        percentile([], 50)


@pytest.mark.parametrize("df", [0.5, 1, 2, 2.7, 4, 9.99, 30, 400, 1e4, 1e6])
@pytest.mark.parametrize("t", [-60.0, -4.3, -1.0, -1e-3, 0.0, 0.2, 1.96, 12.7, 1e3])
def test_the_t_distribution_matches_scipy(t: float, df: float) -> None:
    assert t_cdf(t, df) == pytest.approx(stats.t.cdf(t, df), rel=1e-8, abs=1e-13)


@pytest.mark.parametrize("df", [1, 2, 3.3, 8, 40, 1e4])
@pytest.mark.parametrize("p", [1e-6, 0.025, 0.4, 0.5, 0.9, 0.975, 0.9999])
def test_the_quantiles_of_t_match_scipy(p: float, df: float) -> None:
    assert t_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize(
    ("df", "t"), [(1, 12.706), (2, 4.303), (4, 2.776), (8, 2.306), (30, 2.042)]
)
def test_the_quantiles_of_t_match_the_printed_table(df: int, t: float) -> None:
    assert round(t_quantile(0.975, df), 3) == t


@given(positive, st.floats(0.001, 0.999))
def test_the_quantile_undoes_the_distribution(df: float, p: float) -> None:
    df = max(df, 0.5)
    assert t_cdf(t_quantile(p, df), df) == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize("p", [0.0, 1.0, -1.0, float("nan")])
def test_a_quantile_outside_zero_to_one_is_an_error(p: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        t_quantile(p, 5)


def test_no_degrees_of_freedom_is_an_error() -> None:
    with pytest.raises(ValueError, match="more than 0"):
        t_cdf(1.0, 0)


@pytest.mark.parametrize(("good", "n"), [(0, 5), (5, 5), (1, 10), (99, 100), (4_990, 5_000)])
def test_a_wilson_interval_matches_scipy(good: int, n: int) -> None:
    expected = stats.binomtest(good, n).proportion_ci(method="wilson")
    assert wilson(good, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_wilson_interval_of_no_successes_and_of_no_requests() -> None:
    z2 = 1.959964**2  # 0 of 10: from 0 to z² / (n + z²)
    assert wilson(0, 10) == pytest.approx((0.0, z2 / (10 + z2)), rel=1e-6)
    assert wilson(0, 0) == (0.0, 1.0)


def test_a_ratio_is_that_of_the_geometric_means() -> None:
    result = ratio([1.0, 4.0], [6.0, 6.0])
    assert result is not None
    assert result.value == pytest.approx(3.0)
    assert (result.n_reference, result.n_other) == (2, 2)


@pytest.mark.parametrize(("left", "right"), [(1, 1), (2, 2), (2, 50), (50, 2)])
def test_under_three_repeats_a_side_there_is_no_interval(left: int, right: int) -> None:
    result = ratio([1.0 + i / 100 for i in range(left)], [2.0 + i / 100 for i in range(right)])
    assert result is not None
    assert result.low is result.high is result.p is None


@pytest.mark.parametrize(("a", "b"), [([], [1.0]), ([1.0], []), ([0.0, 1], [1.0]), ([1.0], [-1.0])])
def test_there_is_no_ratio_of_missing_values_or_to_zero(a: list[float], b: list[float]) -> None:
    assert ratio(a, b) is None


tenths = st.integers(1, 10_000).map(lambda number: number / 10)
sides = st.lists(tenths, min_size=3, max_size=8, unique=True)


@given(sides, sides)
def test_a_ratio_is_welchs_t_on_logs(a: list[float], b: list[float]) -> None:
    result, expected = ratio(a, b), stats.ttest_ind(np.log(b), np.log(a), equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert result is not None and result.low and result.high
    assert result.p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
    assert math.log(result.low) == pytest.approx(interval.low, rel=1e-6, abs=1e-9)
    assert math.log(result.high) == pytest.approx(interval.high, rel=1e-6, abs=1e-9)


@given(sides, st.integers())
def test_a_paired_ratio_is_a_t_on_log_ratios(a: list[float], seed: int) -> None:
    chance = random.Random(seed)
    b = [x * chance.uniform(0.8, 1.6) for x in a]
    result, expected = ratio(a, b, paired=True), stats.ttest_rel(np.log(b), np.log(a))
    interval = expected.confidence_interval(0.95)
    assert result is not None and result.low and result.high
    assert result.p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
    assert math.log(result.low) == pytest.approx(interval.low, rel=1e-6, abs=1e-9)
    assert math.log(result.high) == pytest.approx(interval.high, rel=1e-6, abs=1e-9)


def test_a_ratio_by_hand() -> None:
    # Logs 0, 1, 2 and 3, 4, 5: difference 3, variances 1, error √(2/3), 4 degrees of freedom.
    result = ratio([math.exp(x) for x in (0, 1, 2)], [math.exp(x) for x in (3, 4, 5)])
    half = 2.776445 * math.sqrt(2 / 3)
    assert result is not None
    assert result.value == pytest.approx(math.exp(3))
    assert result.low == pytest.approx(math.exp(3 - half), rel=1e-6)
    assert result.high == pytest.approx(math.exp(3 + half), rel=1e-6)


@pytest.mark.parametrize(("other", "p"), [([5.0] * 3, 1.0), ([6.0] * 3, 0.0)])
@pytest.mark.parametrize("paired", [True, False])
def test_the_ratio_of_constant_repeats_is_certain(
    other: list[float], p: float, paired: bool
) -> None:
    result = ratio([5.0] * 3, other, paired)
    assert result is not None
    assert (result.low, result.high, result.p) == (result.value, result.value, p)


def test_sides_of_different_length_are_not_paired() -> None:
    with pytest.raises(ValueError, match="3 and 4"):
        ratio([1.0] * 3, [1.0] * 4, paired=True)


@pytest.mark.parametrize(
    ("raw", "adjusted"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),  # 3·0.01, then 2·0.03, then at least that
        ([0.9, 0.5], [1.0, 1.0]),
    ],
)
def test_holm_by_hand(raw: Sequence[float], adjusted: Sequence[float]) -> None:
    assert holm(raw) == pytest.approx(adjusted)


def test_equal_samples_differ_about_one_time_in_twenty() -> None:
    chance = random.Random(7)
    logs = [[chance.lognormvariate(0, 0.02) for _ in range(6)] for _ in range(1_000)]
    ratios = [ratio(sample[:3], sample[3:]) for sample in logs]
    alarms = sum(
        result is not None and result.p is not None and result.p < 0.05 for result in ratios
    )
    assert 20 <= alarms <= 65  # Welch's t at three a side is a little careful: 3 to 5 %
