"""The Pareto front of runs: speed of a request against throughput, and against price.

For runs selected in History, from their stored summaries. The charts of a comparison draw the same
line, see `scatter`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, Literal

import altair as alt

from services.analysis.metrics import Better
from services.analysis.pareto import LeaderboardEntry, Measure, pareto_front, ranked
from services.base.units import many
from services.report import theme
from services.report.charts.frame import HALO, Rows, heading, hollow, layer_chart, roomy_scale

SPEED = "Tokens/s per request, median"
THROUGHPUT = "Output throughput (tokens/s)"
PRICE = "USD per million output tokens"
UP: tuple[Better, Better] = ("higher", "higher")
CHEAP: tuple[Better, Better] = ("lower", "higher")
FRONT = "Dashed: the Pareto front, the runs that no other run beats."
FILLED = "Filled dots: the Pareto front, the runs that no other run beats."
JOINED = "The dashed line joins them."
RANKS = "#1 is first in the ranking."
CLOSE = 0.06  # share of an axis: names of closer dots are placed above and below them
NARROW = 620  # pixels of a plot; in a narrower one, dots have only their rank beside them
HEIGHT = 360
CHARACTER = 0.014  # share of an axis that a character of a name takes; twice that in a narrow plot
NAMED = 12  # dots with a name beside them: all, or those on the front; others have a tooltip


def pareto(
    standings: Sequence[LeaderboardEntry],
    against: Literal["throughput", "price"],
    by: Measure = "throughput",
    dark: bool = False,
    links: bool = False,
) -> alt.LayerChart | None:
    """Draw runs by their speed against throughput or price, each with its rank by a measure; None
    if no run has both. With `links`, a click on a dot opens its run."""
    across, up = AXES[against]
    dots: Rows = [
        {
            "run": each.label,
            "rank": "" if rank is None else f"#{rank}",
            "x": each.of(across[0]),
            "y": each.of(up[0]),
            **({"url": f"/result?run={each.run_id}"} if links else {}),
        }
        for rank, each in ranked(standings, by)
        if each.of(across[0]) is not None and each.of(up[0]) is not None
    ]
    if not dots:
        return None
    better = CHEAP if against == "price" else UP
    best = front_of(dots, better, least=1)
    for dot in dots:
        dot["on_front"] = dot in best
    unknown = len(standings) - len(dots)
    title = heading(
        TITLES[against],
        DIRECTIONS[against],
        RANKS,
        FILLED,
        JOINED if len(best) > 1 else "",
        f"Not shown: {many(unknown, 'run')} without these numbers." if unknown else "",
    )
    layers = _layers(dots, dark, (across[1], up[1]), against, links)
    return layer_chart(layers, title, HEIGHT, {"front": best, "dots": dots})


def front_of(dots: Rows, better: tuple[Better, Better], least: int = 2) -> Rows:
    """Return the rows on the front, in the order of x; [] if there are fewer than `least`."""
    chosen = [dots[index] for index in pareto_front([(dot["x"], dot["y"]) for dot in dots], better)]
    return chosen if len(chosen) >= least else []


def front_line(dark: bool, steps: Literal["step-before", "step-after"]) -> alt.Chart:
    """Return the line of the data set `front`; a run on it beats every run behind it."""
    data = alt.Chart(alt.NamedData("front"))
    line: alt.Chart = data.mark_line(
        interpolate=steps, strokeDash=[5, 4], strokeWidth=1.5, color=theme.palette(dark).muted
    )
    return line


def _layers(
    dots: Rows, dark: bool, titles: tuple[str, str], against: str, links: bool
) -> list[alt.Chart]:
    look = theme.palette(dark)
    across, across_note = roomy_scale([dot["x"] for dot in dots])
    up, up_note = roomy_scale([dot["y"] for dot in dots])
    x = alt.X("x:Q", title=titles[0] + across_note, scale=across, axis=alt.Axis(grid=True))
    y = alt.Y("y:Q", title=titles[1] + up_note, scale=up, axis=alt.Axis(format=",.3~r"))
    tooltip = [
        alt.Tooltip("run:N", title="Run"),
        alt.Tooltip("rank:N", title="Rank"),
        alt.Tooltip("x:Q", title=titles[0], format=",.4~r"),
        alt.Tooltip("y:Q", title=titles[1], format=",.4~r"),
    ]
    href: dict[str, Any] = {"href": alt.Href("url:N")} if links else {}
    data = alt.Chart(alt.NamedData("dots"))
    on_front = "datum.on_front"
    circles = data.mark_point(filled=True, size=130, opacity=1, color=look.runs[0])
    others = hollow(data, dark, size=80, strokeWidth=2, color=look.inconclusive)
    behind = others.transform_filter(f"!{on_front}").encode(x=x, y=y, tooltip=tooltip, **href)
    return [
        front_line(dark, "step-after" if against == "price" else "step-before").encode(x=x, y=y),
        # An empty layer would be an unnamed image to a screen reader.
        *([behind] if any(not dot["on_front"] for dot in dots) else []),
        circles.transform_filter(on_front).encode(x=x, y=y, tooltip=tooltip, **href),
        *(label.encode(x=x, y=y) for label in _labels(data, dots, look.paper)),
    ]


def _labels(data: alt.Chart, dots: Rows, paper: str) -> list[alt.Chart]:
    """The rank of each dot and, where there is room, its name, toward the middle of the plot so
    that none is cut off; below each a halo, so that the front does not cross it."""
    named = dots if len(dots) <= NAMED else [dot for dot in dots if dot["on_front"]]
    names = {dot["run"] for dot in named} if len(named) <= NAMED else set()
    middle = (min(dot["x"] for dot in dots) + max(dot["x"] for dot in dots)) / 2
    for dot in dots:
        dot["right"] = dot["x"] > middle
    ranks = {dot["run"]: [dot["rank"]] for dot in dots}
    full = {name: [f"{rank} {name}".strip(), rank] for name, (rank,) in ranks.items()}
    _place(dots, "wide", {name: full[name] if name in names else ranks[name] for name in ranks})
    _place(dots, "narrow", ranks, 2)
    size = f"(width < {NARROW} ? 'narrow' : 'wide')"
    at: dict[str, Any] = {
        "align": alt.ExprRef("datum.right ? 'right' : 'left'"),
        "dx": alt.ExprRef("datum.right ? -9 : 9"),
        "dy": alt.ExprRef(f"datum[{size} + '_below'] ? 12 : -9"),
        "text": alt.ExprRef(f"datum[{size}]"),
    }
    halo = data.mark_text(stroke=paper, **HALO, **at)
    return [halo, data.mark_text(**at)]


def _place(dots: Rows, size: str, texts: dict[str, list[str]], scale: int = 1) -> None:
    """Give each dot the first of its texts that has room above it or, if that would cover another
    there, below it; "" if none has. Those on the front come first."""
    across, up = ([float(dot[axis]) for dot in dots] for axis in "xy")
    span = max(up) - min(up) or 1.0
    taken: list[tuple[float, float, float]] = []  # the height of a label, its left and right end
    for dot in sorted(dots, key=lambda each: (not each["on_front"], -float(each["y"]))):
        dot[size] = ""
        for text, below in product(texts[dot["run"]], (False, True)):
            length = len(text) * scale * CHARACTER * max(across)
            left = dot["x"] - length * dot["right"]
            at = dot["y"] + span * CLOSE * (-0.5 if below else 0.5)
            if all(
                abs(at - y) >= CLOSE * span or left > end or left + length < start
                for y, start, end in taken
            ):
                taken.append((at, left, left + length))
                dot |= {size: text, f"{size}_below": below}
                break


Axis = tuple[Measure, str]
AXES: dict[str, tuple[Axis, Axis]] = {
    "throughput": (("speed", SPEED), ("throughput", THROUGHPUT)),
    "price": (("price", PRICE), ("speed", SPEED)),
}
TITLES = {
    "throughput": "Throughput against the speed of a request",
    "price": "Price against the speed of a request",
}
DIRECTIONS = {
    "throughput": "Further right: each request is faster. Further up: higher throughput.",
    "price": "Up: faster. Left: cheaper.",
}
