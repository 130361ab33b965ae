"""The ratio of each run to the baseline, for every metric, with its interval if there is one: the
table of a comparison as a chart."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from services.analysis.compare import Candidate, Row, margin_of
from services.analysis.compare.marks import Mark, marks, waits_differently
from services.analysis.compare.ratio_text import times_with_interval
from services.analysis.compare.rows import rows as compared_rows
from services.report import theme
from services.report.charts.frame import Rows, heading, layer_chart, run_colour
from services.report.charts.ratio_scale import AXIS, WISHES, bands, baseline_line, ratio_scale

ARROWS = {"higher": " ↑", "lower": " ↓", "neither": ""}
LONG = 31  # characters of a label beside the axis
SHAPES: dict[Mark, str] = {
    "better": "triangle-up",
    "worse": "triangle-down",
    "different": "diamond",
    "equivalent": "square",
    "inconclusive": "circle",
}
# The names of the shapes; the colour says the same.
DRAWN: dict[Mark, str] = {
    "better": "▲",
    "worse": "▼",
    "different": "◆",
    "equivalent": "■",
    "inconclusive": "●",
}


def ratios(candidates: Sequence[Candidate], dark: bool = False) -> alt.LayerChart | None:
    """Draw the ratios of two to eight runs; the first is the baseline. None for one run."""
    rows = _rows(candidates) if len(candidates) > 1 else []
    if not rows:
        return None
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    height = len(metrics) * max(30, 9 * (len(candidates) - 1) + 14)
    title = heading("Compared with the baseline", *_subtitle(candidates, rows))
    layers = _layers(candidates, dark, rows, metrics)
    return layer_chart(layers, title, height, {"ratios": rows})


def _rows(candidates: Sequence[Candidate]) -> Rows:
    """Return a row for each ratio. Without an interval, low and high are the ratio itself."""
    compared = compared_rows(candidates)
    by_metric = marks(candidates, compared, margin_of(candidates))
    return [
        {
            "run": candidate.label,
            "metric": _label(row),
            "ratio": ratio.value,
            "low": ratio.value if ratio.low is None else ratio.low,
            "high": ratio.value if ratio.high is None else ratio.high,
            "interval": ratio.low is not None,
            "mark": mark,
            "text": times_with_interval(ratio),
        }
        for row in compared
        for candidate, ratio, mark in zip(
            candidates[1:], row.ratios[1:], by_metric[row.metric], strict=True
        )
        if ratio is not None
    ]


def _label(row: Row) -> str:
    """The name of a measure, with an arrow that shows whether higher is better; a long one without
    its statistic."""
    text, arrow = row.label, ARROWS[row.better]
    return f"{text if len(text) < LONG else text.partition(', ')[0]}{arrow}"


def _layers(
    candidates: Sequence[Candidate], dark: bool, rows: Rows, metrics: Sequence[str]
) -> list[alt.Chart]:
    y, offset = bands("metric", metrics, candidates[1:])
    colour = _colour(candidates, dark)
    scale, axis = ratio_scale(
        [row["ratio"] for row in rows], [row[end] for row in rows for end in ("low", "high")]
    )
    x = alt.X("ratio:Q", title=AXIS, scale=scale, axis=alt.Axis(grid=True, **axis))
    tooltip = [
        alt.Tooltip("run:N", title="Run"),
        alt.Tooltip("text:N", title="Relative to baseline"),
        alt.Tooltip("mark:N", title="Mark"),
    ]
    shapes = alt.Scale(domain=list(SHAPES), range=list(SHAPES.values()))
    data = alt.Chart(alt.NamedData("ratios"))
    lines = data.mark_rule(strokeWidth=3, opacity=0.5)
    dots = data.mark_point(filled=True, size=90, opacity=1)
    return [
        baseline_line(theme.palette(dark).ink, "x", AXIS),
        lines.encode(
            x=alt.X("low:Q", title=AXIS), x2=alt.X2("high"), y=y, yOffset=offset, color=colour
        ),
        dots.encode(
            x=x,
            y=y,
            yOffset=offset,
            color=colour,
            shape=alt.Shape("mark:N", scale=shapes, legend=None),
            tooltip=tooltip,
        ),
    ]


def _colour(candidates: Sequence[Candidate], dark: bool) -> alt.Color:
    """For two runs: better or worse. For several: the colour of the run in all other charts."""
    if len(candidates) > 2:
        # The baseline has no dot, but is listed so that colours match those of the other charts.
        return run_colour(candidates, dark, listed=candidates[1:])
    look = theme.palette(dark)
    scale = alt.Scale(domain=list(SHAPES), range=[_colour_of(mark, look) for mark in SHAPES])
    return alt.Color("mark:N", scale=scale, legend=None)


def _subtitle(candidates: Sequence[Candidate], rows: Rows) -> list[str]:
    paced = any(waits_differently(candidates[0], other) for other in candidates[1:])
    intervals = all(row["interval"] for row in rows)
    not_judged = paced or not intervals or {row["mark"] for row in rows} == {"inconclusive"}
    words = {"inconclusive": "inconclusive or not judged"} if not_judged else {}
    legend = ", ".join(
        f"{DRAWN[mark]}\N{NO-BREAK SPACE}{words.get(mark, mark)}"
        for mark in SHAPES
        if any(row["mark"] == mark for row in rows)
    )
    pair = f"Ratios of {candidates[1].label} to "
    who = pair if len(candidates) == 2 else "The baseline, at 1×, is "
    sentences = [
        f"{who}{candidates[0].label}.",
        f"{legend}.",
        WISHES,
    ]
    if paced:
        sentences.append("Not judged, since the client itself waited: throughput and requests/s.")
    if any(row["interval"] for row in rows):
        sentences.append("Lines: 95\N{NO-BREAK SPACE}% intervals.")
    if not intervals:
        sentences.append("A dot without a line has too few repeats for an interval.")
    return sentences


def _colour_of(mark: Mark, look: theme.Palette) -> str:
    colour: str = getattr(look, "inconclusive" if mark == "different" else mark)
    return colour
