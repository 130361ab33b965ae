"""Runs over time: where each lies, what is said of them, and the picture of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from scipy import stats

from services.analysis.compare.trend import MEASURES, Trend, trend
from services.analysis.statistics.geometric_mean import geometric_mean
from services.report import charts
from services.report.charts import spec
from services.report.charts.trend import SHAPES, trend_chart
from tests.services.analysis.test_baseline_verdict import Row, baseline, measured_run, row_of

E2E = "e2e_s_median"
TIMES = {  # seconds of three repeats
    1: (2.0, 2.02, 1.98),
    2: (1.0, 1.01, 0.99),
    3: (2.0, 2.01, 1.99),
    4: (4.0, 4.1, 3.9),
    5: (1.5, 2.0, 2.8),
    6: (3.0, 3.0),
    7: (4.0, 4.2, 3.9),
}
RUNS = [replace(row_of(measured_run(n, TIMES[n])), name=f"night {n}") for n in TIMES]
PIN = baseline("model", "tiny", 1)


def words_by_run(trend_of_runs: Trend) -> dict[int, str]:
    return {point.run_id: point.word for point in trend_of_runs.points}


def trend_of(runs: Sequence[Row] = RUNS, measure: str = E2E) -> Trend:
    return trend(runs[::-1], (PIN,), {1: RUNS[0]}, measure)


def test_a_level_is_a_geometric_mean_with_students_interval() -> None:
    numbers = [2.0, 3.0, 5.0, 4.0]
    interval = geometric_mean(numbers)
    assert interval is not None and interval.low is not None and interval.high is not None
    assert interval.value == pytest.approx(120**0.25)
    logs = [math.log(x) for x in numbers]
    low, high = stats.t.interval(0.95, 3, loc=sum(logs) / 4, scale=stats.sem(logs))
    assert (interval.low, interval.high) == pytest.approx((math.exp(low), math.exp(high)))


def test_a_level_without_repeats_enough_has_no_interval() -> None:
    interval = geometric_mean([2.0, 8.0])
    assert interval is not None
    assert (interval.value, interval.low, interval.high) == (pytest.approx(4.0), None, None)
    assert geometric_mean([]) is None
    assert geometric_mean([1.0, 0.0, 2.0]) is None


def test_each_run_of_a_trend_has_its_verdict() -> None:
    result = trend_of()
    assert words_by_run(result) == {
        1: "baseline",
        2: "faster",
        3: "equivalent",
        4: "slower",
        5: "inconclusive",
        6: "no verdict",
        7: "slower",
    }
    assert [point.began for point in result.points] == [run.began for run in RUNS]
    assert result.baseline is not None and result.baseline.run_id == 1
    assert result.points[5].level == geometric_mean([3.0, 3.0])


def test_faster_and_slower_runs_are_counted_and_named() -> None:
    assert trend_of().sentences[:4] == (
        "Of 6 runs since the baseline (run 1), one is faster: run 2; 2 are slower: runs 4 and 7.",
        "Run 3 is equivalent, within ±5 %.",
        "Run 5 is inconclusive.",
        "Run 6 is without a verdict.",
    )
    assert trend_of().sentences[4].startswith("Each run is tested separately")
    assert trend_of(RUNS[:5]).sentences[0] == (
        "Of 4 runs since the baseline (run 1), one is faster: run 2; one is slower: run 4."
    )
    assert (
        trend_of(RUNS[:3]).sentences[0]
        == "Of 2 runs since the baseline (run 1), one is faster: run 2; none is measurably slower."
    )
    assert (
        trend_of(RUNS[:2]).sentences[0]
        == "The only run since the baseline (run 1) is faster: run 2."
    )
    assert trend_of(RUNS[:1]).sentences == ("No run has been measured since the baseline (run 1).",)


def test_many_runs_are_not_all_named() -> None:
    many = [row_of(measured_run(n, (4.0, 4.1, 3.9))) for n in range(2, 22)]
    assert (
        trend_of([RUNS[0], *many])
        .sentences[0]
        .endswith("20 are slower: runs 2, 3, 4, 5, 6, 7, 8, 9 and 12 more.")
    )


def test_runs_of_other_work_are_left_out_and_counted() -> None:
    other = row_of(measured_run(8, (9.0, 9.1, 8.9), max_tokens=7))
    result = trend_of([*RUNS, other])
    assert 8 not in words_by_run(result)
    assert result.sentences[-1] == "One run did different work and is not shown."


def test_runs_before_the_baseline_are_drawn_without_a_verdict() -> None:
    result = trend(RUNS, (baseline("model", "tiny", 4),), {4: RUNS[3]}, E2E)
    assert {words_by_run(result)[n] for n in (1, 2, 3)} == {"no verdict"}
    assert result.sentences[0].startswith("Of 3 runs since the baseline (run 4)")


def test_without_a_baseline_the_page_says_how_to_set_one() -> None:
    result = trend(RUNS, (), {}, E2E)
    assert set(words_by_run(result).values()) == {"no verdict"}
    assert result.baseline is None
    assert result.sentences == (
        "To see whether it is getting faster, set a baseline to compare with: open a run, and "
        "choose Baseline in its “…” menu.",
    )


def test_several_baselines_stay_apart_until_one_is_chosen() -> None:
    runs = [replace(run, tags=("a",) * (run.id > 3)) for run in RUNS]
    baselines = (PIN, baseline("tag", "a", 4))
    baseline_runs = {1: runs[0], 4: runs[3]}
    both = trend(runs, baselines, baseline_runs, E2E)
    assert both.baseline is None
    assert "Of 5 runs since their 2 baselines" in both.sentences[0]
    assert (
        "These runs have 2 different baselines. Filter the list to one of them." in both.sentences
    )
    for_tiny = trend(runs, baselines, baseline_runs, E2E, model="tiny")
    assert for_tiny.baseline is not None and for_tiny.baseline.run_id == 1
    assert words_by_run(for_tiny)[4] == "slower"


def test_a_run_of_an_older_paceline_has_a_level_without_an_interval() -> None:
    old = replace(RUNS[1], headline={E2E: 1.5})
    (point,) = trend([old], (), {}, E2E).points
    assert (point.level.value, point.level.low, point.word) == (
        pytest.approx(1.5),
        None,
        "no verdict",
    )


# --- its picture -----------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("measure", MEASURES)
def test_a_trend_is_a_valid_chart_of_every_run(measure: str, dark: bool) -> None:
    chart = trend_chart(trend_of(measure=measure), dark)
    assert chart is not None
    chart.to_dict()  # raises where it is not valid
    drawn = spec(chart, dark)
    assert orjson.loads(orjson.dumps(drawn)) == drawn
    rows = drawn["datasets"]["runs"]
    assert [row["run"] for row in rows] == list(TIMES)
    assert [row["interval"] for row in rows] == [True] * 5 + [False, True]
    (band,) = drawn["datasets"]["band"]
    assert band["low"] < band["value"] < band["high"]


def test_every_verdict_has_its_own_shape_and_colour() -> None:
    chart = trend_chart(trend_of())
    assert chart is not None
    marks = next(x for x in spec(chart)["layer"] if x["mark"]["type"] == "point")
    for channel in ("shape", "color"):
        scale = marks["encoding"][channel]["scale"]
        assert scale["domain"] == list(SHAPES)
        assert len(set(scale["range"])) == len(SHAPES)


def test_without_a_baseline_there_is_no_line_and_without_a_number_no_chart() -> None:
    chart = trend_chart(trend(RUNS, (), {}, E2E))
    assert chart is not None
    assert "band" not in spec(chart)["datasets"]
    assert trend_chart(trend([], (), {}, E2E)) is None


@pytest.mark.long
@pytest.mark.slow
def test_a_trend_is_rendered_as_png_and_svg() -> None:
    chart = trend_chart(trend_of())
    assert chart is not None
    assert charts.png(chart).startswith(b"\x89PNG")
    assert b"over time" in charts.svg(chart)


def test_a_verdict_on_a_run_of_another_server_says_so() -> None:
    own = {"address": "a:1", "model": "m"}
    served = [replace(run, server=own) for run in RUNS]
    for at in (1, 3):
        served[at] = replace(served[at], server={"address": "b:1", "model": "m"})
    result = trend(served[::-1], (PIN,), {1: served[0]}, E2E)
    assert result.sentences[0] == (
        "Of 6 runs since the baseline (run 1), one is faster: run 2 (different server); 2 are "
        "slower: runs 4 (different server) and 7."
    )
    assert (
        "Runs 2 and 4 ran on a different server than the baseline: address differs."
        in result.sentences
    )
    assert [p.run_id for p in result.points if p.differs] == [2, 4]


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (0, "%H:%M:%S"),
        (0.5, "%H:%M:%S"),
        (3600, "%H:%M"),
        (86_400 * 7, "%b %d, %H:%M"),
        (86_400 * 90, "%b %d"),
        (86_400 * 900, "%Y-%m-%d"),
    ],
)
def test_runs_close_in_time_get_an_axis_with_distinct_labels(seconds: float, labels: str) -> None:
    """Runs that began within a second were drawn over ".500", ".500"."""
    began = RUNS[0].began
    moved = [
        replace(run, began=began + timedelta(seconds=seconds * at / (len(RUNS) - 1)))
        for at, run in enumerate(RUNS)
    ]
    drawn = trend_chart(trend(moved[::-1], (), {}, E2E))
    assert drawn is not None
    x = next(
        layer["encoding"]["x"]
        for layer in spec(drawn)["layer"]
        if "axis" in layer.get("encoding", {}).get("x", {})
    )
    assert x["axis"]["format"] == labels
    first, last = (1000 * moment(**end).timestamp() for end in x["scale"]["domain"])
    assert last - first >= 60_000
    places = [row["began"] for row in spec(drawn)["datasets"]["runs"]]
    assert (min(places) >= first - 1) and (max(places) <= last + 1)


def moment(
    *,
    year: int,
    month: int,
    date: int,
    hours: int,
    minutes: int,
    seconds: int,
    milliseconds: float,
    utc: bool,
) -> datetime:
    """The end of an axis as a time. A number would be a year to Vega's interpreter."""
    assert utc
    whole = datetime(year, month, date, hours, minutes, seconds, tzinfo=UTC)
    return whole + timedelta(milliseconds=milliseconds)


