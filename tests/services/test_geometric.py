"""A run's mean over its repeats, with its interval, against SciPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from services.statistics.geometric import geometric_mean

positive = st.floats(1e-3, 1e3)


@given(st.lists(positive, min_size=3, max_size=12).filter(lambda values: len(set(values)) > 1))
def test_the_interval_is_scipys_of_the_logarithms(values: list[float]) -> None:
    mean, low, high = geometric_mean(values)
    logs = np.log(values)
    expected = stats.t.interval(0.95, len(logs) - 1, logs.mean(), stats.sem(logs))
    assert mean == pytest.approx(stats.gmean(values))
    assert (low, high) == pytest.approx(tuple(np.exp(expected)), rel=1e-6)


def test_two_values_have_a_mean_and_no_interval() -> None:
    assert geometric_mean([1.0, 4.0]) == (2.0, None, None)


@pytest.mark.parametrize("values", [[], [1.0, 0.0]])
def test_what_has_no_geometric_mean_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        geometric_mean(values)
