"""What every chart shares: its heading, the runs' colours, its lanes, and how it becomes a spec.

Every chart is a single view whose width is its container's, also with several runs in it: views
beside or above each other cannot follow the width of a phone. Several runs stand in *lanes*
instead, one above the other on one axis, so that all of them have the same scale.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
from altair.utils import schemapi

from services.analysis.compare import Candidate
from services.report import theme

# A third of the time that a chart takes; the tests validate every chart.
schemapi.DEBUG_MODE = False

Rows = list[dict[str, Any]]

# The width is that of everything, the height that of the plot alone: a long subtitle takes none.
FIT: dict[str, Any] = {"type": "fit-x", "contains": "padding"}
LINE_LENGTH = 56  # a subtitle does not wrap by itself; this many characters fit a phone
ROUND = (1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10)
# Runs in a line of the legend; a phone has one. By the width of everything: that of the plot
# shrinks once its axis is laid out, and a legend that then took a line more pushed the title out.
BESIDE = alt.ExprRef(
    "max(1, floor((isFinite(containerSize()[0]) ? containerSize()[0] : width) / 270))"
)
LANE = 0.72  # how much of a lane its data fill; above them stands the run's name


def heading(text: str, *sentences: str) -> alt.TitleParams:
    """Return a title with a subtitle of the sentences that are not empty, in short lines."""
    lines = textwrap.wrap(" ".join(filter(None, sentences)), LINE_LENGTH)
    return alt.TitleParams(text=textwrap.wrap(text, 44), subtitle=lines)


def run_colour(
    candidates: Sequence[Candidate],
    dark: bool,
    listed: Sequence[Candidate] | None = None,
    below: bool = False,
) -> alt.Color:
    """Return the colour channel of field `run`, every run in its own colour.

    The legend lists `listed`, or else all; none where that would be a single one. It stands above
    the chart, or `below` it where another is above.
    """
    ids = [candidate.run.id for candidate in candidates]
    scale = alt.Scale(
        domain=[theme.label(candidate.run) for candidate in candidates],
        range=[theme.colour_of(run_id, ids, dark) for run_id in ids],
    )
    labels = [theme.label(c.run) for c in (candidates if listed is None else listed)]
    orient: Literal["top", "bottom"] = "bottom" if below else "top"
    legend = alt.Legend(values=labels, columns=BESIDE, symbolOpacity=1, orient=orient)
    return alt.Color("run:N", scale=scale, legend=legend if len(labels) > 1 else None)


def which_repeat(candidates: Sequence[Candidate], repeat: int) -> str:
    """Return which repeat is drawn, where there are several; `repeat` counts from 0."""
    most = max(len(candidate.summary.repeats) for candidate in candidates)
    return f"Repeat {repeat + 1} of {most}.".replace(" ", "\N{NO-BREAK SPACE}") if most > 1 else ""


def nice(value: float) -> float:
    """Return the next number up of ROUND times a power of ten, each well divided into halves."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * power for step in ROUND if step * power >= value * 0.999999)


def thinned(count: int, most: int) -> list[int]:
    """Return at most `most` positions of `count`, evenly spaced, the first and last among them."""
    if count <= most:
        return list(range(count))
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})


def fitting_scale(values: Sequence[float]) -> tuple[alt.Scale, str]:
    """Return a scale that holds the values, and what to say about it.

    It starts at zero unless that would squeeze the values together, and is logarithmic where the
    highest is more than thirty times the lowest.
    """
    low, high = min(values), max(values)
    if low > 0 and high > 30 * low:
        domain = [low * 0.9, high * 1.1]
        return alt.Scale(type="log", domain=domain, nice=False, clamp=True), ", log scale"
    start = low - 0.1 * (high - low) if low > 0.5 * high and high > low else 0.0
    return alt.Scale(domain=[start, high * 1.02 or 1.0], nice=False), ""


def roomy_scale(values: Sequence[float]) -> tuple[alt.Scale, str]:
    """Return a scale for dots, with room for what is written above them, and what to say about it.

    As `fitting_scale`, but values that are close together stand in its middle, and differences of
    a few per cent do not fill it.
    """
    low, high = min(values), max(values)
    if low <= 0.5 * high:
        log = low > 0 and high > 30 * low
        return fitting_scale([low, high * ((high / low) ** 0.1 if log else 1.1)])
    reach = 0.75 * max(high - low, 0.1 * high)
    middle = (low + high) / 2
    return alt.Scale(domain=[middle - reach, middle + reach], nice=False), ""


