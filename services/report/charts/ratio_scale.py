"""The scale of ratios to the baseline: logarithmic, with round ticks around 1."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any

import altair as alt

from services.analysis.compare import Candidate
from services.report.charts.frame import PHONE, WIDTH, wrapped_on_phone

WIDEST = 64.0  # ratio, either way; intervals that reach beyond end there
ABOVE = (1.02, 1.05, 1.1, 1.25, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 100)
BELOW = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.33, 0.5, 0.67, 0.8, 0.9, 0.95, 0.98)
MARGIN = 1.02  # beyond the outermost ticks, so that dots on them are not cut off
CLOSENESS = 0.06  # share of the axis: ticks closer to each other are left out
TIMES = "format(datum.value, '~r') + '×'"  # a ratio as in sentences and tables
WISHES = "↑\N{NO-BREAK SPACE}more is better, ↓\N{NO-BREAK SPACE}less is better."
BESIDE_ONE = 34  # pixels: labels closer to that of 1 would overlap it
NARROW = 17  # characters of a name beside the axis on a phone
AXIS = "Relative to baseline (log scale)"


def ratio_scale(
    ratios: Sequence[float],
    ends: Sequence[float] = (),
    least: float = 1.1,
    upright: bool = False,
) -> tuple[alt.Scale, dict[str, Any]]:
    """Return a scale for all ratios and for the ends of their intervals up to WIDEST, and the
    arguments of its axis, which is `upright` or not. It spans at least `least` and its inverse. On
    a narrow plot, ticks close to 1 have no label, so that 1 has one."""
    low, high = _reach(ratios, ends, least)
    ticks = _ticks(low, high)
    scale = alt.Scale(type="log", domain=[low / MARGIN, high * MARGIN], nice=False, clamp=True)
    distance = f"abs(log(datum.value)) / {log(high / low):.6g} * width"
    of_one = f"datum.value != 1 && {distance} < {BESIDE_ONE} ? '' : {TIMES}"
    axis = {
        "values": ticks,
        "tickCount": len(ticks),
        "labelExpr": TIMES if upright else of_one,
        "labelFlush": False,  # the label of an end would be under the next tick
    }
    return scale, axis | {"labelOverlap": "greedy", "labelSeparation": 5}


def bands(
    field: str, names: Sequence[str], candidates: Sequence[Candidate]
) -> tuple[alt.Y, alt.YOffset]:
    """Return the axis with a band for each of `names`, and the offset of each run within a band."""
    # A label of two lines is centred on its first.
    up = alt.ExprRef(f"{WIDTH} < {PHONE} ? -3 : 0") if max(map(len, names)) > NARROW else 0
    axis = alt.Axis(labelExpr=wrapped_on_phone(names, NARROW), labelLineHeight=12, labelOffset=up)
    y = alt.Y(f"{field}:N", title=None, sort=list(names), axis=axis)
    return y, alt.YOffset("run:N", sort=[c.label for c in candidates])


def _reach(ratios: Sequence[float], ends: Sequence[float], least: float) -> tuple[float, float]:
    """Return the ticks that enclose the ratios and the ends up to WIDEST; beyond all ticks, the
    outermost ratios."""
    low = max(min(1 / least, *ratios, *ends), min(1 / WIDEST, *ratios))
    high = min(max(least, *ratios, *ends), max(WIDEST, *ratios))
    return (
        max((tick for tick in BELOW if tick <= low), default=low),
        min((tick for tick in ABOVE if tick >= high), default=high),
    )


def _ticks(low: float, high: float) -> list[float]:
    """Return 1, the ends of the scale if they are round, and other round ratios from 1 outwards,
    without any that is too close to another: of two labels that overlap, Vega drops the higher,
    which must not be that of 1."""
    share = (high / low) ** CLOSENESS
    chosen, round_ends = [1.0], {low, high} & {*BELOW, *ABOVE}
    for tick in (*round_ends, *sorted((*BELOW, *ABOVE), key=lambda t: max(t, 1 / t))):
        apart = all(max(tick / other, other / tick) >= share for other in chosen)
        if low <= tick <= high and apart:
            chosen.append(tick)
    return sorted(chosen)


def baseline_line(ink: str, channel: str, title: str) -> alt.Chart:
    """Return the line of the baseline, at 1 of the channel `x` or `y`."""
    rule = alt.Chart(alt.InlineData(values=[{"one": 1}])).mark_rule(color=ink, strokeWidth=1.5)
    encoding = {"x": alt.X, "y": alt.Y}[channel]("one:Q", title=title)
    line: alt.Chart = rule.encode(**{channel: encoding})
    return line
