"""A run's mean over its repeats, with its interval, against SciPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from services.analysis.statistics.geometric_mean import geometric_mean

positive = st.floats(1e-3, 1e3)


def differ(values: list[float]) -> bool:
    """Their logarithms do, too: SciPy has no interval of a scale of 0."""
    return len(set(np.log(values))) > 1


@pytest.mark.slow
@given(st.lists(positive, min_size=3, max_size=12).filter(differ))
def test_the_interval_matches_scipy_on_logarithms(values: list[float]) -> None:
    interval = geometric_mean(values)
    assert interval is not None
    logs = np.log(values)
    expected = stats.t.interval(0.95, len(logs) - 1, logs.mean(), stats.sem(logs))
    assert interval.value == pytest.approx(stats.gmean(values))
    assert (interval.low, interval.high) == pytest.approx(tuple(np.exp(expected)), rel=1e-6)
