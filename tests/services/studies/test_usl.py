"""The Universal Scalability Law gives back what it was given, and says no more than there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from services.studies.usl import fit


def law(n: int, unit: float, sigma: float, kappa: float) -> float:
    return unit * n / (1 + sigma * (n - 1) + kappa * n * (n - 1))


@given(
    unit=st.floats(1, 1e5),
    sigma=st.floats(0, 0.9),
    kappa=st.floats(0, 0.2),
    sizes=st.sets(st.integers(1, 64), min_size=3, max_size=8),
)
def test_the_parameters_of_a_curve_are_recovered(
    unit: float, sigma: float, kappa: float, sizes: set[int]
) -> None:
    curve = fit({n: [law(n, unit, sigma, kappa)] for n in sizes})
    assert curve is not None and curve.kappa is not None
    assert all(curve.at(n) == pytest.approx(law(n, unit, sigma, kappa), rel=1e-4) for n in sizes)
    if 1 in sizes:
        assert curve.unit == pytest.approx(unit, rel=1e-4)
        assert curve.sigma == pytest.approx(sigma, abs=2e-3)
        assert curve.kappa == pytest.approx(kappa, abs=2e-3)


def test_a_fit_matches_values_computed_by_hand() -> None:
    curve = fit({1: [100.0], 2: [160.0], 4: [200.0]})
    # N/X·100: 1, 1.25, 2, so σ + 2κ = 0.25 and 3σ + 12κ = 1: σ = κ·… = 1/6, κ = 1/24
    assert curve is not None
    assert (curve.sigma, curve.kappa) == (pytest.approx(1 / 6), pytest.approx(1 / 24))
    assert curve.peak == pytest.approx((5 / 6 * 24) ** 0.5)  # √20: about 4 devices
    assert curve.limit is None
    assert curve.max_relative_error < 1e-9


def test_a_peak_that_repeats_do_not_confirm_is_not_shown() -> None:
    """Amdahl's law with noise gives a small κ by chance, and a peak at dozens of devices."""
    random = np.random.default_rng(1)
    unsure = 0
    for _ in range(40):
        speeds = {n: 100 * n / (1 + 0.05 * (n - 1)) for n in (1, 2, 4)}
        noise = 1 + 0.01 * random.normal(size=(3, 3))
        curve = fit({n: (speeds[n] * noise[i]).tolist() for i, n in enumerate(speeds)})
        assert curve is not None
        unsure += curve.peak is not None
        assert not curve.shows_peak
    assert unsure > 10
    real = {n: [100 * n / (1 + 0.05 * (n - 1) + 0.02 * n * (n - 1))] * 3 for n in (1, 2, 4, 8)}
    assert (found := fit(real)) is not None and found.shows_peak


def test_two_sizes_tell_only_amdahls_share() -> None:
    curve = fit({1: [100.0], 2: [150.0]})
    assert curve is not None
    assert curve.sigma == pytest.approx(1 / 3)  # 2 / (1 + σ) = 1.5
    assert (curve.kappa, curve.kappa_interval, curve.peak) == (None, None, None)
    assert curve.limit == pytest.approx(3)


def test_two_slower_than_one_have_a_contention_above_one() -> None:
    curve = fit({1: [100.0], 2: [91.0]})
    assert curve is not None and curve.sigma == pytest.approx(2 / 0.91 - 1)


@pytest.mark.parametrize("measured", [{}, {1: [100.0]}, {1: [100.0], 2: []}])
def test_one_size_cannot_be_fitted(measured: dict[int, list[float]]) -> None:
    assert fit(measured) is None


def test_superlinear_speed_up_is_no_negative_loss() -> None:
    curve = fit({1: [100.0], 2: [220.0], 4: [500.0]})
    assert curve is not None
    assert (curve.sigma, curve.kappa) == (0.0, 0.0)
    assert curve.max_relative_error > 0.1  # and it is seen that the law does not fit


def test_no_law_of_losses_is_forced_on_what_rises_and_falls() -> None:
    assert fit({1: [1.0], 2: [13.0], 4: [2.0]}) is None


def test_a_throughput_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 0"):
        fit({1: [1.0], 2: [0.0]})


@given(st.lists(st.floats(1, 1e3), min_size=3, max_size=6))
def test_the_fit_equals_non_negative_least_squares(means: list[float]) -> None:
    curve = fit({2**k: [mean] for k, mean in enumerate(means)})
    n, x = np.array([2.0**k for k in range(len(means))]), np.array(means)
    terms = np.column_stack([np.ones_like(n), n - 1, n * (n - 1)]) * (x / n)[:, None]
    reference, misses = nnls(terms, np.ones_like(n))
    if curve is None:
        assert reference[0] == pytest.approx(0, abs=1e-9)
        return
    a = 1 / curve.unit
    ours = terms @ np.array([a, a * curve.sigma, a * (curve.kappa or 0.0)]) - 1
    assert np.linalg.norm(ours) == pytest.approx(misses, rel=1e-4, abs=1e-6)


def test_intervals_take_three_repeats_of_each_size() -> None:
    steady = {n: [law(n, 100, 0.1, 0.01) * f for f in (1, 1.02, 0.98)] for n in (1, 2, 4, 8)}
    curve = fit(steady)
    assert curve is not None and curve.sigma_interval and curve.kappa_interval
    assert curve.sigma_interval[0] < 0.1 < curve.sigma_interval[1]
    assert curve.kappa_interval[0] < 0.01 < curve.kappa_interval[1]
    assert fit(steady) == curve  # the same every time
    few = fit({**steady, 8: steady[8][:2]})
    assert few is not None and (few.sigma_interval, few.kappa_interval) == (None, None)


def test_intervals_cover_the_true_values_at_their_rate() -> None:
    random = np.random.default_rng(1)
    inside = [0, 0]
    for _ in range(60):
        curve = fit(
            {
                n: [law(n, 100, 0.12, 0.01) * float(np.exp(random.normal(0, 0.03))) for _ in "abc"]
                for n in (1, 2, 4, 8)
            }
        )
        assert curve is not None and curve.sigma_interval and curve.kappa_interval
        inside[0] += curve.sigma_interval[0] <= 0.12 <= curve.sigma_interval[1]
        inside[1] += curve.kappa_interval[0] <= 0.01 <= curve.kappa_interval[1]
    assert min(inside) >= 54  # 95 % of 60 is 57
