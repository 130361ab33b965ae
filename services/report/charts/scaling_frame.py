"""What the charts of a study share: a colour for each configuration, a dash for each series, and
the axis of batch sizes."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from services.report import theme
from services.report.charts.frame import BESIDE, Rows
from services.studies.configuration import Configuration
from services.studies.curves import series_of
from services.studies.scaling import Interval, Scaling
from services.studies.work import Work, differing_labels

DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])
MOST_SERIES = len(DASHES)
MOST_CONFIGURATIONS = len(theme.LIGHT.runs)


def drawn(found: Scaling) -> tuple[Configuration, ...]:
    """Return the configurations that are told apart by colour: more of them nobody can."""
    return found.configurations[:MOST_CONFIGURATIONS]


def colour(found: Scaling, rows: Rows, dark: bool) -> alt.Color:
    """Return the colour channel of field `configuration`, the same in every chart of the study; its
    legend lists those of the rows, and there is none where that would be a single one."""
    labels = [found.labels[one] for one in drawn(found)]
    scale = alt.Scale(domain=labels, range=[theme.colour(at, dark) for at in range(len(labels))])
    listed = [label for label in labels if any(row["configuration"] == label for row in rows)]
    legend = alt.Legend(values=listed, columns=BESIDE, symbolOpacity=1, orient="top")
    return alt.Color("configuration:N", scale=scale, legend=legend if len(listed) > 1 else None)


def series_labels(found: Scaling) -> dict[Work, str]:
    """Name the series of works which differ in more than their batch size; at most MOST_SERIES."""
    series = list(dict.fromkeys(map(series_of, found.works)))
    return {one: " · ".join(differing_labels(one, series)) for one in series[:MOST_SERIES]}


def dash(labels: Sequence[str], dark: bool) -> alt.StrokeDash:
    """Return the dash channel of field `series`."""
    legend = alt.Legend(columns=BESIDE, symbolStrokeColor=theme.palette(dark).ink, orient="top")
    scale = alt.Scale(domain=list(labels), range=list(DASHES[: len(labels)]))
    return alt.StrokeDash("series:N", scale=scale, legend=legend if len(labels) > 1 else None)


def size_axis(sizes: Sequence[int], word: str) -> alt.X:
    """Return the axis of batch sizes, or what else they are called, logarithmic where they are far
    apart."""
    log = max(sizes) > 4 * min(sizes)
    return alt.X(
        "size:Q",
        title=word.capitalize() + (" (log scale)" if log else ""),
        scale=alt.Scale(
            type="log" if log else "linear",
            zero=alt.Undefined if log else False,
            nice=False,
            padding=24,
        ),
        axis=alt.Axis(values=sorted(set(sizes)), format=",d", labelOverlap="greedy"),
    )


def ends(found: Interval) -> dict[str, object]:
    """Return a number with its interval for a row; without one its ends are the number itself."""
    low, high = found.low, found.high
    known = low is not None and high is not None
    return {
        "value": found.value,
        "low": low if known else found.value,
        "high": high if known else found.value,
        "interval": known,
        "between": f"{low:.4g} – {high:.4g}" if known else "too few repeats",
    }


def said(rows: Sequence[dict[str, object]]) -> list[str]:
    """Say what the lines upright are, and which dots have none."""
    words = []
    if any(row["interval"] for row in rows):
        words.append("Vertical lines are 95 % intervals over repeats.")
    if not all(row["interval"] for row in rows):
        words.append("A dot without one has too few repeats.")
    return words


def left_out(found: Scaling) -> list[str]:
    """Say what is only in the table."""
    words = []
    if len(found.configurations) > MOST_CONFIGURATIONS:
        words.append(f"The first {MOST_CONFIGURATIONS} of {len(found.configurations)} are shown.")
    if len(set(map(series_of, found.works))) > MOST_SERIES:
        words.append(f"Only the first {MOST_SERIES} loads are shown.")
    return words
