"""How many times the reference each run is, for every metric, with the interval where there is
one: the picture of a comparison's table."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from services import theme
from services.charts.frame import Rows, heading, layered, run_colour
from services.compare import Candidate, Comparison, compare

WIDEST = 64.0  # times the reference, either way; an interval may reach beyond and is cut off
TICKS = (1 / 64, 1 / 16, 0.2, 0.25, 0.5, 0.67, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 4, 5, 16, 64)
CLOSENESS = 0.06  # of the axis: ticks closer to each other than this are left out
AXIS = "Times the reference (log scale)"
WISHES = {"higher": "more is better", "lower": "less is better", "neither": ""}


def ratios(candidates: Sequence[Candidate], dark: bool = False) -> alt.LayerChart | None:
    """Draw the ratios of two to eight runs; the first is the reference. None for one run."""
    return of_comparison(compare(candidates), dark) if len(candidates) > 1 else None


def of_comparison(comparison: Comparison, dark: bool = False) -> alt.LayerChart | None:
    """Draw the ratios of a comparison that has been made already."""
    rows = _rows(comparison)
    if not rows:
        return None
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    height = len(metrics) * max(34, 9 * len(comparison.others) + 14)
    title = heading("Compared with the reference", *_said(comparison, rows))
    return layered(_layers(comparison, dark, rows, metrics), title, height, {"ratios": rows})


def _rows(comparison: Comparison) -> Rows:
    """A row for each ratio there is. Without an interval its ends are the ratio itself."""
    rows: Rows = []
    for row in comparison.rows:
        first, _, rest = row.label.partition(", ")
        wish = ", ".join(filter(None, [rest, WISHES[row.better]]))
        for candidate, ratio in zip(comparison.others, row.ratios[1:], strict=True):
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
    comparison: Comparison, dark: bool, rows: Rows, metrics: Sequence[str]
) -> list[alt.Chart]:
    y = alt.Y(
        "metric:N",
        title=None,
        sort=list(metrics),
        axis=alt.Axis(labelExpr="split(datum.label, '|')", labelLimit=170, labelLineHeight=14),
    )
    offset = alt.YOffset("run:N", sort=[theme.label(c.run) for c in comparison.others])
    # The reference has no dot, but it counts: colours are the same as in every other chart.
    everyone = [comparison.reference, *comparison.others]
    colour = run_colour(everyone, dark, listed=comparison.others, columns=1)
    tooltip = [
        alt.Tooltip("run:N", title="Run"),
        alt.Tooltip("ratio:Q", title="Times the reference", format=".3f"),
        alt.Tooltip("low:Q", title="95 % from", format=".3f"),
        alt.Tooltip("high:Q", title="95 % to", format=".3f"),
    ]
    one = alt.Chart(alt.InlineData(values=[{"one": 1}]))
    one = one.mark_rule(color=theme.palette(dark).ink, strokeWidth=1.5)
    data = alt.Chart(alt.NamedData("ratios"))
    lines = data.mark_rule(strokeWidth=3, opacity=0.5, clip=True)
    dots = data.mark_circle(size=90, opacity=1, clip=True)
    return [
        one.encode(x=alt.X("one:Q", title=AXIS)),
        lines.encode(
            x=alt.X("low:Q", title=AXIS), x2=alt.X2("high"), y=y, yOffset=offset, color=colour
        ),
        dots.encode(x=_x(rows), y=y, yOffset=offset, color=colour, tooltip=tooltip),
    ]


def _x(rows: Rows) -> alt.X:
    low, high = _reach(rows)
    ticks = _ticks(low, high)
    return alt.X(
        "ratio:Q",
        title=AXIS,
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
        axis=alt.Axis(values=ticks, tickCount=len(ticks), format="~r", grid=True),
    )


def _reach(rows: Rows) -> tuple[float, float]:
    values = [row[end] for row in rows for end in ("low", "ratio", "high")]
    low, high = min(0.9, *values) / 1.05, max(1.1, *values) * 1.05
    dots = [row["ratio"] for row in rows]
    return max(low, min(1 / WIDEST, *dots) / 1.05), min(high, max(WIDEST, *dots) * 1.05)


def _ticks(low: float, high: float) -> list[float]:
    """Round ratios inside the axis, from 1 outwards, none too close to the one before."""
    share = (high / low) ** CLOSENESS
    chosen = [1.0]
    for tick in sorted(TICKS, key=lambda t: max(t, 1 / t)):
        apart = all(max(tick / other, other / tick) >= share for other in chosen)
        if low <= tick <= high and apart:
            chosen.append(tick)
    return sorted(chosen)


def _said(comparison: Comparison, rows: Rows) -> list[str]:
    said = [f"The reference is {theme.label(comparison.reference.run)}, at 1."]
    if any(row["interval"] for row in rows):
        said.append("Lines are 95 % intervals over repeats.")
    if not all(row["interval"] for row in rows):
        said.append("A dot without a line has too few repeats for an interval.")
    return said
