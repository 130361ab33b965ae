"""Two small charts that are redrawn often, as plain Vega-Lite dicts: a running run, and a schedule
before it runs. A dict costs nothing to build; Altair would validate it each time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from services.ask.measurement import Progress
from services.report import theme
from services.report.charts.frame import FIT, even_indices

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
MAX_POINTS = 300
MAX_BARS = 60
SLICES = 60  # of the time in which requests are sent
OVER_S = 5.0  # window of the tokens per second: steady enough to read, short enough to follow


def live_spec(progress: Sequence[Progress], dark: bool = False) -> dict[str, Any]:
    """Return the chart of a running run: tokens/s of the last five seconds, and in flight.

    `progress` is in time order; of more than 300 entries, 300 are drawn, including the last.
    """
    look = theme.palette(dark)
    x = {
        "field": "seconds",
        "type": "quantitative",
        "title": "Time since the run began (s)",
        "scale": {"domainMin": 0, "nice": False},
    }
    points = _points(progress)
    rate = _axis(points, "rate", "Output tokens per second (line)", look.decode, format=",.3~r")
    flying = _axis(
        points,
        "in_flight",
        "Requests in flight (area)",
        look.muted,
        orient="right",
        format=",d",
        grid=False,
    )
    tooltip = [
        {"field": "seconds", "type": "quantitative", "title": "Time (s)", "format": ",.1f"},
        {"field": "rate", "type": "quantitative", "title": "Tokens/s", "format": ",.1f"},
        {"field": "in_flight", "type": "quantitative", "title": "In flight", "format": ",d"},
    ]
    area = {"type": "area", "interpolate": "step-after", "color": look.queued, "opacity": 0.25}
    line = {"type": "line", "color": look.decode, "strokeWidth": 2}
    layers = [
        {"mark": area, "encoding": {"x": x, "y": flying}},
        {"mark": line, "encoding": {"x": x, "y": rate, "tooltip": tooltip}},
    ]
    return framed(layers, points, 240, dark) | {"resolve": {"scale": {"y": "independent"}}}


def _axis(
    points: Sequence[dict[str, Any]], field: str, title: str, colour: str, **axis: Any
) -> dict[str, Any]:
    highest = max((point[field] or 0 for point in points), default=0)
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"domain": [0, max(highest, 1)], "nice": True},
        "axis": {"title": title, "titleColor": colour, "tickMinStep": 1, **axis},
    }


def _points(progress: Sequence[Progress]) -> list[dict[str, Any]]:
    times, repeats = [p.t for p in progress], [p.repeat for p in progress]
    return [
        {
            "seconds": times[i],
            "rate": _rate(progress, times, bisect_left(repeats, repeats[i]), i),
            "in_flight": progress[i].in_flight,
        }
        for i in even_indices(len(progress), MAX_POINTS)
    ]


def _rate(progress: Sequence[Progress], times: Sequence[float], first: int, i: int) -> float | None:
    """Return the tokens per second over the last OVER_S, or since `first`, the first entry of the
    repeat: each repeat counts from zero. At least 0, even if a count is corrected downwards."""
    before = max(first, bisect_right(times, times[i] - OVER_S) - 1)
    seconds = times[i] - times[before]
    return max(progress[i].tokens - progress[before].tokens, 0) / seconds if seconds > 0 else None


def schedule_spec(bars: Sequence[tuple[int, float, float]], dark: bool = False) -> dict[str, Any]:
    """Return the chart of a schedule: a line for each request, `(index, start, end)` in seconds.

    Of more than 60 requests, the first 60 are drawn, and the title says so.
    """
    look = theme.palette(dark)
    drawn = sorted(bars)[:MAX_BARS]
    title = "Request"
    if len(bars) > len(drawn):
        title += f", the first {len(drawn)} of {len(bars):,}"
    rows = [{"request": index + 1, "start": start, "end": end} for index, start, end in drawn]
    height = min(max(10 * len(drawn), 60), 180)
    x = {"field": "start", "type": "quantitative", "title": "Time (s), estimated"}
    y = {
        "field": "request",
        "type": "quantitative",
        "title": title,
        "scale": {"domain": [0.4, len(drawn) + 0.6], "reverse": True, "nice": False},
        "axis": {"format": ",d", "tickMinStep": 1, "grid": False},
    }
    tooltip = [
        {"field": "request", "type": "quantitative", "title": "Request", "format": ",d"},
        {"field": "start", "type": "quantitative", "title": "Sent (s)", "format": ",.2f"},
        {"field": "end", "type": "quantitative", "title": "Done (s), about", "format": ",.2f"},
    ]
    width = min(max(0.7 * height / max(len(drawn), 1), 2), 8)
    mark = {"type": "rule", "strokeWidth": width, "color": look.decode}
    encoding = {"x": x, "x2": {"field": "end"}, "y": y, "tooltip": tooltip}
    return framed([{"mark": mark, "encoding": encoding}], rows, height, dark)


def arrivals_spec(bars: Sequence[tuple[int, float, float]], dark: bool = False) -> dict[str, Any]:
    """Return the chart of a schedule of many requests, `(index, start, end)` in seconds: how many
    are sent per second, and how many are in flight."""
    look = theme.palette(dark)
    starts, ends = sorted(start for _, start, _ in bars), sorted(end for _, _, end in bars)
    width = (starts[-1] or 1.0) / SLICES * (1 + 1e-9)  # the last one begins within
    edges = [index * width for index in range(SLICES + 1)]
    points = [
        {
            "seconds": low,
            "until": high,
            "rate": (bisect_left(starts, high) - bisect_left(starts, low)) / width,
            "in_flight": bisect_left(starts, high) - bisect_left(ends, high),
        }
        for low, high in pairwise(edges)
    ]
    x = {"field": "seconds", "type": "quantitative", "title": "Time (s), estimated"}
    rate = _axis(points, "rate", "Requests sent per second (bars)", look.decode, format=",.3~r")
    flying = _axis(
        points, "in_flight", "In flight (area)", look.muted, orient="right", format=",d", grid=False
    )
    tooltip = [
        {"field": "seconds", "type": "quantitative", "title": "Time (s)", "format": ",.1f"},
        {"field": "rate", "type": "quantitative", "title": "Requests/s", "format": ",.1f"},
        {"field": "in_flight", "type": "quantitative", "title": "In flight, about", "format": ",d"},
    ]
    area = {"type": "area", "interpolate": "step-after", "color": look.queued, "opacity": 0.25}
    bar = {"type": "bar", "color": look.decode, "binSpacing": 1}
    sent = {"x": x | {"bin": "binned"}, "x2": {"field": "until"}, "y": rate, "tooltip": tooltip}
    layers = [
        {"mark": area, "encoding": {"x": x, "y": flying}},
        {"mark": bar, "encoding": sent},
    ]
    return framed(layers, points, 180, dark) | {"resolve": {"scale": {"y": "independent"}}}


def framed(
    layers: list[dict[str, Any]], rows: list[dict[str, Any]], height: int, dark: bool
) -> dict[str, Any]:
    """Return a chart of layers that share the same rows."""
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": height,
        "autosize": FIT,
        "data": {"name": "rows"},
        "datasets": {"rows": rows},
        "layer": layers,
        "config": theme.config(dark),
    }
