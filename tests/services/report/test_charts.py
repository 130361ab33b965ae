"""Every chart of every kind of run: valid, small, offline, and showing what was measured."""

from __future__ import annotations

import json
import math
import random
import re
import struct
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import altair as alt
import orjson
import pyarrow.ipc
import pytest

from services.analysis.compare import Candidate
from services.analysis.metrics import metric
from services.analysis.summary import summary_row
from services.ask.measurement import Measurement, Progress, Sample
from services.ask.prices import Price
from services.report import charts, theme
from services.report.charts.ratio_scale import ratio_scale
from tests.values import candidate, failed, measured, sampled

MAX_MARKS = 5000


def varied(count: int, seed: int = 0, *, repeats: int = 1, lost: int = 0) -> list[Measurement]:
    """Return requests 50 ms apart whose times vary; every `lost`-th fails."""
    rng = random.Random(seed)
    return [
        failed(i, repeat=r, t_due=i * 0.05, t_send=i * 0.05, t_end=i * 0.05 + 0.4)
        if lost and i % lost == 0
        else measured(
            i,
            repeat=r,
            send=i * 0.05 + rng.random() / 1000,
            ttft=rng.lognormvariate(-1, 0.4),
            e2e=3 + rng.random() + seed / 5,
            tokens=rng.randint(20, 30),
            t_due=i * 0.05,
        )
        for r in range(repeats)
        for i in range(count)
    ]


SEEN = sampled(
    running=[4.0] * 600,
    waiting=[0.0, 1.0] * 300,
    kv_cache_share=[0.5] * 600,
    engine_cores=[1.0] * 600,
    memory_bytes=[2.0**31] * 600,
    **{f"gpu{i}_memory_bytes": [i * 2.0**33] * 600 for i in range(8)},
    **{f"gpu{i}_use_share": [i / 8] * 600 for i in range(8)},
)


def runs(count: int, requests: int = 16, **how: Any) -> list[Candidate]:
    return [
        candidate(
            varied(requests, n, **how),
            run_id=n + 1,
            name=f"Run {n}",
            requests=requests,
            samples=SEEN,
            health={"t": 0.0},
        )
        for n in range(count)
    ]


