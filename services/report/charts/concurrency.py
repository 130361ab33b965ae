"""Latency against load: a line joins runs that differ only in how many requests were in flight.

More requests at a time give more throughput until the server is saturated, and after that only more
waiting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from services.analysis.compare import Candidate
from services.report import theme
from services.report.charts.frame import Rows, heading, hollow, layer_chart, roomy_scale, run_colour

SAME = (  # config fields that are the same for all runs of a line
    "backend",
    "base_url",
    "model",
    "client",
    "workload",
    "prompt",
    "prompts",
    "text_style",
    "prefix_share",
    "prefix_count",
    "prefix_system_tokens",
    "input_tokens",
    "input_distribution",
    "input_spread",
    "long_input_tokens",
    "long_every",
    "long_max_tokens",
    "unique_prompts",
    "turns",
    "turn_by_turn",
    "history",
    "turn_delay_s",
    "turn_delay_scale",
    "max_tokens",
    "min_tokens",
    "output_distribution",
    "output_spread",
    "sent_temperature",
    "sent_top_p",
    "ignore_eos",
    "dialect",
    "omit",
    "extra_body",
    "headers",
)
MEASURES = {"e2e_s": "E2E latency, median", "ttft_s": "TTFT, median"}


def concurrency(candidates: Sequence[Candidate], dark: bool = False) -> alt.LayerChart | None:
    """Draw median latencies against the peak of requests in flight. None if no two runs differ only
    in their load."""
    sweeps = _sweeps(candidates)
    rows = [row for sweep in sweeps for candidate in sweep for row in _rows(sweep[0], candidate)]
    if not rows:
        return None
    alone = [c for c in candidates if all(c not in sweep for sweep in sweeps)]
    left_out = ", ".join(c.label for c in alone)
    title = heading(
        "Latency against concurrency",
        "A line joins runs that differ only in load.",
        f"Not shown, because no other run matches it: {left_out}." if alone else "",
    )
    shown = [candidate for sweep in sweeps for candidate in sweep]
    layers = _layers(candidates, shown, sweeps, dark, rows)
    return layer_chart(layers, title, 300, {"points": rows})


def _sweeps(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Return groups of runs that differ only in their load, lowest load first."""
    groups: dict[str, list[Candidate]] = {}
    for candidate in filter(_in_flight, candidates):
        same = {name: getattr(candidate.run.config, name) for name in SAME}
        groups.setdefault(repr(same), []).append(candidate)
    ordered = [sorted(group, key=_in_flight) for group in groups.values()]
    return [group for group in ordered if len(set(map(_in_flight, group))) > 1]


def _in_flight(candidate: Candidate) -> int:
    return candidate.summary.peak_in_flight or 0


def _rows(first: Candidate, candidate: Candidate) -> list[dict[str, Any]]:
    distributions = {name: candidate.summary.distributions[name] for name in MEASURES}
    return [
        {
            "run": candidate.label,
            "sweep": first.label,
            "measure": MEASURES[name],
            "in_flight": _in_flight(candidate),
            "seconds": distribution.median,
        }
        for name, distribution in distributions.items()
        if distribution is not None
    ]


def _layers(
    candidates: Sequence[Candidate],
    shown: Sequence[Candidate],
    sweeps: Sequence[Sequence[Candidate]],
    dark: bool,
    rows: Rows,
) -> list[alt.Chart]:
    x = _load_axis(shown)
    scale, note = roomy_scale([row["seconds"] for row in rows])
    y = alt.Y("seconds:Q", title=f"Seconds{note}", scale=scale)
    dash = alt.StrokeDash(
        "measure:N",
        scale=alt.Scale(domain=list(MEASURES.values()), range=[[1, 0], [5, 4]]),
        legend=alt.Legend(columns=2, symbolStrokeColor=theme.palette(dark).ink),
    )
    tooltip = [
        alt.Tooltip("run:N", title="Run"),
        alt.Tooltip("measure:N", title="Measure"),
        alt.Tooltip("in_flight:Q", title="Peak in flight", format=",d"),
        alt.Tooltip("seconds:Q", title="Seconds", format=",.4~r"),
    ]
    points = alt.Chart(alt.NamedData("points"))
    line = points.mark_line(color=theme.palette(dark).muted)
    return [
        line.encode(x=x, y=y, strokeDash=dash, detail=alt.Detail("sweep:N")),
        hollow(points, dark, size=60, strokeWidth=3).encode(
            x=x, y=y, color=run_colour(candidates, dark, shown, below=True), tooltip=tooltip
        ),
    ]


def _load_axis(shown: Sequence[Candidate]) -> alt.X:
    """Return the axis of requests in flight, logarithmic if the loads are far apart."""
    loads = sorted({_in_flight(candidate) for candidate in shown})
    log = loads[-1] > 4 * loads[0]
    return alt.X(
        "in_flight:Q",
        title="Peak requests in flight" + (" (log scale)" if log else ""),
        scale=alt.Scale(
            type="log" if log else "linear",
            zero=alt.Undefined if log else False,
            nice=False,
            padding=24,
        ),
        axis=alt.Axis(values=loads, format=",d", labelOverlap="greedy"),
    )
