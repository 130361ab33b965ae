"""The charts of a study: valid, small, legible, and of the numbers that the report has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pytest

from services.report.charts.frame import spec
from services.report.charts.images import png
from services.report.charts.scaling import STUDY_CHARTS, StudyChart
from services.studies import MeasuredCell
from tests.services.report.test_charts import MAX_MARKS, marks
from tests.values import cell


def study_chart(name: str) -> StudyChart:
    return next(chart for chart in STUDY_CHARTS if chart.name == name)


def grid(lengths: Sequence[int] = (128, 512), sizes: Sequence[int] = (1, 4)) -> list[MeasuredCell]:
    """Return TP 1, 2, 4, PP 2 and TP 2 · PP 2 for each length and batch size; TP 4 fails once."""
    shapes = [(1, 1), (2, 1), (4, 1), (1, 2), (2, 2)]
    cell_shapes = [
        (at, *shape, n, b) for n in lengths for b in sizes for at, shape in enumerate(shapes)
    ]
    cells = [
        cell(
            (1 + at / 2) * b**0.5,
            index=index,
            tp=tp,
            pp=pp,
            size=b,
            workload="synthetic",
            input_tokens=n,
        )
        for index, (at, tp, pp, n, b) in enumerate(cell_shapes)
    ]
    last = MeasuredCell(cells[2].cell, None, "Out of memory.")
    return [*cells[:2], last, *cells[3:]]


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("chart", STUDY_CHARTS, ids=lambda chart: chart.name)
def test_a_chart_of_a_study_is_valid_small_and_as_wide_as_its_container(
    chart: StudyChart, dark: bool
) -> None:
    drawn = chart.draw(grid(), dark=dark)
    assert drawn is not None
    drawn_spec = spec(drawn, dark)
    alt.LayerChart.from_dict(drawn_spec)  # validates against Vega-Lite's schema
    assert drawn_spec["width"] == "container"
    assert 0 < marks(drawn_spec) <= MAX_MARKS


@pytest.mark.slow
@pytest.mark.parametrize("chart", STUDY_CHARTS, ids=lambda chart: chart.name)
def test_a_large_study_stays_within_5000_marks(chart: StudyChart) -> None:
    engines = [(tp, pp) for tp in (1, 2, 4, 8) for pp in (1, 2, 4)]
    shapes = [(t, p, n, b) for t, p in engines for n in (1, 2, 3, 4, 5, 6) for b in range(1, 11)]
    single = cell(1.0)
    cells = [
        MeasuredCell(cell(None, tp=t, pp=p, size=b, max_tokens=n).cell, single.candidate)
        for t, p, n, b in shapes
    ]
    drawn = chart.draw(cells)
    assert drawn is not None
    assert marks(spec(drawn)) <= MAX_MARKS


@pytest.mark.parametrize("chart", STUDY_CHARTS, ids=lambda chart: chart.name)
@pytest.mark.parametrize("cells", [[], [cell(None)], [cell(1.0)]], ids=["none", "waits", "one"])
def test_there_is_no_chart_of_nothing(chart: StudyChart, cells: list[MeasuredCell]) -> None:
    assert chart.draw(cells) is None


@pytest.mark.parametrize("name", ["speedup", "heat"])
def test_a_chart_of_a_study_is_rendered_as_png(name: str) -> None:
    drawn = study_chart(name).draw(grid(), dark=True)
    assert drawn is not None
    assert png(drawn, dark=True).startswith(b"\x89PNG")


def test_every_chart_has_its_own_question() -> None:
    assert all(chart.question.endswith("?") for chart in STUDY_CHARTS)
    assert len({chart.name for chart in STUDY_CHARTS}) == len(STUDY_CHARTS)


def test_the_speed_up_is_drawn_for_the_largest_batch_with_ideal_and_fit() -> None:
    drawn = study_chart("speedup").draw([cell(n, tp=n, size=b) for b in (2, 8) for n in (1, 2, 4)])
    assert drawn is not None
    rows = drawn.datasets["points"]
    assert [(row["devices"], row["value"]) for row in rows] == [
        (1.0, 1.0),
        (2.0, pytest.approx(2)),
        (4.0, pytest.approx(4)),
    ]
    assert drawn.datasets["ideal"][-1] == {"devices": 4.0, "value": 4.0}
    assert all(row["value"] == pytest.approx(row["devices"]) for row in drawn.datasets["curves"])
    assert "At batch 8." in " ".join(drawn.title.subtitle)


@pytest.mark.parametrize(
    "spread",
    [[{"tp": 2}, {"tp": 4}, {"tp": 8}], [{"tp": 2, "pp": n} for n in (1, 2, 4)]],
    ids=["larger tensor parallel", "stages on top of it"],
)
def test_the_law_goes_through_the_dots_whatever_the_baseline_is(
    spread: list[dict[str, Any]],
) -> None:
    speeds = [n / (1 + 0.1 * (n - 1)) for n in (1, 2, 4)]
    drawn = study_chart("speedup").draw(
        [cell(speed, **of) for speed, of in zip(speeds, spread, strict=True)]
    )
    assert drawn is not None
    dots = [(row["devices"], row["value"]) for row in drawn.datasets["points"]]
    law = {row["devices"]: row["value"] for row in drawn.datasets["curves"]}
    assert [at for at, _ in dots] == [1, 2, 4] and (min(law), max(law)) == (1, 4)
    for at, value in dots:
        near = min(law, key=lambda size: abs(size - at))
        assert law[near] == pytest.approx(value, rel=0.03)


def test_each_configuration_has_a_line_with_intervals() -> None:
    drawn = study_chart("batch_throughput").draw(grid(lengths=(128,)))
    assert drawn is not None
    rows = [row for row in drawn.datasets["points"] if row["configuration"] == "TP 1"]
    assert [row["size"] for row in rows] == [1, 4]
    assert all(row["low"] < row["value"] < row["high"] for row in rows)


def test_two_repeats_are_dots_without_lines_and_the_chart_says_so() -> None:
    few = [cell(1.0 * b, size=b, vary=(1, 1.1)) for b in (1, 2)]
    drawn = study_chart("batch_throughput").draw(few)
    assert drawn is not None
    assert all(row["low"] == row["high"] for row in drawn.datasets["points"])
    sentence = "A dot without a vertical line has too few repeats for an interval."
    assert sentence in " ".join(drawn.title.subtitle)


def test_failed_cells_are_on_the_heat_map() -> None:
    drawn = study_chart("heat").draw(grid())
    assert drawn is not None
    lost = [row for row in drawn.datasets["cells"] if row["problem"]]
    assert [(row["line"], row["size"], row["text"]) for row in lost] == [
        ("TP 4|128 tokens in", 1, "–")
    ]


def test_a_perfect_scaler_has_an_efficiency_of_100_per_cent_at_every_size() -> None:
    drawn = study_chart("batch_efficiency").draw(
        [cell(n, dp=n, size=b) for b in (1, 2) for n in (1, 2)]
    )
    assert drawn is not None
    assert [row["value"] for row in drawn.datasets["points"]] == [pytest.approx(100)] * 2
    assert "Of DP 2." in " ".join(drawn.title.subtitle)  # there is no legend for one