def test_the_trend_chart_marks_server_changes() -> None:
    moved = [replace(run, server={"address": "a" if run.id < 4 else "b"}) for run in RUNS]
    result = trend_of(moved)
    assert "from run 4 on, address a → b" in result.warning
    drawn = trend_chart(result)
    assert drawn is not None
    [change] = spec(drawn)["datasets"]["changes"]
    assert change["change"] == "From run 4 on: address a → b"
    assert change["began"] == 1000 * moved[3].began.timestamp()
    same = trend_chart(trend_of())
    assert same is not None and "changes" not in spec(same)["datasets"]
    assert trend_of().warning == ""


def test_short_times_are_drawn_in_milliseconds() -> None:
    short = {n: tuple(0.01 * seconds for seconds in TIMES[n]) for n in TIMES}
    runs = [row_of(measured_run(n, short[n])) for n in TIMES]
    drawn = trend_chart(trend(runs, (PIN,), {1: runs[0]}, E2E))
    assert drawn is not None
    chart = spec(drawn)
    assert ", geometric mean (ms)" in str(chart["layer"])
    [first, *_] = chart["datasets"]["runs"]
    assert first["value"] == pytest.approx(1000 * 0.01 * 2.0, rel=0.01)
    assert first["low"] < first["value"] < first["high"]
