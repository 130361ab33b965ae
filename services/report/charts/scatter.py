"""Runs as dots by two metrics that trade off against each other, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np

from services.analysis.compare import Candidate
from services.report.charts.frame import Rows, heading, hollow, layer_chart, roomy_scale, run_colour
from services.report.charts.pareto import CHEAP, FRONT, PRICE, SPEED, UP, front_line, front_of

HEIGHT = 300


def trade_off(candidates: Sequence[Candidate], dark: bool = False) -> alt.LayerChart | None:
    """Draw output throughput against the speed of a request: up and right is better."""
    small: Rows = []
    for candidate in candidates:
        rates = zip(candidate.summary.repeats, candidate.values("tokens_per_s"), strict=True)
        small += [
            _dot(candidate, float(np.median(speeds)), repeat.output_tokens_per_s)
            | {"repeat": number}
            for number, (repeat, speeds) in enumerate(rates, 1)
            if len(speeds) and repeat.output_tokens_per_s is not None
        ]
    dots = [dot for candidate in candidates if (dot := _run_dot(candidate)) is not None]
    if not dots:
        return None
    several = len(small) > len(dots)
    directions = "Further right: each request is faster. Further up: higher throughput."
    front = front_of(dots, UP)
    circles = "Large dots are runs, small ones their repeats." if several else ""
    title = heading("Throughput against speed", directions, circles, FRONT if front else "")
    axes = (SPEED, "Output throughput (tokens/s)")
    line = front_line(dark, "step-before")
    return _draw(candidates, dark, title, axes, dots, small if several else [], front, line)


def cost(candidates: Sequence[Candidate], dark: bool = False) -> alt.LayerChart | None:
    """Draw the speed against the price of a million output tokens: up and left is better. None if
    no run has a price."""
    dots: Rows = []
    for candidate in candidates:
        usd = candidate.summary.usd_per_million_output
        speed = candidate.summary.distributions["tokens_per_s"]
        if usd is not None and speed is not None:
            dots.append(_dot(candidate, usd, speed.median))
    if not dots:
        return None
    left_out = [c.label for c in candidates if not _run_dots(c, dots)]
    unknown = f"Not shown, because it has no price: {', '.join(left_out)}." if left_out else ""
    front = front_of(dots, CHEAP)
    directions = "Up: faster. Left: cheaper."
    title = heading("Cost against speed", directions, FRONT if front else "", unknown)
    axes = (PRICE, SPEED)
    return _draw(candidates, dark, title, axes, dots, [], front, front_line(dark, "step-after"))


def _dot(candidate: Candidate, x: float, y: float | None) -> dict[str, object]:
    return {"run": candidate.label, "x": x, "y": y}


def _run_dots(candidate: Candidate, dots: Rows) -> Rows:
    return [dot for dot in dots if dot["run"] == candidate.label]


def _run_dot(candidate: Candidate) -> dict[str, object] | None:
    """Return the dot of a run: its speed and throughput as in the table of a comparison."""
    speed = candidate.summary.distributions["tokens_per_s"]
    throughput = candidate.summary.output_tokens_per_s
    if speed is None or throughput is None:
        return None
    return _dot(candidate, speed.median, throughput)


def _scaled(dots: Rows, x: str, y: str) -> tuple[alt.X, alt.Y]:
    across, across_note = roomy_scale([dot["x"] for dot in dots])
    up, up_note = roomy_scale([dot["y"] for dot in dots])
    return (
        alt.X("x:Q", title=x + across_note, scale=across, axis=alt.Axis(grid=True)),
        alt.Y("y:Q", title=y + up_note, scale=up, axis=alt.Axis(format=",.3~r")),
    )


def _draw(
    candidates: Sequence[Candidate],
    dark: bool,
    title: alt.TitleParams,
    axes: tuple[str, str],
    dots: Rows,
    small: Rows,
    front: Rows,
    line: alt.Chart,
) -> alt.LayerChart:
    x, y = _scaled([*dots, *small], *axes)
    colour = run_colour(candidates, dark)
    about = [
        alt.Tooltip("run:N", title="Run"),
        alt.Tooltip("x:Q", title=axes[0], format=",.4~r"),
        alt.Tooltip("y:Q", title=axes[1], format=",.4~r"),
    ]
    repeat = hollow(alt.Chart(alt.NamedData("small")), dark, size=30, strokeWidth=1.3)
    data = alt.Chart(alt.NamedData("dots"))
    of_repeat = [*about, alt.Tooltip("repeat:Q", title="Repeat")]
    layers = [
        line.encode(x=x, y=y),
        repeat.encode(x=x, y=y, color=colour, tooltip=of_repeat),
        data.mark_circle(size=130, opacity=1).encode(x=x, y=y, color=colour, tooltip=about),
    ]
    return layer_chart(layers, title, HEIGHT, {"front": front, "dots": dots, "small": small})
