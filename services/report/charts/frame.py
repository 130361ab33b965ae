"""What all charts share: headings, colours of runs, scales, lanes, and the Vega-Lite spec.

Every chart is a single view as wide as its container, even with several runs: concatenated views
cannot adapt to the width of a phone. Several runs are drawn in *lanes* instead, one above the other
on a single axis, so that all have the same scale.
"""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
from altair.utils import schemapi

from services.analysis.compare import Candidate
from services.report import theme

# Validation takes a third of the time of a chart; the tests validate every chart.
schemapi.DEBUG_MODE = False

Rows = list[dict[str, Any]]

# The width includes axes and titles, the height does not: a long subtitle leaves the plot as high.
FIT: dict[str, Any] = {"type": "fit-x", "contains": "padding"}
LINE_LENGTH = 56  # Vega does not wrap subtitles; this many characters fit a phone
ROUND = (1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10)
# Columns of the legend; one on a phone. Based on the width of the container: that of the plot
# shrinks while its axis is laid out, and a legend that then grew by a line would cut off the title.
WIDTH = "(isFinite(containerSize()[0]) ? containerSize()[0] : width)"
BESIDE = alt.ExprRef(f"max(1, floor({WIDTH} / 270))")
SHORT, PHONE = 24, 480  # characters of a label that fit beside those of an axis; pixels
# Of a text, in the colour behind it and below the text itself, so that no line crosses it.
HALO: dict[str, Any] = {"aria": False, "strokeWidth": 4, "strokeJoin": "round"}
LANE = 0.72  # share of a lane that its data fill; the run's name is above them


def heading(text: str, *sentences: str) -> alt.TitleParams:
    """Return a title whose subtitle consists of the non-empty sentences, in short lines."""
    lines = textwrap.wrap(" ".join(filter(None, sentences)), LINE_LENGTH, break_on_hyphens=False)
    return alt.TitleParams(text=textwrap.wrap(text, 44), subtitle=lines)


def run_colour(
    candidates: Sequence[Candidate],
    dark: bool,
    listed: Sequence[Candidate] | None = None,
    below: bool = False,
) -> alt.Color:
    """Return the colour channel of the field `run`.

    The legend lists `listed`, by default all candidates; there is no legend for a single one. It is
    above the chart, or `below` it if another legend is above.
    """
    ids = [candidate.run.id for candidate in candidates]
    scale = alt.Scale(
        domain=[candidate.label for candidate in candidates],
        range=[theme.colour_of(run_id, ids, dark) for run_id in ids],
    )
    labels = [c.label for c in (candidates if listed is None else listed)]
    orient: Literal["top", "bottom"] = "bottom" if below else "top"
    legend = alt.Legend(
        values=labels,
        columns=BESIDE,
        symbolOpacity=1,
        orient=orient,
        labelExpr=wrapped_on_phone(labels, SHORT),
    )
    return alt.Color("run:N", scale=scale, legend=legend if len(labels) > 1 else None)


def wrapped_on_phone(labels: Sequence[str], most: int, otherwise: str = "datum.label") -> str:
    """Return labels as Vega's expression: on a phone, those of more than `most` characters take
    several lines; an arrow at the end stays with its word."""
    together = {label: re.sub(r" (\S)$", "\N{NO-BREAK SPACE}\\1", label) for label in labels}
    lines = {label: textwrap.wrap(together[label], most) for label in labels if len(label) > most}
    if not lines:
        return otherwise
    return f"{WIDTH} < {PHONE} ? ({json.dumps(lines)}[datum.label] || {otherwise}) : {otherwise}"


def hollow(data: alt.Chart, dark: bool, **look: Any) -> alt.Chart:
    """Return the data as rings that cover the lines below them."""
    paper = theme.palette(dark).paper
    rings: alt.Chart = data.mark_point(filled=False, fill=paper, opacity=1, **look)
    return rings


def repeat_note(candidates: Sequence[Candidate], repeat: int) -> str:
    """Return the number of the repeat that is drawn, as text; "" if there is only one. `repeat`
    counts from 0."""
    most = max(len(candidate.summary.repeats) for candidate in candidates)
    return f"Repeat {repeat + 1} of {most}.".replace(" ", "\N{NO-BREAK SPACE}") if most > 1 else ""


