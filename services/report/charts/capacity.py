"""The charts of a capacity search: the share of requests that met the objectives, latency and
throughput, against the load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import altair as alt

from services.analysis.capacity import sustained
from services.analysis.metrics import metric
from services.base.units import many
from services.report import theme
from services.report.capacity import server_names
from services.report.charts.capacity_frame import HEIGHT, LoadFrame, load_frame
from services.report.charts.frame import Rows, fitting_scale, heading, layer_chart
from services.studies.capacity import Capacity
from services.studies.capacity_curve import knee, operating_points
from services.studies.capacity_probe import Probe

NEAR = 2.0  # how far below a capacity loads are of interest, as a ratio
MET = "Met the objective"
PERCENTILES = {"p50": "Median", "p95": "p95"}


@dataclass(frozen=True)
class CapacityChart:
    """A chart of a search, and the question that it answers; `draw` returns None if there is
    nothing to show."""

    name: str
    label: str
    question: str
    draw: Callable[[Capacity, bool], alt.LayerChart | None]
    nothing: str = ""  # the chart is then left out


def capacity_curve(capacity: Capacity, dark: bool = False) -> alt.LayerChart | None:
    """Draw each probe by its load and the share of its requests that met all objectives, with each
    server's capacity as a band; None before the first probe is measured."""
    measured = [row for row in _dots(capacity) if row["share"] is not None]
    if not measured:
        return None
    rows = _near(capacity, measured)
    frame = load_frame(capacity, rows, dark)
    left_out = len(measured) - len(rows)
    title = heading(
        "Which load is sustained?",
        "Each mark is a run. Circle: sustained; plus: not; triangle: the queue grew.",
        frame.bands_explained(),
        "Dashed: the required share.",
        f"Not shown: {many(left_out, 'run')} at lower loads, all sustained." if left_out else "",
    )
    required = min(objective.share for objective in capacity.config.parsed_objectives)
    datasets = {"bands": frame.band_rows(), "required": [{"share": required}], "dots": rows}
    return layer_chart([*frame.bands(), *_shares(frame)], title, HEIGHT, datasets)


def _shares(frame: LoadFrame) -> list[alt.Chart]:
    """A line at the required share, and a dot for each probe."""
    scale = alt.Scale(domain=[0, 1])
    across = alt.Chart(alt.NamedData("required")).mark_rule(
        strokeDash=[5, 4], color=theme.palette(frame.dark).muted
    )
    about = [
        *frame.about(),
        alt.Tooltip("share:Q", title=MET, format=".1%"),
        alt.Tooltip("state:N", title="Sustained"),
    ]
    return [
        across.encode(y=alt.Y("share:Q", title=MET, scale=scale)),
        alt.Chart(alt.NamedData("dots"))
        .mark_point(filled=True, opacity=1)
        .encode(
            x=frame.x(),
            y=alt.Y("share:Q", title=MET, scale=scale, axis=alt.Axis(format="%")),
            color=frame.colour,
            shape=frame.shape,
            size=frame.size,
            tooltip=about,
        ),
    ]


def _near(capacity: Capacity, rows: Rows) -> Rows:
    """Leave out the loads far below the lowest capacity if all of them were sustained: nothing is
    to be seen there, and the others would crowd."""
    lows = [band["low"] for band in load_frame(capacity, rows, False).band_rows()]
    least = min(lows) / NEAR if len(lows) == len(capacity.config.servers) else 0.0
    far = [row for row in rows if row["load"] < least]
    if any(row["state"] != "yes" for row in far):
        return rows
    return [row for row in rows if row["load"] >= least]


def _dots(capacity: Capacity) -> Rows:
    called = server_names(capacity)
    return [
        {
            "server": called[probe.server],
            "load": probe.load,
            "share": _share(probe),
            "state": _state(capacity, probe),
        }
        for probe in capacity.probes
        if probe.observation is not None and not probe.observation.limited
    ]


def _share(probe: Probe) -> float | None:
    assert probe.observation is not None
    met = [1 - misses.count / misses.n for misses in probe.observation.misses if misses.n]
    return min(met, default=None)


def _state(capacity: Capacity, probe: Probe) -> str:
    assert probe.observation is not None
    if probe.observation.growing:
        return "queue grows"
    return "yes" if sustained(probe.observation, capacity.config.parsed_objectives) else "no"


def throughput(
    field: str, unit: str, note: str, capacity: Capacity, dark: bool = False
) -> alt.LayerChart | None:
    """Draw what was completed per second (`field` of a point, in `unit`) against the load, with the
    knee as a dashed line. None if fewer than two loads have it."""
    rows = _measured(capacity, {"": field})
    users = capacity.config.load == "users"
    knees: Rows = [
        {"server": name, "knee": found.load}
        for server, name in enumerate(server_names(capacity))
        if (found := knee(operating_points(capacity, server), users))
    ]
    title = heading(
        f"{unit} against load",
        note,
        "Band: the capacity. Dashed: where throughput stops rising." if knees else "",
    )
    return _curves(capacity, rows, unit, title, dark, knees=knees)


