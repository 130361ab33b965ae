"""What the charts of a study share: colours of configurations, dashes of series, and the axis of
what was swept."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import altair as alt

from services.report import theme
from services.report.charts.frame import BESIDE, Rows
from services.studies.configuration import Configuration
from services.studies.curves import series_of
from services.studies.scaling import Interval, Scaling
from services.studies.swept import SweptAxis
from services.studies.work import Work, differing_labels

DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])
MAX_SERIES = len(DASHES)
MAX_CONFIGURATIONS = len(theme.LIGHT.runs)


def shown_configurations(scaling: Scaling) -> tuple[Configuration, ...]:
    """Return the configurations to draw, at most as many as there are colours."""
    return scaling.configurations[:MAX_CONFIGURATIONS]


def colour(scaling: Scaling, rows: Rows, dark: bool) -> alt.Color:
    """Return the colour channel of the field `configuration`, the same in all charts of the study.
    The legend lists the configurations of the rows; there is no legend for a single one."""
    labels = [scaling.labels[shown] for shown in shown_configurations(scaling)]
    scale = alt.Scale(domain=labels, range=[theme.colour(i, dark) for i in range(len(labels))])
    listed = [label for label in labels if any(row["configuration"] == label for row in rows)]
    legend = alt.Legend(values=listed, columns=BESIDE, symbolOpacity=1, orient="top")
    return alt.Color("configuration:N", scale=scale, legend=legend if len(listed) > 1 else None)


def series_labels(
    scaling: Scaling, series_of: Callable[[Work], Work] = series_of
) -> dict[Work, str]:
    """Return the labels of the series, whose works differ in more than what was swept; at most
    MAX_SERIES."""
    series = list(dict.fromkeys(map(series_of, scaling.works)))
    return {work: " · ".join(differing_labels(work, series)) for work in series[:MAX_SERIES]}


def dash(labels: Sequence[str], dark: bool) -> alt.StrokeDash:
    """Return the dash channel of the field `series`."""
    legend = alt.Legend(columns=BESIDE, symbolStrokeColor=theme.palette(dark).ink, orient="top")
    scale = alt.Scale(domain=list(labels), range=list(DASHES[: len(labels)]))
    return alt.StrokeDash("series:N", scale=scale, legend=legend if len(labels) > 1 else None)


def size_axis(sizes: Sequence[int], axis: SweptAxis) -> alt.X:
    """Return the axis of what was swept; logarithmic if the values are far apart."""
    log = max(sizes) > 4 * min(sizes)
    return alt.X(
        "size:Q",
        title=axis.title("log scale" if log else ""),
        scale=alt.Scale(
            type="log" if log else "linear",
            zero=alt.Undefined if log else False,
            nice=False,
            padding=24,
        ),
        axis=alt.Axis(values=sorted(set(sizes)), format=",d", labelOverlap="greedy"),
    )


def ends(level: Interval) -> dict[str, object]:
    """Return a mean as fields of a row; without an interval, low and high are the mean itself."""
    low, high = level.low, level.high
    has_interval = low is not None and high is not None
    return {
        "value": level.value,
        "low": low if has_interval else level.value,
        "high": high if has_interval else level.value,
        "interval": has_interval,
        "between": f"{low:.4g} – {high:.4g}" if has_interval else "too few repeats",
    }


def interval_notes(rows: Sequence[dict[str, object]]) -> list[str]:
    """Return sentences on the vertical lines and on dots without them."""
    sentences = []
    if any(row["interval"] for row in rows):
        sentences.append("Vertical lines are 95 % intervals over repeats.")
    if not all(row["interval"] for row in rows):
        sentences.append("A dot without a vertical line has too few repeats for an interval.")
    return sentences


def left_out(scaling: Scaling, series_of: Callable[[Work], Work] = series_of) -> list[str]:
    """Return sentences on what is shown only in the table."""
    sentences = []
    if len(scaling.configurations) > MAX_CONFIGURATIONS:
        sentences.append(
            f"The first {MAX_CONFIGURATIONS} of {len(scaling.configurations)} are shown."
        )
    if len(set(map(series_of, scaling.works))) > MAX_SERIES:
        sentences.append(f"Only the first {MAX_SERIES} loads are shown.")
    return sentences