def round_up(value: float) -> float:
    """Round up to one of ROUND times a power of ten; half of the result is a short number, too."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * power for step in ROUND if step * power >= value * 0.999999)


def even_indices(count: int, most: int) -> list[int]:
    """Return at most `most` evenly spaced indices below `count`, with the first and the last."""
    if count <= most:
        return list(range(count))
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})


def fitting_scale(values: Sequence[float]) -> tuple[alt.Scale, str]:
    """Return a scale for the values, and a note for the axis title.

    It starts at zero unless that would squeeze the values together, and is logarithmic if the
    highest value is more than thirty times the lowest. What lies beyond it ends there: Vega's own
    clipping (`clip`) cuts marks off where a plot became wider after it was drawn first.
    """
    low, high = min(values), max(values)
    if low > 0 and high > 30 * low:
        domain = [low * 0.9, high * 1.1]
        return alt.Scale(type="log", domain=domain, nice=False, clamp=True), ", log scale"
    start = low - 0.1 * (high - low) if low > 0.5 * high and high > low else 0.0
    return alt.Scale(domain=[start, high * 1.02 or 1.0], nice=False, clamp=True), ""


def roomy_scale(values: Sequence[float]) -> tuple[alt.Scale, str]:
    """Return a scale for dots with labels above them, and a note for the axis title.

    Like `fitting_scale`, but values that are close together are in the middle, and differences of
    a few per cent do not fill the scale.
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
    """One lane for each run, the first on top, each with a scale from 0 to `top`."""

    count: int
    top: float

    def y_of(self, lane: int, value: float) -> float:
        """Return where on the common axis a value of a lane lies."""
        return self.count - 1 - lane + LANE * value / self.top

    def axis(self, title: str) -> alt.Y:
        """Return the axis, labelled with the values of each lane."""
        steps = 5 if self.count == 1 else 3
        ticks = [self.top * step / (steps - 1) for step in range(steps)]
        values = [self.y_of(lane, tick) for lane in range(self.count) for tick in ticks]
        value = f"(datum.value - floor(datum.value + 1e-6)) * {self.top / LANE}"
        return alt.Y(
            "y:Q",
            scale=alt.Scale(domain=[0, self.count - 1 + (LANE if self.count == 1 else 1)]),
            axis=alt.Axis(
                title=title,
                values=values,
                labelExpr=f"format({value}, ',.3~r')",
                tickCount=len(values),  # otherwise Vega leaves out every other one
                labelOverlap=False,
                grid=True,
            ),
        )

    def name_y(self, lane: int) -> float:
        """Return where on the common axis a run's name is."""
        return self.y_of(lane, self.top)

    @property
    def height(self) -> int:
        """In pixels."""
        return 240 if self.count == 1 else max(84, 180 - 30 * (self.count - 2)) * self.count


@dataclass(frozen=True)
class Mirror:
    """Lanes for two runs that share the zero line: the first points up and the second down, so that
    the same request of both is at the same x."""

    top: float
    count: int = 2
    height: int = 340  # pixels

    def y_of(self, lane: int, value: float) -> float:
        """Return where on the common axis a value of a lane lies."""
        return -value if lane else value

    def axis(self, title: str) -> alt.Y:
        """Return the axis; labels below zero have no sign."""
        reach = self.top * (2 - LANE)
        values = [self.top * step / 2 for step in range(-2, 3)]
        label = "format(abs(datum.value), ',.3~r')"
        axis = alt.Axis(title=title, values=values, labelExpr=label, tickCount=5)
        return alt.Y("y:Q", scale=alt.Scale(domain=[-reach, reach], nice=False), axis=axis)

    def name_y(self, lane: int) -> float:
        """Return where a run's name is: above the bars of the first, below those of the second."""
        return -self.top * (2 - LANE) if lane else self.top


def names(
    candidates: Sequence[Candidate], dark: bool, y: Sequence[float], texts: Sequence[str]
) -> list[alt.Chart]:
    """Return layers with a text for each run at its `y`, after a square in the run's colour. These
    colours have no scale, since a chart may use its colour scale for something else."""
    ids = [candidate.run.id for candidate in candidates]
    rows = [
        {"y": at, "text": text, "hue": theme.colour_of(run_id, ids, dark)}
        for run_id, at, text in zip(ids, y, texts, strict=True)
    ]
    data = alt.Chart(alt.InlineData(values=rows))
    labels = data.mark_text(
        align="left", baseline="bottom", fontSize=12, fontWeight=600, dx=12, dy=-3
    )
    squares = data.mark_square(opacity=1, size=70, yOffset=-10, xOffset=4)
    hue = alt.Fill("hue:N", scale=None, legend=None)  # not Color: the runs may have a legend
    return [
        labels.encode(x=alt.value(0), y=alt.Y("y:Q"), text=alt.Text("text:N")),
        squares.encode(x=alt.value(0), y=alt.Y("y:Q"), fill=hue),
    ]


def layer_chart(
    layers: Sequence[alt.Chart], title: alt.TitleParams, height: int, datasets: dict[str, Rows]
) -> alt.LayerChart:
    """Return a chart of the layers, each of which draws one of the data sets, or none if empty."""
    empty = [alt.NamedData(name) for name, rows in datasets.items() if not rows]
    chart = alt.LayerChart(
        layer=[layer for layer in layers if layer.data not in empty],
        title=title,
        height=height,
        width="container",
        autosize=alt.AutoSizeParams(**FIT),
    )
    # The constructor would copy the rows.
    chart.datasets = {name: rows for name, rows in datasets.items() if rows}
    return chart


def spec(chart: alt.LayerChart, dark: bool = False) -> dict[str, Any]:
    """Return a chart as a Vega-Lite dict that includes the theme, ready for any renderer.

    It is not validated, which would take three times as long; the tests validate every chart. The
    rows are plain data already, so Altair need not convert them.
    """
    bare = chart.copy(deep=False)
    bare.datasets = alt.Undefined
    chart_spec: dict[str, Any] = bare.configure(**theme.config(dark)).to_dict(validate=False)
    return chart_spec | {"datasets": chart.datasets | chart_spec.get("datasets", {})}
