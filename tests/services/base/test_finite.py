"""Rates and numbers that are finite, or not known."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from services.analysis.metrics import METRICS
from services.base.finite import rate
from tests.values import measured


@given(
    st.one_of(st.none(), st.integers(), st.floats()), st.one_of(st.none(), st.floats(min_value=0))
)
def test_a_rate_is_finite_or_not_known(amount: float | None, seconds: float | None) -> None:
    result = rate(amount, seconds)
    assert result is None or math.isfinite(result)


def test_a_rate_is_the_amount_by_the_seconds() -> None:
    assert (rate(6, 1.5), rate(0, 2.0), rate(6, 0.0), rate(None, 1.0)) == (4.0, 0.0, None, None)
    assert rate(10**400, 1.0) is None
    assert rate(1, 1e-320) is None


def test_no_metric_of_a_time_too_short_for_its_rate_is_infinite() -> None:
    odd = measured(e2e=1e-320, ttft=0.0)
    for metric in METRICS:
        value = metric.of(odd)
        assert value is None or math.isfinite(value), metric
