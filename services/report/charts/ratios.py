"""The ratio of each run to the baseline, for every metric, with its interval if there is one: the
table of a comparison as a chart."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from services.analysis.compare import Candidate
from services.analysis.compare.rows import rows as compared_rows
from services.report import theme
from services.report.charts.frame import Rows, heading, layered, run_colour
from services.report.charts.ratio_scale import AXIS, bands, baseline_line, ratio_scale

WISHES = {"higher": "more is better", "lower": "less is better", "neither": ""}


def ratios(candidates: Sequence[Candidate], dark: bool = False) -> alt.LayerChart | None:
    """Draw the ratios of two to eight runs; the first is the baseline. None for one run."""
    rows = _rows(candidates) if len(candidates) > 1 else []
    if not rows:
        return None
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    height = len(metrics) * max(34, 9 * (len(candidates) - 1) + 14)
    title = heading("Compared with the baseline", *_subtitle(candidates[0], rows))
    layers = _layers(candidates, dark, rows, metrics)
    return layered(layers, title, height, {"ratios": rows})


def _rows(candidates: Sequence[Candidate]) -> Rows:
    """Return a row for each ratio. Without an interval, low and high are the ratio itself."""
    rows: Rows = []
    for row in compared_rows(candidates):
        first, _, rest = row.label.partition(", ")
        wish = ", ".join(filter(None, [rest, WISHES[row.better]]))
        for candidate, ratio in zip(candidates[1:], row.ratios[1:], strict=True):
            if ratio is None:
                continue
            rows.append(
                {
                    "run": candidate.label,
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
    # The baseline has no dot, but is passed, so that colours are the same as in all other charts.
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
        baseline_line(theme.palette(dark).ink, "x", AXIS),
        lines.encode(
            x=alt.X("low:Q", title=AXIS), x2=alt.X2("high"), y=y, yOffset=offset, color=colour
        ),
        dots.encode(x=x, y=y, yOffset=offset, color=colour, tooltip=tooltip),
    ]


def _subtitle(baseline: Candidate, rows: Rows) -> list[str]:
    sentences = [f"The baseline is {baseline.label}, at 1."]
    if any(row["interval"] for row in rows):
        sentences.append("Lines are 95 % intervals over repeats.")
    if not all(row["interval"] for row in rows):
        sentences.append("A dot without a line has too few repeats for an interval.")
    return sentences
