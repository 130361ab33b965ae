"""How many times the baseline each run is, for every metric, with the interval where there is
one: the picture of a comparison's table."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from services.analysis.compare import Candidate
from services.analysis.compare.rows import rows as compared
from services.report import theme
from services.report.charts.frame import Rows, heading, layered, run_colour
from services.report.charts.ratio_scale import AXIS, bands, one, ratio_scale

WISHES = {"higher": "more is better", "lower": "less is better", "neither": ""}


def ratios(candidates: Sequence[Candidate], dark: bool = False) -> alt.LayerChart | None:
    """Draw the ratios of two to eight runs; the first is the baseline. None for one run."""
    found = _rows(candidates) if len(candidates) > 1 else []
    if not found:
        return None
    metrics = list(dict.fromkeys(row["metric"] for row in found))
    height = len(metrics) * max(34, 9 * (len(candidates) - 1) + 14)
    title = heading("Compared with the baseline", *_said(candidates[0], found))
    layers = _layers(candidates, dark, found, metrics)
    return layered(layers, title, height, {"ratios": found})


def _rows(candidates: Sequence[Candidate]) -> Rows:
    """A row for each ratio there is. Without an interval its ends are the ratio itself."""
    rows: Rows = []
    for row in compared(candidates):
        first, _, rest = row.label.partition(", ")
        wish = ", ".join(filter(None, [rest, WISHES[row.better]]))
        for candidate, ratio in zip(candidates[1:], row.ratios[1:], strict=True):
            if ratio is None:
                continue
            rows.append(
                {
                    "run": theme.label(candidate.run),
                    "metric": f"{first}|{wish}",
                    "ratio": ratio.value,
                    "low": ratio.value if ratio.low is None else ratio.low,
                    "high": ratio.value if ratio.high is None else ratio.high,
                    "interval": ratio.low is not None,
                }
            )
    return rows


def _layers(
    candidates: Sequence[Candidate], dark: bool, rows: Rows, metrics: Sequence[str]
) -> list[alt.Chart]:
    y, offset = bands("metric", metrics, candidates[1:])
    # The baseline has no dot, but it counts: colours are the same as in every other chart.
    colour = run_colour(candidates, dark, listed=candidates[1:])
    scale, axis = ratio_scale(
        [row["ratio"] for row in rows], [row[end] for row in rows for end in ("low", "high")]
    )
    x = alt.X("ratio:Q", title=AXIS, scale=scale, axis=alt.Axis(grid=True, **axis))
    tooltip = [
        alt.Tooltip("run:N", title="Run"),
        alt.Tooltip("ratio:Q", title="Relative to baseline", format=".3f"),
        alt.Tooltip("low:Q", title="95 % from", format=".3f"),
        alt.Tooltip("high:Q", title="95 % to", format=".3f"),
    ]
    data = alt.Chart(alt.NamedData("ratios"))
    lines = data.mark_rule(strokeWidth=3, opacity=0.5, clip=True)
    dots = data.mark_circle(size=90, opacity=1, clip=True)
    return [
        one(theme.palette(dark).ink, "x", AXIS),
        lines.encode(
            x=alt.X("low:Q", title=AXIS), x2=alt.X2("high"), y=y, yOffset=offset, color=colour
        ),
        dots.encode(x=x, y=y, yOffset=offset, color=colour, tooltip=tooltip),
    ]


def _said(baseline: Candidate, rows: Rows) -> list[str]:
    said = [f"The baseline is {theme.label(baseline.run)}, at 1."]
    if any(row["interval"] for row in rows):
        said.append("Lines are 95 % intervals over repeats.")
    if not all(row["interval"] for row in rows):
        said.append("A dot without a line has too few repeats for an interval.")
    return said
