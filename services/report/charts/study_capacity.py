"""The capacity of each configuration of a study, with its interval, and those of fresh starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import altair as alt

from services.report import theme
from services.report.charts.frame import Rows, fitting_scale, heading, layer_chart
from services.studies.highest import ENDED
from services.studies.highest_wording import highest_of_study, labels_of_study, works_of
from services.studies.study import Study

AXIS = alt.Axis(grid=True, tickCount=8)
QUESTION = "Which configuration sustains the highest load?"


@dataclass(frozen=True, slots=True)
class StudyCapacityChart:
    """A chart of a study that searches for capacities, and the question that it answers."""

    name: str
    question: str
    draw: Callable[[Study, bool], alt.LayerChart | None]
    nothing: str = ""  # the chart is left out if nothing was measured


STARTS = {False: "first search", True: "fresh start"}


def study_capacities(study: Study, dark: bool = False) -> alt.LayerChart | None:
    """Draw each search that has a capacity as a dot with its 95 % interval, with the best
    configuration on top; None if there is no capacity yet."""
    rows = _rows(study)
    if not rows or study.config.search is None:
        return None
    scale, note = fitting_scale([row[end] for row in rows for end in ("low", "high")])
    order = list(dict.fromkeys(row["configuration"] for row in rows))
    y = alt.Y("configuration:N", title=None, sort=order, axis=alt.Axis(labelLimit=260))
    offset = alt.YOffset("place:N")
    colour = alt.Color(
        "kind:N",
        title=None,
        scale=alt.Scale(
            domain=list(STARTS.values()),
            range=[theme.palette(dark).muted, theme.palette(dark).runs[0]],
        ),
        legend=alt.Legend(orient="bottom"),
    )
    x = alt.X("low:Q", title=f"Capacity ({study.config.search.unit}{note})", scale=scale, axis=AXIS)
    about = [
        alt.Tooltip("configuration:N", title="Configuration"),
        alt.Tooltip("kind:N", title="Search"),
        alt.Tooltip("value:Q", title="Capacity", format=".4g"),
        alt.Tooltip("low:Q", title="95 % from", format=".4g"),
        alt.Tooltip("high:Q", title="to", format=".4g"),
    ]
    data = alt.NamedData("capacities")
    bars = alt.Chart(data).mark_rule(strokeWidth=2)
    dots = alt.Chart(data).mark_point(filled=True, size=80, opacity=1)
    layers = [
        bars.encode(x=x, x2="high:Q", y=y, yOffset=offset, color=colour, tooltip=about),
        dots.encode(
            x=alt.X("value:Q", scale=scale), y=y, yOffset=offset, color=colour, tooltip=about
        ),
    ]
    title = heading(QUESTION, "Lines are 95 % intervals.", _missing(study))
    return layer_chart(layers, title, max(120, 26 * len(rows) + 40), {"capacities": rows})


def _missing(study: Study) -> str:
    """Say which configurations have ended without a capacity, which have no row."""
    labels = labels_of_study(study)
    ended = [s for s in study.searches if not s.capacity.start and s.capacity.status in ENDED]
    names = [labels[search.engine] for search in ended if search.found is None]
    return (
        f"Not shown, since no capacity is known: {', '.join(dict.fromkeys(names))}."
        if names
        else ""
    )


def _rows(study: Study) -> Rows:
    found, labels = highest_of_study(study), labels_of_study(study)
    rows: Rows = []
    for of_work, work in zip(found, works_of(found), strict=True):
        for one in of_work.ranked:
            name = " · ".join(filter(None, (labels[one.engine], work)))
            again = of_work.starts_of(one)
            middle = max((each.capacity.start for each in of_work.again), default=0) // 2
            for each in (one, *again):
                if each.found is not None:
                    start = each.capacity.start
                    place = start if again else middle  # beside the name if there is no other
                    ends = {"low": each.found.low, "high": each.found.high}
                    rows.append(
                        {"configuration": name, "kind": STARTS[start > 0], "place": str(place)}
                        | {"value": each.found.value, **ends}
                    )
    return rows


HIGHEST = StudyCapacityChart("capacities", QUESTION, study_capacities)
