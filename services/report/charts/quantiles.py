"""The shift function: each quantile of a run relative to that of the baseline, from the fastest
requests to the slowest. A mean hides whether all requests became faster or only some.

Doksum 1974; Rousselet, Pernet and Wilcox 2017. Here as ratios, with intervals over repeats, because
the requests of one repeat are correlated.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np

from services.analysis.compare import Candidate
from services.analysis.compare.ratio_text import times_with_interval
from services.analysis.compare.rows import interleaved
from services.analysis.statistics import MINIMUM_REPEATS, Ratio, ratio
from services.report import theme
from services.report.charts.frame import Rows, heading, layer_chart, run_colour
from services.report.charts.ratio_scale import AXIS, baseline_line, ratio_scale

QUANTILES = tuple(range(5, 100, 5))  # per cent
FEWEST = 20  # requests of a repeat: with fewer, there are no 5 % and 95 % quantiles


def quantile_shift(candidates: Sequence[Candidate], dark: bool = False) -> alt.LayerChart | None:
    """Draw the E2E latency of each run relative to the first, by quantile. None for one run."""
    shifts_of = [(other, _shifts(candidates[0], other)) for other in candidates[1:]]
    rows = [row for other, shifts in shifts_of for row in _rows(other, shifts)]
    if not rows:
        return None
    bands = [row for row in rows if row["low"] is not None]
    shown = [other for other, shifts in shifts_of if shifts]
    title = heading("E2E latency by quantile", *_subtitle(candidates[0], shown, rows, bands))
    layers = _layers(candidates, shown, dark, rows, bands)
    return layer_chart(layers, title, 260, {"shifts": rows, "bands": bands})


def _shifts(baseline: Candidate, other: Candidate) -> list[Ratio | None]:
    """Return the ratio at each quantile; [] if a run has too few requests."""
    ours, theirs = _quantiles(baseline), _quantiles(other)
    if not ours or not theirs:
        return []
    both = [repeat for repeat in ours if repeat in theirs]
    paired = interleaved(baseline, other) and len(both) >= MINIMUM_REPEATS
    if paired:
        ours, theirs = ({r: run[r] for r in both} for run in (ours, theirs))
    columns = zip(*(zip(*run.values(), strict=True) for run in (ours, theirs)), strict=True)
    return [ratio(a, b, paired) for a, b in columns]


def _quantiles(candidate: Candidate) -> dict[int, list[float]]:
    """Return the quantiles of each repeat with enough requests, by its index."""
    repeats = zip(candidate.groups, candidate.values("e2e_s"), strict=True)
    return {
        int(group.numbers("repeat")[0]): np.percentile(values, QUANTILES).tolist()
        for group, values in repeats
        if len(values) >= FEWEST
    }


def _rows(other: Candidate, shifts: Sequence[Ratio | None]) -> Rows:
    return [
        {
            "run": other.label,
            "quantile": quantile / 100,
            "times": shift.value,
            "low": shift.low,
            "high": shift.high,
            "text": times_with_interval(shift),
        }
        for quantile, shift in zip(QUANTILES, shifts, strict=False)
        if shift is not None
    ]


def _layers(
    candidates: Sequence[Candidate], shown: Sequence[Candidate], dark: bool, rows: Rows, bands: Rows
) -> list[alt.Chart]:
    ends = [row[end] for row in bands for end in ("low", "high")]
    scale, axis = ratio_scale([row["times"] for row in rows], ends, upright=True)
    x = alt.X(
        "quantile:Q",
        title="Requests, from the fastest to the slowest (quantile)",
        scale=alt.Scale(domain=[0.05, 0.95], nice=False),
        axis=alt.Axis(format=".0%", values=[0.05, 0.25, 0.5, 0.75, 0.95], labelFlush=True),
    )
    y = alt.Y("times:Q", title=AXIS, scale=scale, axis=alt.Axis(**axis))
    colour = run_colour(candidates, dark, listed=shown)
    tooltip = [
        alt.Tooltip("run:N", title="Run"),
        alt.Tooltip("quantile:Q", title="Quantile", format=".0%"),
        alt.Tooltip("text:N", title="Relative to baseline"),
    ]
    band = alt.Chart(alt.NamedData("bands")).mark_area(opacity=0.16)
    data = alt.Chart(alt.NamedData("shifts"))
    low = alt.Y("low:Q", title=AXIS, scale=scale)
    return [
        baseline_line(theme.palette(dark).ink, "y", AXIS),
        band.encode(x=x, y=low, y2=alt.Y2("high"), color=colour),
        data.mark_line().encode(x=x, y=y, color=colour),
        data.mark_circle(size=40, opacity=1).encode(x=x, y=y, color=colour, tooltip=tooltip),
    ]


def _subtitle(
    baseline: Candidate, shown: Sequence[Candidate], rows: Rows, bands: Rows
) -> list[str]:
    who = f"{shown[0].label} is" if len(shown) == 1 else "a run is"
    sentences = [f"Below 1×: {who} faster than {baseline.label}."]
    sentences.append("Flat: all requests change equally. Sloped: some change more than others.")
    if bands:
        sentences.append("Shaded: 95 % intervals over repeats, each quantile separately.")
    if len(bands) < len(rows):
        sentences.append("A line without shading has too few repeats for an interval.")
    return sentences
