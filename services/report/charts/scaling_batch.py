"""A study over what it swept, such as concurrency: throughput, latency, and efficiency of each
device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import altair as alt

from services.report import theme
from services.report.charts.frame import Rows, heading, layer_chart, roomy_scale
from services.report.charts.scaling_frame import (
    colour,
    dash,
    ends,
    interval_notes,
    left_out,
    series_labels,
    shown_configurations,
    size_axis,
)
from services.studies.cell import MeasuredCell
from services.studies.scaling import E2E, THROUGHPUT, TTFT, Interval, Row, Scaling, scale, scaling
from services.studies.swept import swept_axis

LATENCIES = {E2E: "E2E latency", TTFT: "TTFT"}


def batch_throughput(measured: Sequence[MeasuredCell], dark: bool = False) -> alt.LayerChart | None:
    """Draw output throughput against what was swept, with a line for each configuration. None for
    fewer than two values."""
    scaled = scaling(measured)
    rows = _rows(scaled, lambda row: row.level(THROUGHPUT))
    if not _has_several_sizes(rows):
        return None
    return _lines(scaled, rows, dark, "Throughput against {}", "Output throughput (tokens/s)")


def batch_efficiency(measured: Sequence[MeasuredCell], dark: bool = False) -> alt.LayerChart | None:
    """Draw the efficiency of every configuration by what was swept. None if it is unknown for
    all."""
    scaled = scaling(measured)
    rows = _rows(scaled, lambda row: row.efficiency and scale(row.efficiency, 100))
    if not rows:
        return None
    line = alt.Chart(alt.InlineData(values=[{"value": 100.0}])).mark_rule(
        color=theme.palette(dark).ink, strokeDash=[4, 4]
    )
    title = "Efficiency by {}"
    note = "At 100 %, each device does as much as one of the baseline."
    return _lines(
        scaled,
        rows,
        dark,
        title,
        "Efficiency (%)",
        note,
        [line.encode(y=alt.Y("value:Q"))],
        100.0,
    )


def batch_latency(measured: Sequence[MeasuredCell], dark: bool = False) -> alt.LayerChart | None:
    """Draw median latencies against what was swept, for the first series of works. None for fewer
    than two values."""
    scaled = scaling(measured)
    first = next(iter(series_labels(scaled, swept_axis(scaled.works).series).values()), "")
    rows = [
        row | {"series": label}
        for name, label in LATENCIES.items()
        for row in _rows(scaled, lambda row, name=name: row.level(name))  # type: ignore[misc]
        if row["series"] == first
    ]
    if not _has_several_sizes(rows):
        return None
    note = f"Medians over requests, geometric means over repeats{f'; {first}' if first else ''}."
    return _lines(scaled, rows, dark, "Latency against {}", "Seconds", note)


def _has_several_sizes(rows: Rows) -> bool:
    return len({row["size"] for row in rows}) > 1


def _rows(scaling: Scaling, of: Callable[[Row], Interval | None]) -> Rows:
    axis, shown = swept_axis(scaling.works), shown_configurations(scaling)
    series = series_labels(scaling, axis.series)
    rows: Rows = []
    for row in scaling.rows:
        level, key = of(row), axis.series(row.work)
        if level is None or key not in series or row.configuration not in shown:
            continue
        if (size := axis.value(row.work)) is not None:
            common = {"configuration": row.label, "work": row.work_label, "size": size}
            rows.append({**common, "series": series[key], **ends(level)})
    return rows


def _lines(
    scaling: Scaling,
    rows: Rows,
    dark: bool,
    title: str,
    unit: str,
    note: str = "",
    below: Sequence[alt.Chart] = (),
    shown: float | None = None,
) -> alt.LayerChart:
    """Draw lines; {} in `title` stands for what was swept."""
    axis = swept_axis(scaling.works)
    sizes = [row["size"] for row in rows]
    reach = [row[end] for row in rows for end in ("low", "high")]
    domain, log = roomy_scale([*reach, *([] if shown is None else [shown])])
    x, y = size_axis(sizes, axis), alt.Y("value:Q", title=f"{unit}{log}", scale=domain)
    series = list(dict.fromkeys(row["series"] for row in rows))
    hue = colour(scaling, rows, dark)
    data = alt.Chart(alt.NamedData("points"))
    common: dict[str, Any] = {"x": x, "color": hue}
    bars = data.mark_rule(strokeWidth=3, opacity=0.45)
    layers = [
        *below,
        bars.encode(y=alt.Y("low:Q", title=f"{unit}{log}", scale=domain), y2="high", **common),
        data.mark_line(opacity=0.9).encode(y=y, strokeDash=dash(series, dark), **common),
        data.mark_point(size=55, filled=True, opacity=1).encode(y=y, tooltip=TOOLTIP, **common),
    ]
    labels = {row["configuration"] for row in rows}
    alone = f"Of {labels.pop()}." if len(labels) == 1 < len(scaling.configurations) else ""
    titles = heading(
        title.format(axis.name), alone, note, *interval_notes(rows), *left_out(scaling, axis.series)
    )
    return layer_chart(layers, titles, 300, {"points": rows})


TOOLTIP = [
    alt.Tooltip("configuration:N", title="Configuration"),
    alt.Tooltip("work:N", title="Load"),
    alt.Tooltip("value:Q", title="Mean over repeats", format=",.4~r"),
    alt.Tooltip("between:N", title="95 % interval"),
]
