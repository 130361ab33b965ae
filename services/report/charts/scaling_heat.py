"""Every cell of a study: throughput by batch size, configuration and length. Failed cells are
shown, too."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from services.base.units import NOTHING, significant
from services.report import theme
from services.report.charts.frame import Rows, heading, layer_chart
from services.report.charts.scaling_frame import MAX_SERIES, left_out, series_labels
from services.studies.cell import MeasuredCell
from services.studies.curves import rate_of, series_of
from services.studies.scaling import Row, scaling
from services.studies.work import size_name

MAX_LINES = 48  # of the heat map; the table has all lines
# By `dark`, as a share of the highest value: text on higher values has the colour of the paper.
STRONG = {False: 0.75, True: 0.62}


def heat(measured: Sequence[MeasuredCell], dark: bool = False) -> alt.LayerChart | None:
    """Draw output throughput as a heat map: a column for each batch size, a line for each
    configuration and length. None for fewer than two columns or two lines."""
    scaled = scaling(measured)
    series = series_labels(scaled)
    drawn = [r for r in scaled.rows if r.work.size is not None and series_of(r.work) in series]
    drawn.sort(key=lambda row: scaled.configurations.index(row.configuration))
    all_lines = dict.fromkeys(_line(row, series[series_of(row.work)]) for row in drawn)
    lines = list(all_lines)[:MAX_LINES]
    most = max(map(rate_of, drawn), default=0.0)
    rows: Rows = [
        _cell(row, line, most, dark)
        for row in drawn
        if (line := _line(row, series[series_of(row.work)])) in lines
    ]
    sizes = sorted({row["size"] for row in rows})
    if len(sizes) < 2 or len(lines) < 2 or not most:
        return None
    cut = [f"The first {MAX_LINES} rows are shown."] if len(lines) == MAX_LINES else []
    failed = f"{NOTHING}: no result." if any(row["text"] == NOTHING for row in rows) else ""
    kinds = left_out(scaled)[-1:] if len(set(map(series_of, scaled.works))) > MAX_SERIES else []
    title = heading(
        "Throughput of every cell",
        "Output throughput in tokens/s; darker cells have more."
        if not dark
        else "Output throughput in tokens/s; brighter cells have more.",
        failed,
        *cut,
        *kinds,
    )
    name = size_name(scaled.works).capitalize()
    return layer_chart(_layers(sizes, lines, dark, name), title, 34 * len(lines), {"cells": rows})


def _line(row: Row, series: str) -> str:
    return f"{row.label}|{series}" if series else row.label


def _cell(row: Row, line: str, most: float, dark: bool) -> dict[str, object]:
    rate = rate_of(row)
    return {
        "line": line,
        "size": row.work.size,
        "value": rate or None,
        "text": significant(rate) if rate else NOTHING,
        "strong": rate > STRONG[dark] * most,
        "problem": row.problem or "",
    }


def _layers(sizes: Sequence[int], lines: Sequence[str], dark: bool, name: str) -> list[alt.Chart]:
    look = theme.palette(dark)
    x = alt.X("size:O", title=name, sort=list(sizes), axis=alt.Axis(labelAngle=0))
    # A label of two lines is centred on its first.
    up = -7 if any("|" in line for line in lines) else 0
    axis = alt.Axis(labelExpr="split(datum.label, '|')", labelLineHeight=13, labelOffset=up)
    y = alt.Y("line:N", title=None, sort=list(lines), axis=axis)
    scale = alt.Scale(range=[look.grid, look.decode], zero=True)
    none = alt.value("transparent")
    fill = alt.Fill("value:Q", scale=scale, legend=None)
    ink = alt.condition("datum.strong", alt.value(look.paper), alt.value(look.ink))
    data = alt.Chart(alt.NamedData("cells"))
    known = alt.condition("isValid(datum.value)", fill, none)
    return [
        data.mark_rect(stroke=look.paper, strokeWidth=2).encode(
            x=x, y=y, fill=known, tooltip=_tooltip(name)
        ),
        data.mark_text(fontSize=12).encode(x=x, y=y, text="text:N", color=ink),
    ]


def _tooltip(size: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("line:N", title="Configuration"),
        alt.Tooltip("size:O", title=size),
        alt.Tooltip("value:Q", title="Output throughput (tokens/s)", format=",.4~r"),
        alt.Tooltip("problem:N", title="Problem"),
    ]
