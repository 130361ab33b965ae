"""The curve of a capacity search: which share of the requests met the objectives at each load, and
where the capacity lies."""

from __future__ import annotations

from typing import Any

import altair as alt

from services.analysis.capacity import sustained
from services.report import theme
from services.report.capacity import server_names
from services.report.charts.frame import Rows, heading, layered
from services.studies.capacity import Capacity

HEIGHT = 300
MET = "Met the objective"


def capacity_curve(capacity: Capacity, dark: bool = False) -> alt.LayerChart | None:
    """Draw each probe by its load and the share of its requests that met all that was asked, with
    each server's capacity as a band; None before the first probe has been measured."""
    called = server_names(capacity)
    dots = [row for row in _dots(capacity, called) if row["share"] is not None]
    if not dots:
        return None
    bands = _bands(capacity, called)
    look = theme.palette(dark)
    domain = [min(dot["load"] for dot in dots) / 1.2, max(dot["load"] for dot in dots) * 1.2]
    unit = "Users" if capacity.config.load == "users" else "Requests per second"
    across = alt.Scale(type="log", domain=domain, nice=False, clamp=True)
    named = f"{unit}, log scale"
    x = alt.X("load:Q", title=named, scale=across, axis=alt.Axis(grid=False))
    colour = alt.Color(
        "server:N",
        title=None,
        scale=alt.Scale(domain=called, range=list(look.runs[: len(called)])),
        legend=alt.Legend(orient="top") if len(called) > 1 else None,
    )
    up = alt.Scale(domain=[0, 1])
    y = alt.Y("share:Q", title=MET, scale=up, axis=alt.Axis(format="%"))
    about = [
        alt.Tooltip("server:N", title="Server"),
        alt.Tooltip("load:Q", title=unit, format=",.4~r"),
        alt.Tooltip("share:Q", title=MET, format=".1%"),
        alt.Tooltip("state:N", title="Sustained"),
    ]
    band = alt.Chart(alt.NamedData("bands")).mark_rect(opacity=0.18)
    middle = alt.Chart(alt.NamedData("bands")).mark_rule(strokeWidth=2)
    wanted = alt.Chart(alt.NamedData("wanted")).mark_rule(strokeDash=[5, 4], color=look.muted)
    marks = alt.Chart(alt.NamedData("dots")).mark_point(filled=True, size=90, opacity=1)
    shape = alt.Shape(
        "state:N",
        legend=None,
        scale=alt.Scale(domain=["yes", "no", "queue grows"], range=["circle", "cross", "triangle"]),
    )
    layers = [
        band.encode(x=alt.X("low:Q", scale=across, title=named), x2=alt.X2("high:Q"), color=colour),
        middle.encode(x=alt.X("value:Q", scale=across, title=named), color=colour),
        wanted.encode(y=alt.Y("share:Q", title=MET, scale=up)),
        marks.encode(x=x, y=y, color=colour, shape=shape, tooltip=about),
    ]
    title = heading(
        "Which load is sustained?",
        "Each mark is one run. Line and band: the capacity and its 95 % interval. Dashed: the "
        "share that is asked for. Triangles: the queue grew.",
    )
    share: Rows = [{"share": min(one.share for one in capacity.config.asked)}]
    return layered(layers, title, HEIGHT, {"bands": bands, "wanted": share, "dots": dots})


def _dots(capacity: Capacity, called: list[str]) -> Rows:
    rows: list[dict[str, Any]] = []
    for probe in capacity.probes:
        seen = probe.observation
        if seen is None or seen.limited:
            continue
        met = [1 - one.count / one.n for one in seen.misses if one.n]
        enough = sustained(seen, capacity.config.asked)
        rows.append(
            {
                "server": called[probe.server],
                "load": probe.load,
                "share": min(met, default=None),
                "state": "queue grows" if seen.growing else "yes" if enough else "no",
            }
        )
    return rows


def _bands(capacity: Capacity, called: list[str]) -> Rows:
    found = [(name, capacity.so_far(place)) for place, name in enumerate(called)]
    return [
        {"server": name, "low": one.low, "high": one.high, "value": one.value}
        for name, one in found
        if one is not None and one.low and one.high
    ]
