"""What the charts of a capacity search share: an axis of loads, a color for each server, and its
capacity as a band."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import altair as alt

from services.report import theme
from services.report.capacity import server_names
from services.report.charts.frame import BESIDE, Rows
from services.studies.capacity import Capacity

HEIGHT = 300
ROOM = 1.2  # on both sides of the loads, as a ratio
DIGITS, MORE_DIGITS = (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)  # of the ticks
LARGEST, SMALLEST = 200, 90  # marks, in square pixels
CLOSE = 8.0  # below this ratio of the highest to the lowest load, more ticks fit
STATES = {"yes": "circle", "no": "cross", "queue grows": "triangle"}


@dataclass(frozen=True)
class LoadFrame:
    """The load axis from `low` to `high`, in the unit of a search, and the names of its servers."""

    capacity: Capacity
    called: tuple[str, ...]
    low: float
    high: float
    dark: bool

    @property
    def unit(self) -> str:
        return "Users" if self.capacity.config.load == "users" else "Requests per second"

    def x(self, field: str = "load") -> alt.X:
        """Return the axis for a field of rows."""
        domain = [self.low / ROOM, self.high * ROOM]
        scale = alt.Scale(type="log", domain=domain, nice=False, clamp=True)
        title = f"{self.unit}, log scale"
        digits = MORE_DIGITS if self.high < CLOSE * self.low else DIGITS
        steps = (digit * 10.0**power for power in range(-2, 5) for digit in digits)
        ticks = [tick for tick in steps if domain[0] <= tick <= domain[1]]
        axis = alt.Axis(grid=False, values=ticks or alt.Undefined, labelOverlap="greedy")
        return alt.X(f"{field}:Q", title=title, scale=scale, axis=axis)

    @property
    def colour(self) -> alt.Color:
        """A colour for each server; with a legend if there are several."""
        hues = list(theme.palette(self.dark).runs[: len(self.called)])
        legend = (
            alt.Legend(orient="top", columns=BESIDE, symbolOpacity=1)
            if len(self.called) > 1
            else None
        )
        scale = alt.Scale(domain=list(self.called), range=hues)
        return alt.Color("server:N", title=None, scale=scale, legend=legend)

    @property
    def shape(self) -> alt.Shape:
        """The result of a probe: sustained, not sustained, or a growing queue."""
        scale = alt.Scale(domain=list(STATES), range=list(STATES.values()))
        return alt.Shape("state:N", legend=None, scale=scale)

    @property
    def size(self) -> alt.Size:
        """Smaller marks for each further server, which are drawn above those of the ones before: of
        two marks at one place, both are seen."""
        last = len(self.called) - 1
        step = (LARGEST - SMALLEST) / max(1, last)
        sizes = [SMALLEST + step * (last - index) for index in range(last + 1)]
        # Without its type, it would be a point scale, which has no value for a single server.
        scale = alt.Scale(type="ordinal", domain=list(self.called), range=sizes)
        return alt.Size("server:N", legend=None, scale=scale)

    def bands(self) -> list[alt.Chart]:
        """Return layers for the capacity and interval of each server, from `band_rows`."""
        data = alt.Chart(alt.NamedData("bands"))
        band, middle = data.mark_rect(opacity=0.18), data.mark_rule(strokeWidth=2)
        return [
            band.encode(x=self.x("low"), x2=alt.X2("high:Q"), color=self.colour),
            middle.encode(x=self.x("value"), color=self.colour).transform_filter(
                "isValid(datum.value)"
            ),
        ]

    def bands_explained(self) -> str:
        """Return what the bands are, for the title."""
        brackets = [row["value"] is None for row in self.band_rows()]
        if brackets and all(brackets):
            return "Band: between which loads the capacity is, as far as is known."
        bracket = " Without a line: only two loads are known, between which it is."
        found = "Line and band: the capacity and its 95 % interval."
        return found + bracket * any(brackets)

    def band_rows(self) -> Rows:
        found = [
            (name, self.capacity.estimate_so_far(server)) for server, name in enumerate(self.called)
        ]
        return [
            {
                "server": name,
                "low": estimate.low,
                "high": estimate.high,
                "value": None if estimate.kind == "bracket" else estimate.value,
            }
            for name, estimate in found
            if estimate is not None and estimate.low and estimate.high
        ]

    def about(self) -> list[alt.Tooltip]:
        """Return the tooltip fields of every probe."""
        return [
            alt.Tooltip("server:N", title="Server"),
            alt.Tooltip("load:Q", title=self.unit, format=",.4~r"),
        ]


def load_frame(capacity: Capacity, rows: Iterable[dict[str, Any]], dark: bool) -> LoadFrame:
    """Return the frame for rows that each have a `load`; there must be at least one."""
    loads = [row["load"] for row in rows]
    return LoadFrame(capacity, tuple(server_names(capacity)), min(loads), max(loads), dark)