def swept(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates with a price each, doubling the concurrency from one to the next."""
    numbers = [{"peak_in_flight": 2**n, "usd_per_million_output": 1 + n / 10} for n in range(8)]
    return [
        replace(one, summary=replace(one.summary, **found))
        for one, found in zip(candidates, numbers, strict=False)
    ]


def mixes(requests: int, **how: Any) -> list[Candidate]:
    """Return two runs in which every second request is long."""
    of_run = {"requests": requests, "workload": "mixed"}
    return [
        candidate(varied(requests, n, **how), run_id=n, name=f"Mix {n}", **of_run) for n in (1, 2)
    ]


def changed(**changes: Any) -> list[Candidate]:
    return [candidate([replace(m, **changes) for m in varied(16)])]


SITUATIONS: dict[str, Callable[[], list[Candidate]]] = {
    "one run": lambda: runs(1),
    "one request": lambda: [candidate([measured()])],
    "two runs": lambda: swept(runs(2, requests=24, repeats=3, lost=8)),
    "eight runs": lambda: swept(runs(8, requests=40)),
    "one of two empty": lambda: [*runs(1), candidate([], run_id=9)],
    "all failed": lambda: [candidate([failed(i) for i in range(20)])],
    "no measurements": lambda: [candidate([])],
    "not streamed": lambda: changed(t_first=None, t_answer=None, token_times=()),
    "never sent": lambda: changed(status="cancelled", t_send=None, token_times=()),
    "tokens unknown": lambda: changed(output_tokens=None),
    "two mixes": lambda: swept(mixes(24, repeats=3, lost=7)),
    "5,000 requests": lambda: runs(1, requests=5000, lost=40),
    "eight of 5 × 5,000": lambda: swept(
        [
            replace(one, run=replace(one.run, id=n))
            for one in runs(1, requests=5000, repeats=5, lost=40)
            for n in range(1, 9)
        ]
    ),
}


@cache
def situation(name: str) -> list[Candidate]:
    return SITUATIONS[name]()


# Which charts can be drawn of it; a situation that is not here gives every chart.
ALL = {chart.name for chart in charts.CHARTS}
DRAWN: dict[str, set[str]] = {
    "two mixes": ALL - {"engine"},  # the server was not sampled
    "eight runs": ALL - {"repeats"},
    "one run": ALL - {"ttft_over_time"},
    "one request": ALL - {"engine", "ttft_over_time"},
    "one of two empty": ALL
    - {"ratios", "repeats", "quantile_shift", "concurrency", "cost", "ttft_over_time"},
    "all failed": {"timeline", "in_flight"},
    "no measurements": set(),
    "not streamed": {"tokens_per_s", "e2e", "timeline", "in_flight"},
    "never sent": set(),
    "tokens unknown": {"ttft", "e2e", "inter_chunk", "timeline", "in_flight"},
}


def rows_of(spec: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = spec["datasets"][name]
    return rows


def drawn(name: str, candidates: Sequence[Candidate], dark: bool = False) -> dict[str, Any]:
    chart = charts.chart(name).draw(candidates, dark=dark)
    assert chart is not None
    return charts.spec(chart, dark)


def subtitle(spec: dict[str, Any]) -> str:
    return " ".join(spec["title"]["subtitle"]).replace("\N{NO-BREAK SPACE}", " ")


def marks(spec: dict[str, Any]) -> int:
    """Return an upper bound of the marks drawn: each layer draws each of its rows once."""
    data = [layer.get("data", spec.get("data")) for layer in spec["layer"]]
    return sum(len(d["values"] if "values" in d else rows_of(spec, d["name"])) for d in data)


@pytest.mark.slow
@pytest.mark.parametrize("named", SITUATIONS)
@pytest.mark.parametrize("chart", charts.CHARTS, ids=lambda chart: chart.name)
def test_a_chart_is_valid_small_offline_and_as_wide_as_its_container(
    chart: charts.Chart, named: str
) -> None:
    candidates = situation(named)
    if len(candidates) < chart.least:
        return
    began = time.perf_counter()
    result = chart.draw(candidates)
    if result is None:
        assert chart.name not in DRAWN.get(named, ()), "there was something to draw"
        assert named in DRAWN, "a chart was expected"
        return
    assert chart.name in DRAWN.get(named, ALL), "there was nothing to draw"
    spec = charts.spec(result)
    print(f"{chart.name}, {named}: {time.perf_counter() - began:.3f} s, {marks(spec)} marks")
    alt.LayerChart.from_dict(spec)  # validates against Vega-Lite's schema
    assert marks(spec) <= MAX_MARKS
    assert spec["width"] == "container"
    assert not {"hconcat", "vconcat", "facet"} & spec.keys()
    text = orjson.dumps({k: v for k, v in spec.items() if k != "$schema"}).decode()
    assert not re.search(r"https?:|//\w", text)
    assert '"clip":true' not in text, "Vega's SVG keeps the clip of a plot's first width"
    assert all(spec["datasets"].values()), "an empty data set makes Vega warn"
    assert all(len(line) <= 56 for line in spec["title"]["subtitle"])


@pytest.mark.parametrize("chart", charts.CHARTS, ids=lambda chart: chart.name)
def test_every_chart_has_a_question_and_a_text_for_missing_data(chart: charts.Chart) -> None:
    assert chart.question.endswith("?")
    assert chart.nothing == "" or chart.nothing.endswith(".")
    optional = chart.least == 2 or chart.name == "engine"
    assert optional or chart.nothing, "a run's own page leaves no question out"
    assert charts.chart(chart.name) is chart
    assert chart.draw([candidate([])]) is None


def test_server_metrics_share_the_time_axis_of_the_requests() -> None:
    watched = candidate(
        [measured(e2e=0.9)],
        health={"t": 20.0},
        run_id=3,
        samples=[
            Sample(
                20.5 + i / 10,
                {
                    "running": i + 1.0,
                    "gpu0_memory_bytes": 3 * 2.0**30,
                    "gpu1_memory_bytes": 2.0**30,
                },
            )
            for i in range(3)
        ],
    )
    spec = drawn("engine", [watched])
    points = rows_of(spec, "points")
    running = [p for p in points if p["part"].startswith("Running")]
    assert [(round(p["seconds"], 6), p["text"]) for p in running] == [
        (0.5, "1"),
        (0.6, "2"),
        (0.7, "3"),
    ]
    assert {p["text"] for p in points if p["part"].startswith("GPU 0")} == {"3.00 GiB"}
    assert [title["text"] for title in rows_of(spec, "titles")] == [
        "Requests running and waiting (dashed)",
        "GPU memory in use",
    ]
    x = spec["layer"][0]["encoding"]["x"]
    assert (x["title"], x["scale"]["domain"]) == ("Time since the repeat began (s)", [0, 0.9])


def test_where_no_server_was_watched_or_not_long_enough_nothing_is_drawn() -> None:
    moment = [Sample(0.5, {"running": 1.0})]
    for samples, health in ((moment, {"t": 0.0}), (SEEN, {}), (SEEN, {"t": 5.0})):
        watched = candidate(varied(3), samples=samples, health=health)
        assert charts.chart("engine").draw([watched]) is None
    assert charts.live_engine([], 5.0) is None


def test_live_server_metrics_share_the_axis_of_the_live_chart() -> None:
    spec = charts.live_engine(SEEN[:9], 30.0)
    assert spec is not None
    alt.LayerChart.from_dict(spec)
    later = charts.live_engine(SEEN[:9], 40.0)
    assert later is not None
    assert later["layer"][0]["encoding"]["x"]["scale"]["domain"] == [0, 40.0]
    assert spec["layer"][0]["encoding"]["x"]["scale"]["domain"] == [0, 30.0]
    assert spec["layer"][0]["encoding"]["x"]["title"] == "Time since the run began (s)"
    assert spec["padding"]["bottom"] >= 5, "else a browser cuts that title"


def test_packed_rows_of_a_chart_hold_the_same_data() -> None:
    spec = charts.live_engine(SEEN[:9], 30.0)
    assert spec is not None
    packed = charts.packed(spec)
    for name, rows in spec["datasets"].items():
        assert pyarrow.ipc.open_stream(packed["datasets"][name]).read_all().to_pylist() == rows
    assert {**packed, "datasets": None} == {**spec, "datasets": None}


@pytest.mark.slow
@pytest.mark.parametrize("chart", charts.CHARTS, ids=lambda chart: chart.name)
@pytest.mark.parametrize("dark", [False, True])
def test_a_chart_is_a_png_of_1800_pixels(chart: charts.Chart, dark: bool) -> None:
    result = chart.draw(situation("two runs"), dark=dark)
    assert result is not None
    image = charts.png(result, dark)
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", image[16:24])
    assert width == 1800
    assert height > 300


def test_a_chart_is_an_svg_with_its_title() -> None:
    result = charts.chart("ttft").draw(situation("one run"))
    assert result is not None
    image = charts.svg(result)
    assert image.startswith(b"<svg")
    assert b"Time to first token" in image
    assert b"<script" not in image


def test_names_cannot_inject_scripts_into_svg() -> None:
    hostile = [
        candidate(varied(4), run_id=n, name="</text><script>alert(1)</script>") for n in (1, 2)
    ]
    for name in ("tokens_per_s", "ttft", "ratios"):
        result = charts.chart(name).draw(hostile)
        assert result is not None
        assert b"<script" not in charts.svg(result)


def test_dark_and_light_hold_the_same_data_in_other_colours() -> None:
    light, dark = (drawn("ttft", situation("two runs"), dark) for dark in (False, True))
    assert light["datasets"] == dark["datasets"]
    assert light["config"] != dark["config"]
    assert light["layer"] != dark["layer"]


# tokens per second


def test_a_bar_is_a_requests_rate_and_a_cross_a_failure() -> None:
    spec = drawn("tokens_per_s", [candidate([measured(0, tokens=6), failed(1)], requests=2)])
    (bar,) = rows_of(spec, "bars")
    assert bar["rate"] == 2.0
    assert [row["requests"] for row in rows_of(spec, "failed")] == ["2"]
    assert "red ×" in subtitle(spec)
    assert "more than once" not in subtitle(spec)


def test_the_gray_of_a_request_sent_again_is_explained() -> None:
    again = measured(0, t_due=0.0, send=3.0, attempts=2)
    spec = drawn("timeline", [candidate([again, measured(1)], requests=2)])
    assert "sent more than once is gray until its last attempt" in subtitle(spec)
    assert "ranges" not in spec["datasets"]


def test_repeats_are_drawn_one_after_the_other() -> None:
    both = [measured(0), measured(0, repeat=1)]
    spec = drawn("tokens_per_s", [candidate(both, requests=1)])
    assert [row["requests"] for row in rows_of(spec, "bars")] == ["1", "2"]


def test_over_200_requests_are_put_together_and_the_chart_says_so() -> None:
    spec = drawn("tokens_per_s", situation("5,000 requests"))
    bars = rows_of(spec, "bars")
    assert len(bars) == 200
    assert all(row["low"] <= row["rate"] <= row["high"] for row in bars)
    assert bars[0]["requests"] == "1–25"
    assert sum(row["answers"] + row["failed"] for row in bars) == 5000
    slowest = min(
        situation("5,000 requests")[0].measurements[:25],
        key=lambda m: metric("tokens_per_s").of(m) or math.inf,
    )
    assert bars[0]["opens"] == slowest.index + 1, "what a click opens"
    assert "median of 25 consecutive requests" in subtitle(spec)


@pytest.mark.parametrize(("count", "down"), [(2, -1), (3, 1)])
def test_several_runs_share_one_scale_and_two_mirror_each_other(count: int, down: int) -> None:
    work = ([measured(0, tokens=3)], [measured(0, tokens=12)], [measured(0)])
    spec = drawn("tokens_per_s", [candidate(m, run_id=n) for n, m in enumerate(work[:count], 1)])
    heights = {row["run"]: row["y"] - row["base"] for row in rows_of(spec, "bars")}
    assert heights["Run 2"] == pytest.approx(down * 4 * heights["Run 1"])


def test_the_mirrored_axis_has_no_sign_and_one_zero() -> None:
    spec = drawn("tokens_per_s", situation("two runs"))
    assert {row["base"] for row in rows_of(spec, "bars")} == {0}
    (axis,) = [y["axis"] for layer in spec["layer"] if "axis" in (y := layer["encoding"]["y"])]
    assert axis["labelExpr"].startswith("format(abs(")
    assert axis["values"] == [-value for value in reversed(axis["values"])]
    assert "the second down" in subtitle(spec)


def test_the_decode_rate_of_a_failure_is_not_drawn() -> None:
    good = [measured(n, ttft=1.0, e2e=3.0) for n in range(3)]
    broken = [replace(measured(n, ttft=1.0, e2e=1.5), status="failed") for n in range(3, 7)]
    run = candidate([*good, *broken])
    chart = charts.tokens_per_s([run], rate="decode_tokens_per_s")
    assert [row["requests"] for row in rows_of(chart, "bars")] == ["1", "2", "3"]
    assert len(rows_of(chart, "failed")) == len(broken)
    assert run.summary.distributions["decode_tokens_per_s"].median == 2.0
    assert "Median 2.00." in subtitle(chart), "in as many digits as the tables"


def test_the_rate_can_be_the_decode_rate() -> None:
    result = charts.tokens_per_s([candidate([measured(tokens=5)])], rate="decode_tokens_per_s")
    assert result is not None
    spec = charts.spec(result)
    assert rows_of(spec, "bars")[0]["rate"] == 2.0
    assert "Decode" in " ".join(spec["title"]["text"])


# distributions


def test_a_distribution_ends_short_of_1_by_the_share_of_failures() -> None:
    spec = drawn("e2e", [candidate([measured(0, e2e=2), measured(1, e2e=4), failed(2), failed(3)])])
    steps = [(row["seconds"], row["share"]) for row in rows_of(spec, "steps")]
    assert steps == [(2, 0), (2, 0.25), (4, 0.5)]
    assert "ends at 50.0 %: 2 of 4 requests failed" in subtitle(spec)


def test_a_distribution_of_many_keeps_200_points_and_both_ends() -> None:
    many = [measured(i, ttft=(i + 1) / 1000) for i in range(1000)]
    steps = rows_of(drawn("ttft", [candidate(many, requests=1000)]), "steps")
    assert len(steps) == 200
    assert (steps[0]["seconds"], steps[-1]["seconds"]) == pytest.approx((0.001, 1.0))
    assert all(row["share"] == pytest.approx(row["seconds"], abs=1e-9) for row in steps[1:])


def test_values_far_apart_get_a_logarithmic_axis() -> None:
    spec = drawn("ttft", [candidate([measured(0, ttft=0.01), measured(1, ttft=1)])])
    x = spec["layer"][0]["encoding"]["x"]
    assert x["scale"]["type"] == "log"
    assert x["title"] == "Time to first token (s, log scale)"


def test_the_gap_chart_shows_gaps_between_chunks() -> None:
    spec = drawn("inter_chunk", [candidate([measured(ttft=1, e2e=3, tokens=5)])])
    assert {row["seconds"] for row in rows_of(spec, "steps")} == {0.5}


# over time


def test_the_timeline_has_three_phases_and_an_end() -> None:
    ok = measured(0, send=0.5, ttft=1, e2e=3, t_due=0.0)
    lost = failed(1, t_due=0.0, t_send=0.0, t_end=2.0)
    spec = drawn("timeline", [candidate([ok, lost], requests=2)])
    phases = [(row["request"], row["start"], row["stop"]) for row in rows_of(spec, "phases")]
    assert phases == [(1, 0.0, 0.5), (1, 0.5, 1.5), (1, 1.5, 3.5), (2, 0.0, 2.0)]
    assert [(row["request"], row["why"]) for row in rows_of(spec, "ends")] == [(2, "timeout")]


@pytest.mark.parametrize(
    ("due", "listed"),
    [
        (0.0, ["Due, not sent", "Until first token", "Receiving"]),
        (0.4999, ["Until first token", "Receiving"]),
    ],
)
def test_the_legend_of_the_timeline_lists_what_can_be_seen(due: float, listed: list[str]) -> None:
    spec = drawn("timeline", [candidate([measured(0, send=0.5, ttft=1, e2e=3, t_due=due)])])
    assert spec["layer"][0]["encoding"]["color"]["legend"]["values"] == listed


def test_the_timeline_of_many_shows_300_and_says_so() -> None:
    spec = drawn("timeline", situation("5,000 requests"))
    shown = {row["request"] for row in rows_of(spec, "phases")}
    assert len(shown) == 300
    assert {1, 5000} <= shown
    assert "300 of 5,000 are shown" in subtitle(spec)


def test_over_time_one_repeat_is_drawn_and_named() -> None:
    for name in ("timeline", "in_flight", "throughput"):
        assert "Repeat 1 of 3." in subtitle(drawn(name, situation("two runs")))


@pytest.mark.parametrize("name", ["timeline", "in_flight", "throughput", "ttft_over_time"])
def test_the_time_of_a_repeat_begins_at_0(name: str) -> None:
    late = [measured(n, send=7.4 + n, t_due=7.4 + n) for n in range(40)]
    layers = drawn(name, [candidate(late)])["layer"]
    scales = [layer["encoding"]["x"].get("scale", {}) for layer in layers]
    assert any(scale.get("zero") for scale in scales)


def test_the_thinned_in_flight_chart_keeps_its_peak() -> None:
    (many,) = situation("5,000 requests")
    steps = rows_of(drawn("in_flight", [many]), "steps")
    assert len(steps) <= 500
    assert max(row["value"] for row in steps) == many.summary.peak_in_flight


def test_the_area_of_the_throughput_chart_is_the_number_of_tokens() -> None:
    (single,) = situation("one run")
    steps = rows_of(drawn("throughput", [single]), "steps")
    pairs = pairwise(steps)
    total = sum(a["value"] * (b["seconds"] - a["seconds"]) for a, b in pairs)
    assert total == pytest.approx(single.summary.output_tokens)


def test_a_run_without_streams_is_not_said_to_be_too_small_for_slices() -> None:
    whole = [replace(measured(n, send=float(n)), t_first=None, token_times=()) for n in range(30)]
    over_time = charts.chart("ttft_over_time")
    assert over_time.draw([candidate(whole)]) is None
    assert "whose answers are streamed" in over_time.nothing


def test_throughput_over_time_counts_no_tokens_of_failures() -> None:
    good = [measured(n, send=float(n)) for n in range(4)]
    broken = [replace(measured(n, send=float(n)), status="failed") for n in (4, 5)]
    uncounted = replace(measured(6), status="failed", output_tokens=None)
    chart = drawn("throughput", [candidate([*good, *broken, uncounted])])
    assert rows_of(chart, "steps") == rows_of(drawn("throughput", [candidate(good)]), "steps")
    assert "Left out" not in subtitle(chart)


def test_throughput_never_takes_chunks_for_tokens() -> None:
    half = [measured(0), measured(1, output_tokens=None)]
    assert "Left out: 1 request without a token count." in subtitle(
        drawn("throughput", [candidate(half)])
    )


# comparison


def test_ratios_say_what_is_not_judged() -> None:
    def said(*pauses_s: float) -> str:
        both = enumerate(pauses_s, 1)
        rows = varied(12, repeats=3)
        each = [candidate(rows, run_id=n, mode="sequential", pause_s=s) for n, s in both]
        return subtitle(drawn("ratios", each))

    assert "Not judged, since the client itself waited" in said(0.0, 2.0)
    assert "● inconclusive or not judged" in said(0.0, 2.0)
    assert "judged" not in said(2.0, 2.0)


def test_ratios_have_intervals_from_three_repeats_on() -> None:
    several = drawn("ratios", runs(3, repeats=3))
    assert all(row["low"] < row["high"] for row in rows_of(several, "ratios") if row["interval"])
    assert "95 % intervals" in subtitle(several)
    single = drawn("ratios", runs(2))
    assert not any(row["interval"] for row in rows_of(single, "ratios"))
    assert "too few repeats" in subtitle(single)


def test_a_ratio_beyond_the_axis_is_still_on_it() -> None:
    near, far = [measured(e2e=3)], [measured(e2e=3000)]
    spec = drawn("ratios", [candidate(near, run_id=1), candidate(far, run_id=2)])
    low, high = spec["layer"][-1]["encoding"]["x"]["scale"]["domain"]
    assert all(low < row["ratio"] < high for row in rows_of(spec, "ratios"))


@pytest.mark.parametrize(
    ("ratios", "ends"),
    [
        ([1.0], (0.9, 1.1)),
        ([0.13, 6.4, 7.9], (0.1, 10)),
        ([2.1, 4.0], (0.9, 5)),
        ([0.97, 1.12], (0.9, 1.25)),
    ],
)
def test_the_ticks_of_ratios_enclose_the_dots(
    ratios: list[float], ends: tuple[float, float]
) -> None:
    scale, axis = ratio_scale(ratios)
    ticks = axis["values"]
    low, high = scale["domain"]
    assert (ticks[0], ticks[-1]) == ends
    assert low < ticks[0] <= min(ratios) <= max(ratios) <= ticks[-1] < high
    assert 1 in ticks


def test_a_run_has_the_same_colour_in_every_chart() -> None:
    candidates = situation("eight runs")
    colours: dict[str, set[str]] = {}
    for name in ("tokens_per_s", "ttft", "in_flight", "throughput", "ratios"):
        for layer in drawn(name, candidates)["layer"]:
            scale = layer["encoding"].get("color", {}).get("scale") or {"domain": [], "range": []}
            for label, hue in zip(scale["domain"], scale["range"], strict=True):
                colours.setdefault(label, set()).add(hue)
    assert len(colours) == 8
    assert all(len(hues) == 1 for hues in colours.values())


def seconds(*of_repeats: float, run_id: int = 1, spread: int = 40) -> Candidate:
    """A run with a repeat for each number: its requests take from half to one and a half times so
    long."""
    times = [(spread / 2 + 0.5 + i) / spread for i in range(spread)]
    measurements = [
        measured(i, repeat=repeat, ttft=0.1, e2e=mean * at)
        for repeat, mean in enumerate(of_repeats)
        for i, at in enumerate(times)
    ]
    return candidate(measurements, run_id=run_id, requests=spread)


def test_repeats_are_drawn_with_their_mean_and_its_interval() -> None:
    spec = drawn("repeats", [seconds(1, 2, 4), seconds(2, 4, 8, run_id=2)])
    label = "E2E latency, median ↓"
    dots = [row for row in rows_of(spec, "dots") if row["measure"] == label]
    assert [row["times"] for row in dots] == pytest.approx([0.5, 1, 2, 1, 2, 4])
    assert [row["repeat"] for row in dots] == [1, 2, 3, 1, 2, 3]
    first, second = (row for row in rows_of(spec, "means") if row["measure"] == label)
    assert (first["times"], second["times"]) == pytest.approx((1, 2))
    reach = math.exp(4.302653 * math.log(2) / math.sqrt(3))  # t of 2 degrees; sd = ln 2
    assert (first["low"], first["high"]) == pytest.approx((1 / reach, reach))


def test_two_repeats_have_no_interval() -> None:
    spec = drawn("repeats", [seconds(1, 2), seconds(3, run_id=2)])
    assert all(row["low"] is None for row in rows_of(spec, "means"))
    assert "95 %" not in subtitle(spec)


def test_the_shift_is_constant_if_every_request_is_equally_faster() -> None:
    spec = drawn("quantile_shift", [seconds(2, 2.1, 2.2), seconds(1, 1.05, 1.1, run_id=2)])
    rows = rows_of(spec, "shifts")
    assert [row["quantile"] for row in rows] == pytest.approx([q / 100 for q in range(5, 100, 5)])
    assert [row["times"] for row in rows] == pytest.approx([0.5] * len(rows))
    assert all(row["low"] < 0.5 < row["high"] for row in rows_of(spec, "bands"))


def test_a_shift_rises_where_only_the_slow_requests_are_slower() -> None:
    ours = seconds(2, 2, 2)
    slow = [
        m if m.index < 20 else replace(m, t_last=m.t_last * 2)
        for m in ours.measurements
        if m.t_last
    ]
    spec = drawn("quantile_shift", [ours, candidate(slow, run_id=2, requests=40)])
    times = {row["quantile"]: row["times"] for row in rows_of(spec, "shifts")}
    assert times[0.1] == pytest.approx(1)
    assert times[0.9] == pytest.approx(2)


def test_the_shift_of_interleaved_runs_is_of_pairs() -> None:
    """Both follow the machine from repeat to repeat, so their ratio hardly varies."""
    pair = [seconds(1, 2, 4), seconds(2, 4.1, 7.9, run_id=2)]
    apart = rows_of(drawn("quantile_shift", pair), "bands")[0]
    interleaved = [
        replace(candidate_, run=replace(candidate_.run, comparison_id=7)) for candidate_ in pair
    ]
    together = rows_of(drawn("quantile_shift", interleaved), "bands")[0]
    assert together["times"] == pytest.approx(apart["times"])
    assert together["high"] / together["low"] < 1.2 < apart["high"] / apart["low"]


def test_few_requests_have_no_quantiles_to_compare() -> None:
    few = [seconds(1, 2, 3, spread=19), seconds(1, 2, 3, run_id=2, spread=19)]
    assert charts.chart("quantile_shift").draw(few) is None


def test_a_dot_of_the_trade_off_is_where_the_table_says() -> None:
    uneven = [measured(n, repeat=0, e2e=float(n + 2)) for n in range(6)]
    uneven += [measured(0, repeat=2, e2e=9.0), failed(0, repeat=1)]
    run = candidate(uneven)
    first, _ = rows_of(drawn("trade_off", [run, candidate(uneven, run_id=2)]), "dots")
    row = summary_row(run.summary)
    assert (first["x"], first["y"]) == (row["tokens_per_s_median"], row["output_tokens_per_s"])


def test_the_trade_off_has_a_dot_a_run_and_one_a_repeat() -> None:
    spec = drawn("trade_off", [seconds(2, 4), seconds(1, 1, run_id=2)])
    small = [(row["run"], row["repeat"]) for row in rows_of(spec, "small")]
    assert small == [("Run 1", 1), ("Run 1", 2), ("Run 2", 1), ("Run 2", 2)]
    first, second = rows_of(spec, "dots")
    assert (first["x"], second["x"]) == pytest.approx(((2.5 + 1.25) / 2, 5.0), rel=0.01)
    assert first["y"] == pytest.approx(seconds(2, 4).summary.output_tokens_per_s)


def test_one_repeat_each_is_drawn_once() -> None:
    assert "small" not in drawn("trade_off", [seconds(2), seconds(1, run_id=2)])["datasets"]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["concurrency", "trade_off"])
def test_lines_do_not_show_inside_rings(name: str, dark: bool) -> None:
    found = [layer["mark"] for layer in drawn(name, situation("two runs"), dark)["layer"]]
    rings = [mark["fill"] for mark in found if mark["type"] == "point"]
    assert rings == [theme.palette(dark).paper]


def at_once(count: int, run_id: int, **config: Any) -> Candidate:
    return candidate([measured(i) for i in range(count)], run_id=run_id, requests=16, **config)


def test_a_sweep_is_joined_in_the_order_of_its_load() -> None:
    sweep = [at_once(8, 1, concurrency=8), at_once(2, 2, concurrency=2), at_once(4, 3)]
    spec = drawn("concurrency", [*sweep, at_once(4, 4, model="another")])
    points = {(row["in_flight"], row["run"], row["sweep"]) for row in rows_of(spec, "points")}
    assert points == {(2, "Run 2", "Run 2"), (4, "Run 3", "Run 2"), (8, "Run 1", "Run 2")}
    assert "no other run matches it: Run 4" in subtitle(spec)


def test_without_a_sweep_there_is_no_curve_of_concurrency() -> None:
    alike, others = [at_once(4, 1), at_once(4, 2)], [at_once(4, 1), at_once(8, 2, max_tokens=9)]
    assert charts.chart("concurrency").draw(alike) is None
    assert charts.chart("concurrency").draw(others) is None


def test_the_cost_chart_shows_only_runs_with_a_price() -> None:
    price = Price(0.0, 2e-6, "a list")
    dear = candidate([measured()], price, run_id=1)
    spec = drawn("cost", [dear, candidate([measured()], run_id=2)])
    assert [(row["run"], row["x"]) for row in rows_of(spec, "dots")] == [
        ("Run 1", pytest.approx(2))
    ]
    assert "because it has no price: Run 2." in subtitle(spec)


# theme


@pytest.mark.parametrize("dark", [False, True])
def test_a_run_keeps_its_colour_beside_any_other(dark: bool) -> None:
    alone = theme.colour_of(12, [12], dark)
    assert theme.colour_of(12, [15, 12, 3], dark) == alone
    assert theme.colour_of(12, [], dark) == alone
    assert theme.colour_of(12, [12, 20], dark) == alone


@pytest.mark.parametrize(
    "ids", [range(1, 9), (8, 16, 24, 32, 40, 48, 56, 64), (1, 9, 2, 10, 3), (7, 15, 8, 16)]
)
def test_up_to_eight_runs_have_eight_colours_in_any_order(ids: Sequence[int]) -> None:
    places = theme.positions(ids)
    assert len(set(places.values())) == len(ids)
    assert theme.positions(list(reversed(ids))) == places


def test_on_a_clash_only_the_later_run_moves() -> None:
    assert theme.positions([9, 1, 2]) == {1: 0, 2: 1, 9: 2}


def test_a_ninth_run_repeats_a_colour() -> None:
    assert theme.colour(8) == theme.colour(0)
    assert len(theme.positions(range(1, 20))) == 19


# live and schedule


def progress(count: int) -> list[Progress]:
    return [Progress(t / 2, 0, t, min(t, 8), t // 2, 0, t * 10) for t in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 299, 5000])
@pytest.mark.parametrize("dark", [False, True])
def test_the_live_chart_is_valid_and_small(count: int, dark: bool) -> None:
    spec = charts.live_spec(progress(count), dark)
    alt.LayerChart.from_dict(spec)
    points = spec["datasets"]["rows"]
    assert len(points) == min(count, 300)
    if count:
        assert points[-1]["seconds"] == (count - 1) / 2


def test_the_live_rate_is_that_of_the_last_five_seconds() -> None:
    slow_then_fast = [Progress(t, 0, 1, 1, 0, 0, max(0, t - 10) * 7) for t in range(21)]
    rates = [point["rate"] for point in charts.live_spec(slow_then_fast)["datasets"]["rows"]]
    assert rates[10] == 0
    assert rates[20] == 7


def test_the_live_rate_is_never_negative() -> None:
    corrected = [Progress(1, 0, 1, 1, 0, 0, 50), Progress(9, 0, 1, 0, 1, 0, 40)]
    assert charts.live_spec(corrected)["datasets"]["rows"][-1]["rate"] == 0


@pytest.mark.parametrize(("count", "title"), [(5, "Request"), (90, "Request, the first 60 of 90")])
def test_the_schedule_shows_60_requests_and_says_of_how_many(count: int, title: str) -> None:
    spec = charts.schedule_spec([(i, i * 0.1, i * 0.1 + 1) for i in range(count)])
    alt.LayerChart.from_dict(spec)
    assert len(spec["datasets"]["rows"]) == min(count, 60)
    assert spec["layer"][0]["encoding"]["y"]["title"] == title
    assert spec["height"] <= 180


@pytest.mark.parametrize(("count", "answer_s"), [(1, 1.0), (7, 0.0), (5000, 3.0)])
def test_the_chart_of_arrivals_has_every_request_once(count: int, answer_s: float) -> None:
    starts = [(i / count) ** 2 * 60 for i in range(count)]
    bars = [(i, start, start + answer_s) for i, start in enumerate(starts)]
    spec = charts.arrivals_spec(bars)
    alt.LayerChart.from_dict(spec)
    rows = spec["datasets"]["rows"]
    sent = sum(row["rate"] * (row["until"] - row["seconds"]) for row in rows)
    assert sent == pytest.approx(count)
    assert rows[-1]["in_flight"] == sum(end >= rows[-1]["until"] for _, _, end in bars)


def test_long_names_beside_an_axis_take_several_lines_on_a_phone() -> None:
    layers = drawn("ratios", runs(3))["layer"]
    (label,) = {
        layer["encoding"]["y"]["axis"]["labelExpr"]
        for layer in layers
        if "axis" in layer["encoding"].get("y", {})
    }
    lines = json.loads(label[label.index("{") : label.index("}") + 1])
    assert lines["Tokens/s per request, median ↑"] == ["Tokens/s per", "request, median\xa0↑"]
    assert max(len(line) for each in lines.values() for line in each) <= 17


def test_a_chart_with_two_axes_says_which_mark_belongs_to_which() -> None:
    for spec in (charts.live_spec(progress(3)), charts.arrivals_spec([(0, 0.0, 1.0)])):
        for layer in spec["layer"]:
            assert f"({layer['mark']['type']}" in layer["encoding"]["y"]["axis"]["title"]


@pytest.mark.parametrize("name", ["ttft", "e2e"])
def test_a_mix_has_a_line_for_each_class_of_its_requests(name: str) -> None:
    first, second = mixes(24, lost=7)
    spec = drawn(name, [first])
    lines = Counter(row["kind"] for row in rows_of(spec, "steps"))
    assert lines == {"short": 12 - 2 + 1, "long": 12 - 2 + 1}  # 0, 7, 14 and 21 failed
    assert "(Run 1 short: 2 of 12; Run 1 long: 2 of 12)" in subtitle(spec)
    beside = drawn(name, [first, second, *runs(3)[2:]])
    kinds = {(row["run"], row["kind"]) for row in rows_of(beside, "steps")}
    assert len(kinds) == 5 and ("Run 3", "") in kinds
    assert "strokeDash" not in drawn(name, runs(2))["layer"][0]["encoding"]


def test_the_timeline_marks_the_long_requests_of_a_mix() -> None:
    (mixed_run, _) = mixes(24)
    spec = drawn("timeline", [mixed_run])
    assert [row["y"] for row in rows_of(spec, "long")] == list(range(2, 25, 2))
    assert "riangles mark long requests" in subtitle(spec)
    assert "long" not in drawn("timeline", runs(1))["datasets"]


def test_a_dot_shows_better_or_worse_by_colour_shape_and_word() -> None:
    faster = [replace(m, t_last=m.t_send + 1.0) for m in varied(30, repeats=3) if m.t_send]
    pair = [candidate(varied(30, repeats=3), run_id=1), candidate(faster, run_id=2)]
    spec = drawn("ratios", pair)
    by_metric = {row["metric"]: row for row in rows_of(spec, "ratios")}
    assert by_metric["E2E latency, median ↓"]["mark"] == "better"
    assert by_metric["Output tokens per request"]["mark"] == "equivalent"
    assert re.fullmatch(r"0\.\d\d× \(0\.\d\d–0\.\d\d\)", by_metric["E2E latency, median ↓"]["text"])
    assert "▲ better" in subtitle(spec)
    dots = next(layer for layer in spec["layer"] if "shape" in layer["encoding"])
    encoding = dots["encoding"]
    assert encoding["shape"]["field"] == encoding["color"]["field"] == "mark"
    assert len(set(encoding["color"]["scale"]["range"])) == 4
    of_three = drawn("ratios", [*pair, candidate(varied(30, repeats=3), run_id=3)])
    dots = next(layer for layer in of_three["layer"] if "shape" in layer["encoding"])
    assert dots["encoding"]["color"]["field"] == "run", "which run it is, as in the other charts"


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("meaning", ["better", "worse", "equivalent", "inconclusive"])
def test_marks_have_enough_contrast(meaning: str, dark: bool) -> None:
    look = theme.palette(dark)
    low, high = sorted(map(luminance, (getattr(look, meaning), look.paper)))
    assert (high + 0.05) / (low + 0.05) >= 4.5  # WCAG 1.4.3: files write words in them, too


def test_a_long_label_takes_two_lines_in_the_legend_of_a_phone() -> None:
    long = "Llama-3.1-8B-Instruct-quantized.w4a16"
    pair = [
        replace(candidate(varied(30, repeats=3), run_id=n), label=label)
        for n, label in enumerate(('a "quoted" label', long), 1)
    ]
    spec = drawn("repeats", pair)
    legends = [layer["encoding"].get("color", {}).get("legend") for layer in spec["layer"]]
    (said,) = {legend["labelExpr"] for legend in legends if legend}
    assert '["Llama-3.1-8B-Instruct-", "quantized.w4a16"]' in said
    chart = charts.chart("repeats").draw(pair)
    assert chart is not None and f">{long}<".encode() in charts.svg(chart), "that is wide enough"


@pytest.mark.parametrize(
    ("mebibytes", "end"), [(230, "240 MiB"), (900, "1 GiB"), (1100, "1.20 GiB")]
)
def test_the_scale_of_memory_ends_at_a_round_number(mebibytes: float, end: str) -> None:
    memory = [Sample(float(at), {"memory_bytes": mebibytes * 1024**2}) for at in range(3)]
    spec = charts.live_engine(memory, 5.0)
    assert spec is not None and f"'{end}'" in json.dumps(spec)