@dataclass(frozen=True)
class Lanes:
    """One lane for each run, the first on top; in each the scale runs from 0 to `top`."""

    count: int
    top: float

    def place(self, lane: int, value: float) -> float:
        """Return where on the common axis a value of a lane lies."""
        return self.count - 1 - lane + LANE * value / self.top

    def axis(self, title: str) -> alt.Y:
        """Return the axis, labelled with the lanes' own values."""
        steps = 5 if self.count == 1 else 3
        ticks = [self.top * step / (steps - 1) for step in range(steps)]
        values = [self.place(lane, tick) for lane in range(self.count) for tick in ticks]
        unplaced = f"(datum.value - floor(datum.value + 1e-6)) * {self.top / LANE}"
        return alt.Y(
            "y:Q",
            scale=alt.Scale(domain=[0, self.count - 1 + (LANE if self.count == 1 else 1)]),
            axis=alt.Axis(
                title=title,
                values=values,
                labelExpr=f"format({unplaced}, ',.3~r')",
                tickCount=len(values),  # else Vega leaves out every other one
                labelOverlap=False,
                grid=True,
            ),
        )

    def name_at(self, lane: int) -> float:
        """Return where a run's name stands."""
        return self.place(lane, self.top)

    @property
    def height(self) -> int:
        """In pixels."""
        return 240 if self.count == 1 else max(84, 180 - 30 * (self.count - 2)) * self.count


@dataclass(frozen=True)
class Mirror:
    """Lanes for two runs about one zero: the first grows upwards, the second downwards, so that the
    same request of both stands in one line."""

    top: float
    count: int = 2
    height: int = 340  # pixels

    def place(self, lane: int, value: float) -> float:
        """Return where on the common axis a value of a lane lies."""
        return -value if lane else value

    def axis(self, title: str) -> alt.Y:
        """Return the axis; what is below zero is labelled without its sign."""
        reach = self.top * (2 - LANE)
        values = [self.top * step / 2 for step in range(-2, 3)]
        label = "format(abs(datum.value), ',.3~r')"
        axis = alt.Axis(title=title, values=values, labelExpr=label, tickCount=5)
        return alt.Y("y:Q", scale=alt.Scale(domain=[-reach, reach], nice=False), axis=axis)

    def name_at(self, lane: int) -> float:
        """Return where a run's name stands: above the first's bars, below the second's."""
        return -self.top * (2 - LANE) if lane else self.top


def names(
    candidates: Sequence[Candidate], dark: bool, y: Sequence[float], texts: Sequence[str]
) -> list[alt.Chart]:
    """Return the layers that write a text for each run at its own `y`, after a square in the
    run's colour. The colours are not on a scale: a chart may use its scale for something else."""
    ids = [candidate.run.id for candidate in candidates]
    rows = [
        {"y": at, "text": text, "hue": theme.colour_of(run_id, ids, dark)}
        for run_id, at, text in zip(ids, y, texts, strict=True)
    ]
    data = alt.Chart(alt.InlineData(values=rows))
    written = data.mark_text(
        align="left", baseline="bottom", fontSize=12, fontWeight=600, dx=12, dy=-3
    )
    squares = data.mark_square(opacity=1, size=70, yOffset=-10, xOffset=4)
    hue = alt.Fill("hue:N", scale=None, legend=None)  # no colour: the runs' may have a legend
    return [
        written.encode(x=alt.value(0), y=alt.Y("y:Q"), text=alt.Text("text:N")),
        squares.encode(x=alt.value(0), y=alt.Y("y:Q"), fill=hue),
    ]


def layered(
    layers: Sequence[alt.Chart], title: alt.TitleParams, height: int, datasets: dict[str, Rows]
) -> alt.LayerChart:
    """Put layers over one another; each draws one of the named data sets, or nothing if empty."""
    empty = [alt.NamedData(name) for name, rows in datasets.items() if not rows]
    chart = alt.LayerChart(
        layer=[layer for layer in layers if layer.data not in empty],
        title=title,
        height=height,
        width="container",
        autosize=alt.AutoSizeParams(**FIT),
    )
    chart.datasets = {name: rows for name, rows in datasets.items() if rows}  # not to be copied
    return chart


def spec(chart: alt.LayerChart, dark: bool = False) -> dict[str, Any]:
    """Return a chart as a Vega-Lite dict with the theme in it, ready for any renderer.

    Not validated: that takes three times as long, and the tests do it for every chart. The rows
    are data already, so Altair need not look through them for what is not.
    """
    bare = chart.copy(deep=False)
    bare.datasets = alt.Undefined
    found: dict[str, Any] = bare.configure(**theme.config(dark)).to_dict(validate=False)
    return found | {"datasets": chart.datasets | found.get("datasets", {})}
