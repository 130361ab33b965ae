"""One measure of many runs over time, with intervals and verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from math import inf
from typing import Any

import altair as alt

from services.analysis.compare import COMPARED
from services.analysis.compare.baseline_verdict import BASELINE
from services.analysis.compare.findings import FAMILY
from services.analysis.compare.served import join_labels
from services.analysis.compare.server_changes import Change
from services.analysis.compare.trend import NO_VERDICT, Point, Trend
from services.report import theme
from services.report.charts.frame import Rows, heading, layer_chart

PICKED = "picked"  # the selection of a dot, by its run's id
SHAPES = {  # by verdict, so that they can be told apart without colours
    "faster": "triangle-up",
    "slower": "triangle-down",
    "equivalent": "square",
    "inconclusive": "circle",
    NO_VERDICT: "cross",
    BASELINE: "diamond",
}


def trend_chart(trend: Trend, dark: bool = False) -> alt.LayerChart | None:
    """Draw a trend: a mark for each run with its interval over repeats, and the baseline as a line
    with a band. None if no run has the measure."""
    label, unit = measure_of(trend.measure)
    unit, times = _axis_unit(unit, trend.points)
    rows = [_row(point, times) for point in trend.points]
    if not rows:
        return None
    band = [_row(trend.baseline, times)] if trend.baseline else []
    changes = [_change_row(change) for change in trend.changes]
    wish = "More is better." if FAMILY[trend.measure][1] == "higher" else "Less is better."
    title = heading(
        f"{label} over time",
        "Each mark is the geometric mean of a run's repeats.",
        wish,
        *_subtitle(rows, band, changes),
    )
    return layer_chart(
        _layers(rows, band, f"{label}, geometric mean ({unit})", dark),
        title,
        300,
        {
            "runs": rows,
            "band": band,
            "changes": changes,
            "lines": changes if len(changes) <= MAX_LINES else [],
        },
    )


def measure_of(name: str) -> tuple[str, str]:
    """Return a measure's label and unit."""
    return next((entry.label, entry.unit) for entry in COMPARED if entry.name == name)


def _axis_unit(unit: str, points: Sequence[Point]) -> tuple[str, float]:
    """Return the unit of the axis, and the factor to it: short times are in milliseconds."""
    short = unit == "s" and all(point.level.value < 1 for point in points)
    return ("ms", 1000.0) if short else (unit, 1.0)


def _row(point: Point, times: float) -> dict[str, Any]:
    """Return the row of a point, in the unit of the axis. Without an interval, low and high are the
    value itself; `began` is Unix time in milliseconds."""
    value = times * point.level.value
    low, high = (end and times * end for end in (point.level.low, point.level.high))
    return {
        "run": point.run_id,
        "name": f"{point.run_id} · {' '.join(point.name.split())}",
        "began": 1000 * point.began.timestamp(),
        "value": value,
        "low": value if low is None else low,
        "high": value if high is None else high,
        "interval": low is not None,
        "between": f"{low:.4g} – {high:.4g}" if low and high else "too few repeats",
        "word": point.word,
        "server": f"different: {join_labels(point.differs)}"
        if point.differs
        else "same as the baseline",
    }


def _change_row(change: Change) -> dict[str, Any]:
    return {
        "began": 1000 * change.began.timestamp(),
        "change": f"From run {change.run_id} on: {change.text}",
    }


def _layers(rows: Rows, band: Rows, title: str, dark: bool) -> list[alt.Chart]:
    x = _time_axis([row["began"] for row in rows])
    scale, note = _scale([row[end] for row in (*rows, *band) for end in ("low", "high")])
    # on a linear axis the distance of ticks sets the digits: 0.500, 0.501, not 0.5 twice
    axis = alt.Axis(format=",.3~r") if note else alt.Axis(tickCount=6)
    y = alt.Y("value:Q", title=title + note, scale=scale, axis=axis)
    look = theme.palette(dark)
    colour, shape = _verdict_encoding(rows, look)
    data, line = alt.Chart(alt.NamedData("runs")), alt.Chart(alt.NamedData("band"))
    picked = alt.selection_point(name=PICKED, fields=["run"], empty=False)
    dots = data.mark_point(filled=True, opacity=1).encode(
        x=x,
        y=y,
        color=colour,
        shape=shape,
        tooltip=TOOLTIP,
        size=alt.condition(picked, alt.value(230), alt.value(90)),
    )
    numbers = data.mark_text(align="left", dx=9, dy=-8, fontSize=11, color=look.ink).encode(
        x=x, y=y, text="run:N"
    )
    return [
        *_change_layers(x, look),
        line.mark_rect(color=look.queued, opacity=0.22).encode(y="low:Q", y2="high"),
        line.mark_rule(color=look.ink, strokeDash=[6, 4]).encode(y=y),
        data.mark_rule(strokeWidth=2, opacity=0.55).encode(
            x=x, y=alt.Y("low:Q", title=title + note), y2="high", color=colour
        ),
        dots.add_params(picked),
        *([numbers] if len(rows) <= MAX_NUMBERS else []),
    ]


def _change_layers(x: alt.X, look: theme.Palette) -> list[alt.Chart]:
    """Where the server changes: a line, with a mark at its top whose tooltip lists the changes."""
    data = alt.Chart(alt.NamedData("changes"))
    return [
        alt.Chart(alt.NamedData("lines"))
        .mark_rule(strokeDash=[2, 3], strokeWidth=2, color=look.prefill)
        .encode(x=x, tooltip=CHANGE),
        data.mark_point(
            shape="triangle-down", filled=True, size=120, opacity=1, color=look.prefill
        ).encode(x=x, y=alt.value(6), tooltip=CHANGE),
    ]


