"""The timeline: every request as a bar of up to three colours: waiting to be sent, waiting for its
first token, and receiving."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np

from services.analysis.compare import Candidate
from services.ask.measurement import Measurement
from services.ask.measurements import Floats, Measurements
from services.ask.workloads import classifier
from services.ask.workloads.mixed import LONG
from services.base.units import significant
from services.report import theme
from services.report.charts.frame import (
    Rows,
    even_indices,
    heading,
    layer_chart,
    names,
    repeat_note,
)
from services.report.theme import request_number

MAX_ROWS = 300  # of all runs together
FEWEST_ROWS = 40  # of each run
GAP = 0.12  # between two runs, as a share of the rows: room for a run's name
VISIBLE = 0.002  # share of the time shown: about a pixel; the legend leaves out shorter phases

PHASES = ("Due, not sent", "Until first token", "Receiving")


Window = tuple[float, float]  # seconds since the repeat began


def timeline(
    candidates: Sequence[Candidate],
    dark: bool = False,
    repeat: int = 0,
    window: Window | None = None,
) -> alt.LayerChart | None:
    """Draw the requests of one repeat from when they were due to their end, the first on top. With
    a `window` (seconds), only the requests that were in flight in it, so that more of them fit."""
    by_candidate = [_rows(candidate, repeat, len(candidates), window) for candidate in candidates]
    longest = max(map(len, by_candidate))
    if not longest:
        return None
    gap = max(2.0, GAP * longest * len(by_candidate)) if len(by_candidate) > 1 else 0.0
    datasets: dict[str, Rows] = {"phases": [], "ends": [], "long": []}
    tops, top = [], 0.0
    for candidate, measurements in zip(candidates, by_candidate, strict=True):
        class_of = classifier(candidate.run.config)
        top += gap
        tops.append(top)
        for row, m in enumerate(measurements):
            alone = len(by_candidate) == 1
            y = float(request_number(candidate, m)) if alone else top + row + 0.5
            _add_request(datasets, candidate.label, request_number(candidate, m), y, m)
            if class_of(m.index) == LONG:
                datasets["long"].append({"y": y, "start": m.t_due})
        top += len(measurements)
    height = int(
        min(max(sum(map(len, by_candidate)) * 11, 110), 380)
        + (len(by_candidate) > 1) * 30 * len(by_candidate)
    )
    y_axis = _y_axis(candidates, by_candidate, top)
    layers = _layers(
        dark, height / max(top, 1), y_axis, window, _visible(datasets["phases"], window)
    )
    if len(by_candidate) > 1:
        texts = [candidate.label for candidate in candidates]
        layers += names(candidates, dark, tops, texts)
    title = heading("Timeline", *_subtitle(candidates, repeat, window))
    return layer_chart(layers, title, height, datasets)


def end_of(candidate: Candidate, repeat: int) -> float:
    """Return when the last request of a repeat ended, in seconds since the repeat began."""
    return float(_ends(_sent(candidate, repeat, None)).max(initial=0.0))


def _rows(candidate: Candidate, repeat: int, runs: int, window: Window | None) -> Measurements:
    sent = _sent(candidate, repeat, window)
    order = np.argsort(sent.numbers("index"), kind="stable")
    most = max(FEWEST_ROWS, MAX_ROWS // runs)
    return sent.at(order[np.array(even_indices(len(sent), most), dtype=np.intp)])


def _sent(candidate: Candidate, repeat: int, window: Window | None) -> Measurements:
    table = candidate.table
    at = table.numbers("t_send")
    shown = (table.numbers("repeat") == repeat) & ~np.isnan(at)
    if window is not None:
        shown &= (_ends(table) >= window[0]) & (at <= window[1])
    return table.where(shown)


def _ends(table: Measurements) -> Floats:
    """When each request ended; NaN if it was not sent."""
    ends = table.numbers("t_send")
    for name in ("t_first", "t_last", "t_end"):
        ends = np.fmax(ends, table.numbers(name))
    return ends


def _end(m: Measurement) -> float:
    return max(at for at in (m.t_send, m.t_first, m.t_last, m.t_end) if at is not None)


def _add_request(
    datasets: dict[str, Rows], run: str, request: int, y: float, m: Measurement
) -> None:
    end = _end(m)
    times = (m.t_due, m.t_send, m.t_first if m.t_first is not None else end, end)
    common = {"run": run, "request": request, "y": y, "status": m.status}
    for phase, start, stop in zip(PHASES, times, times[1:], strict=False):
        if start is not None and stop is not None and stop > start:
            row = {"phase": phase, "start": start, "stop": stop, "seconds": stop - start}
            datasets["phases"].append(common | row)
    if m.status != "ok":
        why = m.error_class or m.status
        datasets["ends"].append(common | {"start": end, "why": why})


def _visible(bars: Rows, window: Window | None) -> list[str]:
    """Return the phases that can be seen in the window: those with a bar that is no hairline."""
    from_s, to_s = window or (0.0, max((bar["stop"] for bar in bars), default=0.0))
    seen = {
        bar["phase"]
        for bar in bars
        if min(bar["stop"], to_s) - max(bar["start"], from_s) >= VISIBLE * (to_s - from_s)
    }
    return [phase for phase in PHASES if phase in seen]


def _y_axis(
    candidates: Sequence[Candidate], shown: Sequence[Sequence[Measurement]], bottom: float
) -> alt.Y:
    """Return the axis: numbers of requests for one run, none for several below each other."""
    if len(shown) > 1:
        scale = alt.Scale(domain=[0, bottom], reverse=True, nice=False)
        axis = alt.Axis(labels=False, grid=False)
        return alt.Y("y:Q", title="Requests, first on top", axis=axis, scale=scale)
    first, last = (request_number(candidates[0], shown[0][end]) for end in (0, -1))
    scale = alt.Scale(domain=[first - 0.6, last + 0.6], reverse=True, nice=False)
    axis = alt.Axis(format=",d", tickMinStep=1, grid=False)
    return alt.Y("y:Q", title="Request number", axis=axis, scale=scale)


def _layers(
    dark: bool, row_height: float, y: alt.Y, window: Window | None, listed: Sequence[str]
) -> list[alt.Chart]:
    look = theme.palette(dark)
    clip = window is not None  # a mark outside would be drawn beside the chart
    scale = alt.Scale(nice=False, **({"domain": list(window)} if window else {"zero": True}))
    x = alt.X("start:Q", title="Time since the repeat began (s)", scale=scale)
    colour = alt.Color(
        "phase:N",
        scale=alt.Scale(domain=list(PHASES), range=[look.queued, look.prefill, look.decode]),
        legend=alt.Legend(columns=3, values=list(listed)),
    )
    thin = row_height * 0.75 < 1  # so many requests that a row is lower than one pixel
    phases = alt.Chart(alt.NamedData("phases")).mark_rule(
        strokeWidth=2 if thin else min(row_height * 0.75, 9),
        strokeCap="square" if thin else "butt",
        clip=clip,
    )
    ends = alt.Chart(alt.NamedData("ends")).mark_text(
        text="×", fontSize=14, fontWeight=700, align="center", baseline="middle", clip=clip
    )
    long = alt.Chart(alt.NamedData("long")).mark_point(
        shape="triangle-right", filled=True, opacity=1, color=look.ink, size=40, clip=clip
    )
    end_colour = alt.condition(
        "datum.status === 'failed'", alt.value(look.failed), alt.value(look.muted)
    )
    return [
        phases.encode(x=x, x2=alt.X2("stop"), y=y, color=colour, tooltip=PHASE_TOOLTIP),
        long.encode(x=x, y=y),
        ends.encode(x=x, y=y, color=end_colour, tooltip=END_TOOLTIP),
    ]


def _subtitle(candidates: Sequence[Candidate], repeat: int, window: Window | None) -> list[str]:
    sentences = ["Each bar is a request."]
    if window is not None:
        low, high = map(significant, window)
        sentences.append(f"Those in flight from {low} to {high} s.")
    sent = [_sent(candidate, repeat, window) for candidate in candidates]
    shown = [len(_rows(candidate, repeat, len(candidates), window)) for candidate in candidates]
    total = sum(map(len, sent))
    if total > sum(shown):
        sentences.append(f"{sum(shown):,} of {total:,} are shown, evenly sampled.")
    if any(candidate.classes for candidate in candidates):
        sentences.append("Triangles mark long requests.")
    if any(each.are("failed").any() for each in sent):
        sentences.append("A red × marks a failure.")
    if any(each.are("cancelled").any() for each in sent):
        sentences.append("A gray × marks a cancellation.")
    if any(np.any(each.numbers("attempts") > 1) for each in sent):
        sentences.append("A request sent more than once is gray until its last attempt.")
    sentences.append(repeat_note(candidates, repeat))
    return sentences


COMMON_TOOLTIP = (
    alt.Tooltip("run:N", title="Run"),
    alt.Tooltip("request:Q", title="Request", format=",d"),
)
PHASE_TOOLTIP = [
    *COMMON_TOOLTIP,
    alt.Tooltip("phase:N", title="Phase"),
    alt.Tooltip("seconds:Q", title="Duration (s)", format=",.3f"),
    alt.Tooltip("start:Q", title="Start (s)", format=",.3f"),
]
END_TOOLTIP = [*COMMON_TOOLTIP, alt.Tooltip("why:N", title="Ended")]
