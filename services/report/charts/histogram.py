"""How often each rate occurs, in the same view as the bars of a run: to their right, on their axis.

The counts are drawn as widths in the unit of the bars' axis, so that one view holds both: it stays
aligned, and as wide as a phone.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np

from services.ask.measurements import Floats
from services.base.units import significant
from services.report import theme
from services.report.charts.frame import Rows

LEAST = 8  # values; with fewer, every bar is visible
BINS = 32  # from zero to the top of the axis
WIDE = 0.24  # of the width of the bars
GAP = 0.04  # between the bars and the histogram, likewise


def bins(values: Sequence[float] | Floats, top: float, requests: int) -> Rows:
    """Return a row for each bin with values: from and to on both axes; [] for too few values."""
    if len(values) < LEAST:
        return []
    step = top / BINS
    in_bins = np.minimum((np.asarray(values) / step).astype(np.int64), BINS - 1)
    seen, numbers = np.unique(in_bins, return_counts=True)
    counts = dict(zip(seen.tolist(), numbers.tolist(), strict=True))
    most, start = max(counts.values()), requests * (1 + GAP) + 0.5
    return [
        {
            "x": start,
            "x2": start + requests * WIDE * count / most,
            "y": step * index,
            "y2": step * (index + 1),
            "count": count,
            "rates": f"{significant(step * index)}–{significant(step * (index + 1))}",
        }
        for index, count in counts.items()
    ]


def layer(dark: bool) -> alt.Chart:
    """Return the layer of the rows of `bins`, in the data set "bins"."""
    mark = alt.Chart(alt.NamedData("bins")).mark_rect(
        color=theme.palette(dark).muted, opacity=0.55, stroke=theme.palette(dark).paper
    )
    drawn: alt.Chart = mark.encode(
        x=alt.X("x:Q"),
        x2=alt.X2("x2"),
        y=alt.Y("y:Q"),
        y2=alt.Y2("y2"),
        tooltip=[
            alt.Tooltip("rates:N", title="Tokens/s"),
            alt.Tooltip("count:Q", title="Requests", format=",d"),
        ],
    )
    return drawn