def _time_axis(moments: Sequence[float]) -> alt.X:
    ends = _span(moments)
    return alt.X(
        "began:T",
        title="Started",
        axis=alt.Axis(
            tickCount=TICKS, labelOverlap=True, labelFlush=PADDING, format=_time_format(*ends)
        ),
        scale=alt.Scale(padding=PADDING, domain=[_vega_datetime(end) for end in ends], nice=False),
    )


def _verdict_encoding(rows: Rows, look: theme.Palette) -> tuple[alt.Color, alt.Shape]:
    """Return the colour and the shape of each verdict, which share a legend."""
    verdicts = [verdict for verdict in SHAPES if any(row["word"] == verdict for row in rows)]
    colours = _colours(look)
    several = verdicts != [NO_VERDICT]
    legend = alt.Legend(symbolOpacity=1, columns=COLUMNS, symbolStrokeWidth=0) if several else None
    hues = alt.Scale(domain=verdicts, range=[colours[verdict] for verdict in verdicts])
    shapes = alt.Scale(domain=verdicts, range=[SHAPES[verdict] for verdict in verdicts])
    return (
        alt.Color("word:N", scale=hues, legend=legend),
        alt.Shape("word:N", scale=shapes, legend=legend),
    )


def _span(moments: Sequence[float]) -> list[float]:
    """Return the ends of the time axis, in Unix milliseconds like `moments`: at least a minute, so
    that no two ticks are in the same second."""
    first, last = min(moments), max(moments)
    room = max(0.0, 1000 * MINUTE - (last - first)) / 2
    return [first - room, last + room]


def _vega_datetime(milliseconds: float) -> alt.DateTime:
    """Return an end of the time axis as separate parts: the pages' security policy requires Vega's
    interpreter, which would read a single number as a year."""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return alt.DateTime(
        year=at.year,
        month=at.month,
        date=at.day,
        hours=at.hour,
        minutes=at.minute,
        seconds=at.second,
        milliseconds=at.microsecond / 1000,
        utc=True,
    )


def _time_format(first: float, last: float) -> str:
    """Return the time format for an axis of that span, in which no two ticks look the same."""
    seconds = (last - first) / 1000
    return next(pattern for most, pattern in FORMATS if seconds <= most)


def _scale(values: Sequence[float]) -> tuple[alt.Scale, str]:
    """Return a scale that fits the values closely, because a trend is small compared to its values,
    and a note for the axis title. It is logarithmic if the highest value is many times the
    lowest."""
    low, high = min(values), max(values)
    if high > FAR * low > 0:
        return alt.Scale(type="log", domain=[low * 0.9, high * 1.1], nice=False), ", log scale"
    room = 0.15 * (high - low) or 0.1 * high
    return alt.Scale(domain=[max(0.0, low - room), high + room], nice=False, zero=False), ""


def _colours(look: theme.Palette) -> dict[str, str]:
    blue, vermilion, green, pink = look.runs[:4]
    return {
        "faster": green,
        "slower": vermilion,
        "equivalent": blue,
        "inconclusive": pink,
        NO_VERDICT: look.muted,
        BASELINE: look.ink,
    }


def _subtitle(rows: Rows, band: Rows, changes: Rows) -> list[str]:
    sentences = ["The number beside a mark is that of its run."] if len(rows) <= MAX_NUMBERS else []
    if any(row["interval"] for row in rows):
        sentences.append("Lines are 95 % intervals over repeats.")
    if not all(row["interval"] for row in rows):
        sentences.append("A mark without a line has too few repeats for one.")
    if band:
        spread = "; the band is its interval" if band[0]["interval"] else ""
        sentences.append(f"The dashed line is the baseline, run {band[0]['run']}{spread}.")
    if changes:
        sentences.append("Marks at the top: server changes.")
    return sentences


MAX_NUMBERS = 20  # of runs beside their marks: more would overlap
MAX_LINES = 12  # of changes of the server: more would hide the runs
CHANGE = [alt.Tooltip("change:N", title="Server changes")]
MINUTE, DAY = 60.0, 86_400.0
FORMATS = (  # by the longest span of the axis, in seconds
    (10 * MINUTE, "%H:%M:%S"),
    (DAY, "%H:%M"),
    (20 * DAY, "%b %d, %H:%M"),
    (300 * DAY, "%b %d"),
    (inf, "%Y-%m-%d"),
)
FAR = 30  # times the lowest value: beyond it, the scale is logarithmic
PADDING = 16  # pixels before the first and after the last mark
TICKS = alt.ExprRef("ceil(width / 100)")
COLUMNS = alt.ExprRef(
    "max(2, floor((isFinite(containerSize()[0]) ? containerSize()[0] : width) / 150))"
)
TOOLTIP = [
    alt.Tooltip("name:N", title="Run"),
    alt.Tooltip("word:N", title="Verdict"),
    alt.Tooltip("server:N", title="Server"),
    alt.Tooltip("value:Q", title="Mean over repeats", format=",.4~r"),
    alt.Tooltip("between:N", title="95 % interval"),
    alt.Tooltip("began:T", title="Started", format="%Y-%m-%d %H:%M"),
]