def latency(name: str, capacity: Capacity, dark: bool = False) -> alt.LayerChart | None:
    """Draw the median and the p95 of a latency against the load, with its limit if it has one."""
    stem = name.removesuffix("_s")
    rows = _measured(capacity, {label: f"{stem}_{p}_s" for p, label in PERCENTILES.items()})
    limits: Rows = [
        {"value": objective.limit_s}
        for objective in capacity.config.parsed_objectives
        if objective.metric == name and objective.limit_s is not None
    ]
    label = metric(name).label
    title = heading(
        f"{label} against load",
        "Of successful requests. Band: the capacity.",
        "Horizontal dashed line: the limit." if limits else "",
    )
    return _curves(capacity, rows, "Seconds", title, dark, limits=limits)


def _measured(capacity: Capacity, series: dict[str, str]) -> Rows:
    """Rows of each point of the curve, for each series (label and field) with a value."""
    return [
        {"server": name, "load": point.load, "series": label, "value": value}
        | {"state": _state(capacity, point.probe)}
        for server, name in enumerate(server_names(capacity))
        for point in operating_points(capacity, server)
        for label, field in series.items()
        if (value := getattr(point.point, field)) is not None
    ]


def _curves(
    capacity: Capacity,
    rows: Rows,
    unit: str,
    title: alt.TitleParams,
    dark: bool,
    limits: Rows | None = None,
    knees: Rows | None = None,
) -> alt.LayerChart | None:
    if len({row["load"] for row in rows}) < 2:
        return None
    frame = load_frame(capacity, rows, dark)
    scale, note = fitting_scale([row["value"] for row in (*rows, *(limits or []))])
    y = alt.Y("value:Q", title=f"{unit}{note}", scale=scale)
    across = alt.Chart(alt.NamedData("limits")).mark_rule(
        strokeDash=[5, 4], color=theme.palette(dark).muted
    )
    knee_line = alt.Chart(alt.NamedData("knees")).mark_rule(strokeDash=[5, 4], strokeWidth=1.5)
    layers = [
        *frame.bands(),
        across.encode(y=y),
        knee_line.encode(x=frame.x("knee"), color=frame.colour),
        *_lines(frame, rows, y, unit),
    ]
    datasets = {"bands": frame.band_rows(), "limits": limits or [], "knees": knees or []}
    return layer_chart(layers, title, HEIGHT, {**datasets, "points": rows})


def _lines(frame: LoadFrame, rows: Rows, y: alt.Y, unit: str) -> list[alt.Chart]:
    series = list(dict.fromkeys(row["series"] for row in rows))
    common: dict[str, Any] = {"x": frame.x(), "y": y, "color": frame.colour}
    dashes = alt.Scale(domain=series, range=[[1, 0], [2, 3]][: len(series)])
    legend = alt.Legend(orient="top", symbolStrokeColor=theme.palette(frame.dark).ink)
    dash = alt.StrokeDash(
        "series:N", title=None, scale=dashes, legend=legend if len(series) > 1 else None
    )
    about = [
        *frame.about(),
        *([alt.Tooltip("series:N", title="Of requests")] if len(series) > 1 else []),
        alt.Tooltip("value:Q", title=unit, format=",.4~r"),
        alt.Tooltip("state:N", title="Sustained"),
    ]
    data = alt.Chart(alt.NamedData("points"))
    return [
        data.mark_line(opacity=0.8).encode(**common, strokeDash=dash),
        data.mark_point(filled=True, size=55, opacity=1).encode(
            **common, shape=frame.shape, tooltip=about
        ),
    ]


CAPACITY_CHARTS = (
    CapacityChart("met", MET, "Which load is sustained?", capacity_curve),
    CapacityChart("ttft", "TTFT", "How long until the first token?", partial(latency, "ttft_s")),
    CapacityChart("e2e", "E2E latency", "How long does an answer take?", partial(latency, "e2e_s")),
    CapacityChart("tpot", "TPOT", "How evenly do tokens arrive?", partial(latency, "tpot_s")),
    CapacityChart(
        "requests",
        "Requests/s",
        "How much is completed?",
        partial(throughput, "requests_per_s", "Requests/s", "Completed per second of the window."),
    ),
    CapacityChart(
        "tokens",
        "Output throughput",
        "How many tokens are completed?",
        partial(
            throughput,
            "tokens_per_s",
            "Output throughput (tokens/s)",
            "Output tokens of completed requests, per second of the window.",
        ),
    ),
)
