"""Latency over time: the median and the 95th percentile of TTFT in equal slices of a repeat, so
that warm-up, drift and drain show."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from services.analysis.compare import Candidate
from services.analysis.slices import Slice, slices
from services.report.charts.frame import Rows, heading, layer_chart, repeat_note, run_colour

LINES = (("ttft_s_median", "median", [1, 0]), ("ttft_s_p95", "p95", [5, 4]))


def latency_over_time(
    candidates: Sequence[Candidate], dark: bool = False, repeat: int = 0
) -> alt.LayerChart | None:
    """Draw TTFT by time slice, in one repeat of each run; the steady window of one run shaded."""
    cuts = {candidate.label: _slices(candidate, repeat) for candidate in candidates}
    rows = [row for run, cut in cuts.items() for each in cut for row in _rows(run, each)]
    if not rows:
        return None
    window = _window(candidates, repeat)
    sentences = (
        f"Of the successes sent in each of {max(map(len, cuts.values()))} equal slices of time.",
        "Shaded: the steady window." if window else "",
        repeat_note(candidates, repeat),
    )
    title = heading("TTFT over time", *sentences)
    return layer_chart(_layers(candidates, dark), title, 260, {"slices": rows, "window": window})


def _slices(candidate: Candidate, repeat: int) -> tuple[Slice, ...]:
    table = candidate.table
    return slices(table.where(table.numbers("repeat") == repeat))


def _rows(run: str, each: Slice) -> Rows:
    statistics = [(getattr(each, name), name, label) for name, label, _ in LINES]
    about = {
        "run": run,
        "from": each.from_s,
        "to": each.to_s,
        "middle": (each.from_s + each.to_s) / 2,
        "sent": each.sent_per_s,
        "in_flight": each.in_flight,
        "failed": each.failed,
    }
    return [
        about | {"statistic": label, "seconds": value}
        for value, _, label in statistics
        if value is not None
    ]


def _window(candidates: Sequence[Candidate], repeat: int) -> Rows:
    steady = candidates[0].summary.steady if len(candidates) == 1 else None
    windows = steady.windows if steady else ()
    return [{"from": w.from_s, "to": w.to_s} for w in windows if w.repeat == repeat]


def _layers(candidates: Sequence[Candidate], dark: bool) -> list[alt.Chart]:
    scale = alt.Scale(nice=False, zero=True)
    x = alt.X("middle:Q", title="Time since the repeat began (s)", scale=scale)
    y = alt.Y("seconds:Q", title="TTFT (s)", axis=alt.Axis(format=",.3~r"))
    dash = alt.StrokeDash(
        "statistic:N",
        scale=alt.Scale(
            domain=[label for _, label, _ in LINES], range=[dash for _, _, dash in LINES]
        ),
        legend=alt.Legend(
            title=None, orient="bottom", symbolSize=800, symbolStrokeWidth=2, columns=2
        ),
    )
    tooltip = [
        alt.Tooltip("run:N", title="Run"),
        alt.Tooltip("statistic:N", title="TTFT"),
        alt.Tooltip("seconds:Q", title="TTFT (s)", format=",.4~r"),
        alt.Tooltip("from:Q", title="From (s)", format=",.4~r"),
        alt.Tooltip("to:Q", title="To (s)", format=",.4~r"),
        alt.Tooltip("sent:Q", title="Sent per second", format=",.4~r"),
        alt.Tooltip("in_flight:Q", title="In flight", format=",.3~r"),
        alt.Tooltip("failed:Q", title="Failed", format=",d"),
    ]
    data = alt.Chart(alt.NamedData("slices"))
    colour = run_colour(candidates, dark)
    shade = alt.Chart(alt.NamedData("window")).mark_rect(opacity=0.1)
    return [
        shade.encode(x=alt.X("from:Q", scale=scale), x2=alt.X2("to")),
        data.mark_line().encode(x=x, y=y, color=colour, strokeDash=dash),
        data.mark_circle(size=40, opacity=1).encode(x=x, y=y, color=colour, tooltip=tooltip),
    ]
