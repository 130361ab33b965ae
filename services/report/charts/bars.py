"""Tokens per second of every request as bars, for one run or several."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, Literal

import altair as alt
import numpy as np
from numpy.typing import NDArray

from services.analysis.compare import Candidate
from services.analysis.metric_arrays import known, metric_array
from services.ask.measurements import Floats
from services.base.units import significant
from services.report import theme
from services.report.charts import histogram
from services.report.charts.frame import (
    Lanes,
    Mirror,
    Rows,
    heading,
    layer_chart,
    names,
    round_up,
    run_colour,
)
from services.report.theme import request_numbers

Rate = Literal["tokens_per_s", "decode_tokens_per_s"]

BESIDE_THEM = "Right: how many requests had each rate."
MAX_BARS = 200  # of a run; with more requests, a bar is a group of them
FAILED_AT = 0.06  # of the scale: height of a cross, clear of the zero line

TITLES: dict[Rate, str] = {
    "tokens_per_s": "Tokens per second of each request",
    "decode_tokens_per_s": "Decode tokens per second of each request",
}
MEANINGS: dict[Rate, str] = {
    "tokens_per_s": "Output tokens over the whole time from sending to the last token.",
    "decode_tokens_per_s": "Output tokens after the first, over the time they took.",
}


def tokens_per_s(
    candidates: Sequence[Candidate], dark: bool = False, rate: Rate = "tokens_per_s"
) -> alt.LayerChart | None:
    """Draw the rate of each request, or medians of 200 groups if a run has more requests."""
    groups = [_groups(candidate, rate) for candidate in candidates]
    highest = max((row["high"] for rows in groups for row in rows if row["answers"]), default=0.0)
    if not highest:
        return None
    lanes = _lanes(len(candidates), round_up(highest))
    datasets: dict[str, Rows] = {"bars": [], "ranges": [], "failed": []}
    datasets["bins"] = _bins(candidates, rate, lanes)
    for lane, (candidate, rows) in enumerate(zip(candidates, groups, strict=True)):
        label = candidate.label
        for row in rows:
            _add_row(datasets, {"run": label, **row}, lanes, lane)
    beside = bool(datasets["bins"])
    layers = _layers(candidates, dark, lanes, beside) + _labels(candidates, dark, lanes, rate)
    layers += [histogram.layer(dark)]
    sentences = [*_subtitle(candidates, rate), BESIDE_THEM * beside]
    return layer_chart(layers, heading(TITLES[rate], *sentences), lanes.height, datasets)


def _bins(candidates: Sequence[Candidate], rate: Rate, lanes: Lanes | Mirror) -> Rows:
    """The histogram of one run; empty for several, whose names are in its place."""
    if len(candidates) > 1:
        return []
    rows = histogram.bins(_values(candidates[0], rate), lanes.top, _last(candidates))
    return [row | {end: lanes.y_of(0, row[end]) for end in ("y", "y2")} for row in rows]


def _lanes(count: int, top: float) -> Lanes | Mirror:
    return Mirror(top) if count == 2 else Lanes(count, top)


def _group_size(candidate: Candidate) -> int:
    return -(-len(candidate.measurements) // MAX_BARS)


def _groups(candidate: Candidate, rate: Rate) -> Rows:
    """Return a row for each request, or for each of up to 200 groups of consecutive requests."""
    size = max(_group_size(candidate), 1)
    table = candidate.table
    order = np.lexsort((table.numbers("index"), table.numbers("repeat")))
    numbers = request_numbers(candidate)[order]
    rates, failed = _rates(candidate, rate)[order], table.are("failed")[order]
    slices = (slice(start, start + size) for start in range(0, len(order), size))
    return [_group(numbers[at], rates[at], int(failed[at].sum())) for at in slices]


def _group(numbers: NDArray[np.int64], rates: Floats, failed: int) -> dict[str, Any]:
    """The row of one request or of several consecutive ones."""
    first, last = int(numbers[0]), int(numbers[-1])
    alone, values = len(numbers) == 1, known(rates)
    row: dict[str, Any] = {
        "requests": str(first) if alone else f"{first}–{last}",
        "from": first - 0.42 if alone else first - 0.5,
        "to": last + 0.42 if alone else last + 0.5,
        "middle": (first + last) / 2,
        "answers": len(values),
        "failed": failed,
        "opens": int(numbers[_slowest(rates)]),
    }
    if len(values):
        ends = {"low": float(values.min()), "high": float(values.max())}
        row |= {"rate": float(np.median(values)), **ends}
    return row


def _slowest(rates: Floats) -> int:
    """The request to open when a bar is clicked: the slowest, or the first without an answer."""
    return int(np.argmin(np.where(np.isnan(rates), inf, rates)))


def _add_row(
    datasets: dict[str, Rows], row: dict[str, Any], lanes: Lanes | Mirror, lane: int
) -> None:
    base = lanes.y_of(lane, 0)
    if row["answers"]:
        bar = {**row, "base": base, "y": lanes.y_of(lane, row["rate"])}
        datasets["bars"].append(bar)
        if row["answers"] > 1:
            ends = {"y": lanes.y_of(lane, row["low"]), "y2": lanes.y_of(lane, row["high"])}
            datasets["ranges"].append({**row, **ends})
    if row["failed"]:
        datasets["failed"].append({**row, "y": lanes.y_of(lane, FAILED_AT * lanes.top)})


def _layers(
    candidates: Sequence[Candidate], dark: bool, lanes: Lanes | Mirror, beside: bool
) -> list[alt.Chart]:
    title = "Output tokens per second" + ("" if lanes.count == 1 else ", one scale for all")
    y = lanes.axis(title)
    grouped = any(_group_size(candidate) > 1 for candidate in candidates)
    x = _request_axis(candidates, beside)
    about = [alt.Tooltip("run:N", title="Run"), alt.Tooltip("requests:N", title="Request")]
    tooltip = [
        *about,
        alt.Tooltip("rate:Q", title="Median tokens/s" if grouped else "Tokens/s", format=",.1f"),
        *([alt.Tooltip("low:Q", title="Lowest", format=",.1f")] if grouped else []),
        *([alt.Tooltip("high:Q", title="Highest", format=",.1f")] if grouped else []),
    ]
    colour = run_colour(candidates, dark, listed=())
    look = theme.palette(dark)
    bars = alt.Chart(alt.NamedData("bars")).mark_bar()
    ranges = alt.Chart(alt.NamedData("ranges")).mark_rule(color=look.ink, opacity=0.45)
    failed = alt.Chart(alt.NamedData("failed")).mark_text(
        text="×", color=look.failed, fontSize=15, fontWeight=700
    )
    zero = alt.Chart(alt.InlineData(values=[{"y": 0}])).mark_rule(color=look.ink)
    return [
        *([zero.encode(y=alt.Y("y:Q"))] if lanes.count == 2 else []),
        bars.encode(x=x, x2=alt.X2("to"), y=y, y2=alt.Y2("base"), color=colour, tooltip=tooltip),
        ranges.encode(x=alt.X("middle:Q"), y=alt.Y("y:Q"), y2=alt.Y2("y2")),
        failed.encode(
            x=alt.X("middle:Q"),
            y=alt.Y("y:Q"),
            tooltip=[*about, alt.Tooltip("failed:Q", title="Failed")],
        ),
    ]


def _last(candidates: Sequence[Candidate]) -> int:
    return max(int(request_numbers(candidate).max(initial=0)) for candidate in candidates)


def _request_axis(candidates: Sequence[Candidate], beside: bool) -> alt.X:
    """The axis of the requests; the histogram beside them has no numbers of its own."""
    most = _last(candidates)
    room = most * (histogram.GAP + histogram.WIDE) if beside else 0
    axis: dict[str, Any] = {"labelExpr": f"datum.value > {most} ? '' : datum.label", "ticks": False}
    return alt.X(
        "from:Q",
        title="Request number",
        scale=alt.Scale(domain=[0.5, most + 0.5 + room], nice=False),
        axis=alt.Axis(format=",d", tickMinStep=1, **(axis if beside else {})),
    )


def _labels(
    candidates: Sequence[Candidate], dark: bool, lanes: Lanes | Mirror, rate: Rate
) -> list[alt.Chart]:
    if lanes.count == 1:
        return []
    texts = []
    for candidate in candidates:
        values = _values(candidate, rate)
        middle = f"median {np.median(values):,.1f}" if len(values) else "no answer"
        texts.append(f"{candidate.label}: {middle}")
    heights = [lanes.name_y(lane) for lane in range(lanes.count)]
    return names(candidates, dark, heights, texts)


def _values(candidate: Candidate, rate: Rate) -> Floats:
    return known(_rates(candidate, rate))


def _rates(candidate: Candidate, rate: Rate) -> Floats:
    """The rate of each success, as in the tables; NaN for all other requests, though one that broke
    off has a decode rate."""
    table = candidate.table
    return np.where(table.are("ok"), metric_array(table, rate), np.nan)


def _subtitle(candidates: Sequence[Candidate], rate: Rate) -> list[str]:
    sentences = [MEANINGS[rate]]
    if len(candidates) == 2:
        sentences.append("The first run points up and the second down, on the same scale.")
    if len(candidates) == 1:
        values = _values(candidates[0], rate)
        sentences.append(f"Median {significant(float(np.median(values)))}.")
    largest = max(map(_group_size, candidates))
    if any(len(candidate.summary.repeats) > 1 for candidate in candidates):
        sentences.append("Requests are numbered through all repeats.")
    if largest > 1:
        up_to = "" if len(candidates) == 1 else "up to "
        sentences.append(
            f"Each bar is the median of {up_to}{largest} consecutive requests; its line spans the "
            "slowest to the fastest."
        )
    if any(candidate.table.are("failed").any() for candidate in candidates):
        sentences.append("A red × is a failed request.")
    return sentences
