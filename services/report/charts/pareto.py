"""The Pareto front of runs: speed of a request against throughput, and against price.

For runs selected in History, from their stored summaries. The charts of a comparison draw the same
line, see `scatter`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import altair as alt

from services.analysis.metrics import Better
from services.analysis.pareto import LeaderboardEntry, Measure, pareto_front
from services.base.units import many
from services.report import theme
from services.report.charts.frame import Rows, heading, layer_chart, roomy_scale

SPEED = "Tokens/s per request, median"
THROUGHPUT = "Output tokens/s, all requests together"
PRICE = "USD per million output tokens"
UP: tuple[Better, Better] = ("higher", "higher")
CHEAP: tuple[Better, Better] = ("lower", "higher")
FRONT = "Dashed: the Pareto front, the runs that no other run beats."
CLOSE = 0.06  # share of an axis: names of closer dots are placed above and below them
NARROW = 620  # pixels of a plot; in a narrower one, dots show their rank as name
HEIGHT = 360
CHARACTER = 0.014  # share of an axis that a character of a name takes
NAMED = 12  # dots with a name beside them: all, or those on the front; others have a tooltip


def pareto(
    standings: Sequence[LeaderboardEntry],
    against: Literal["throughput", "price"],
    dark: bool = False,
    links: bool = False,
) -> alt.LayerChart | None:
    """Draw runs by their speed against throughput or price; None if no run has both. With `links`,
    a click on a dot opens its run."""
    across, up = AXES[against]
    dots: Rows = [
        {
            "run": each.label,
            "x": each.of(across[0]),
            "y": each.of(up[0]),
            **({"url": f"/result?run={each.run_id}"} if links else {}),
        }
        for each in standings
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
        FRONT if len(best) > 1 else "",
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
        alt.Tooltip("x:Q", title=titles[0], format=",.4~r"),
        alt.Tooltip("y:Q", title=titles[1], format=",.4~r"),
    ]
    href = {"href": alt.Href("url:N")} if links else {}
    data = alt.Chart(alt.NamedData("dots"))
    on_front = "datum.on_front"
    circles = data.mark_point(filled=True, size=130, opacity=1, color=look.runs[0])
    others = data.mark_point(filled=False, size=80, strokeWidth=2, color=look.undecided)
    behind = others.transform_filter(f"!{on_front}").encode(x=x, y=y, tooltip=tooltip, **href)
    return [
        front_line(dark, "step-after" if against == "price" else "step-before").encode(x=x, y=y),
        # An empty layer would be an unnamed image to a screen reader.
        *([behind] if any(not dot["on_front"] for dot in dots) else []),
        circles.transform_filter(on_front).encode(x=x, y=y, tooltip=tooltip, **href),
        *_names(data, dots, x, y),
    ]


def _names(data: alt.Chart, dots: Rows, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """The names of runs, or of those on the front if there are many, each toward the middle of the
    plot so that none is cut off. A name is above its dot, below it if it would cover another there,
    and left out if there is no room; those on the front come first."""
    named = dots if len(dots) <= NAMED else [dot for dot in dots if dot["on_front"]]
    if len(named) > NAMED:
        return []
    across, up = ([float(dot[axis]) for dot in dots] for axis in "xy")
    middle, span = (min(across) + max(across)) / 2, max(up) - min(up) or 1.0
    taken: list[tuple[float, float, float]] = []  # the height of a name, its left and right end
    for dot in sorted(named, key=lambda each: (not each["on_front"], -float(each["y"]))):
        dot["right"] = dot["x"] > middle
        length = len(dot["run"]) * CHARACTER * max(across)
        left = dot["x"] - length * dot["right"]
        for dot["below"] in (False, True):
            at = dot["y"] + span * CLOSE * (-0.5 if dot["below"] else 0.5)
            dot["named"] = all(
                abs(at - y) >= CLOSE * span or left > end or left + length < start
                for y, start, end in taken
            )
            if dot["named"]:
                taken.append((at, left, left + length))
                break
    label = alt.ExprRef(f"width < {NARROW} ? '' : datum.run")
    return [
        data.mark_text(
            align="right" if right else "left",
            dx=-9 if right else 9,
            dy=12 if below else -9,
            text=label,
        )
        .transform_filter(
            f"datum.named && datum.right == {_js(right)} && datum.below == {_js(below)}"
        )
        .encode(x=x, y=y)
        for right in (False, True)
        for below in (False, True)
    ]


def _js(value: bool) -> str:
    return str(value).lower()


Axis = tuple[Measure, str]
AXES: dict[str, tuple[Axis, Axis]] = {
    "throughput": (("speed", SPEED), ("throughput", THROUGHPUT)),
    "price": (("price", PRICE), ("speed", SPEED)),
}
TITLES = {"throughput": "Throughput against speed", "price": "Price against speed"}
DIRECTIONS = {
    "throughput": "Further right: each request is faster. Further up: higher throughput.",
    "price": "Up: faster. Left: cheaper.",
}
