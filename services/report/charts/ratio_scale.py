"""The scale of ratios to the baseline: logarithmic, with round ticks around 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from services.analysis.compare import Candidate
from services.report.charts.frame import wrapped_on_phone

WIDEST = 64.0  # ratio, either way; intervals that reach beyond are cut off
TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 0.67, 0.8, 0.9, 0.95, 1.05, 1.1, 1.25, 1.5, 2, 5, 10, 20, 50)
CLOSENESS = 0.06  # share of the axis: ticks closer to each other are left out
TIMES = "format(datum.value, '~r') + '×'"  # a ratio as in sentences and tables
WISHES = "↑\N{NO-BREAK SPACE}more is better, ↓\N{NO-BREAK SPACE}less is better."
NARROW = 17  # characters of a name beside the axis on a phone
AXIS = "Relative to baseline (log scale)"


def ratio_scale(
    ratios: Sequence[float], ends: Sequence[float] = (), least: float = 1.1
) -> tuple[alt.Scale, dict[str, Any]]:
    """Return a scale for all ratios and for the ends of their intervals up to WIDEST, and the
    arguments of its axis. It spans at least `least` and its inverse."""
    low, high = _reach(ratios, ends, least)
    ticks = _ticks(low, high)
    scale = alt.Scale(type="log", domain=[low, high], nice=False)
    axis = {"values": ticks, "tickCount": len(ticks), "labelExpr": TIMES}
    return scale, axis | {"labelOverlap": "greedy", "labelSeparation": 5}


def bands(
    field: str, names: Sequence[str], candidates: Sequence[Candidate]
) -> tuple[alt.Y, alt.YOffset]:
    """Return the axis with a band for each of `names`, and the offset of each run within a band."""
    axis = alt.Axis(labelExpr=wrapped_on_phone(names, NARROW), labelLineHeight=12)
    y = alt.Y(f"{field}:N", title=None, sort=list(names), axis=axis)
    return y, alt.YOffset("run:N", sort=[c.label for c in candidates])


def _reach(ratios: Sequence[float], ends: Sequence[float], least: float) -> tuple[float, float]:
    low = min(1 / least, *ratios, *ends) / 1.05
    high = max(least, *ratios, *ends) * 1.05
    widest = min(1 / WIDEST, *ratios) / 1.05, max(WIDEST, *ratios) * 1.05
    return max(low, widest[0]), min(high, widest[1])


def _ticks(low: float, high: float) -> list[float]:
    """Return round ratios within the scale, from 1 outwards, without any that is too close to
    another."""
    share = (high / low) ** CLOSENESS
    chosen = [1.0]
    for tick in sorted(TICKS, key=lambda t: max(t, 1 / t)):
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
