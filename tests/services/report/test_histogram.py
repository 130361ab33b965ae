"""How often each rate occurs, beside the bars of one run."""

from __future__ import annotations

import pytest

from services.report.charts import histogram, spec, tokens_per_s
from services.report.charts.histogram import BINS, bins
from tests.values import candidate, measured


def test_every_value_is_in_one_bin_also_at_the_top() -> None:
    values = [0.0, 1.0, 31.9, 32.0, *[16.5] * 8]
    rows = bins(values, 32.0, requests=12)
    assert sum(row["count"] for row in rows) == len(values)
    assert [(row["y"], row["count"]) for row in rows] == [(0, 1), (1, 1), (16, 8), (31, 2)]
    assert rows[2]["x2"] == pytest.approx(rows[2]["x"] + 12 * histogram.WIDE), "the widest"


def test_rates_of_thousands_have_no_exponent() -> None:
    assert bins([1999.0] * 8, 3200.0, requests=8)[0]["rates"] == "1,900–2,000"


def test_few_values_need_no_histogram() -> None:
    assert bins([1.0] * 7, 32.0, requests=7) == []


@pytest.mark.parametrize(("runs", "shown"), [(1, True), (2, False)])
def test_only_a_single_run_has_a_histogram(runs: int, shown: bool) -> None:
    some = [
        candidate([measured(index) for index in range(10)], run_id=run_id, requests=10)
        for run_id in range(1, runs + 1)
    ]
    chart = tokens_per_s(some)
    assert chart is not None
    drawn = spec(chart)
    assert ("bins" in drawn["datasets"]) == shown
    assert len(drawn["datasets"].get("bins", [])) <= BINS
