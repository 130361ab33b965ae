"""The charts of a study: each answers one question about all its cells, with at most 5,000
marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import altair as alt

from services.report.charts.scaling_batch import batch_efficiency, batch_latency, batch_throughput
from services.report.charts.scaling_devices import speedup
from services.report.charts.scaling_heat import heat
from services.studies.cell import MeasuredCell
from services.studies.swept import swept_axis
from services.studies.work import work_of


class DrawStudy(Protocol):
    """Draws the cells of a study. None: there is nothing to show."""

    def __call__(
        self, measured: Sequence[MeasuredCell], dark: bool = False
    ) -> alt.LayerChart | None: ...


@dataclass(frozen=True)
class StudyChart:
    """A chart: the question it answers, and the message to show if `draw` returns None. Without a
    message, the chart and its question are then left out. {} in the question and the title stands
    for what the study swept, see `worded`."""

    name: str
    question: str
    title: str
    draw: DrawStudy
    nothing: str = ""


def worded(chart: StudyChart, measured: Sequence[MeasuredCell]) -> StudyChart:
    """Return a chart whose question and title name what these cells swept."""
    name = swept_axis([work_of(each.cell.config) for each in measured]).name
    return replace(chart, question=chart.question.format(name), title=chart.title.format(name))


STUDY_CHARTS = (
    StudyChart(
        "speedup", "How does throughput scale with devices?", "Speed-up against devices", speedup
    ),
    StudyChart(
        "batch_throughput",
        "How does throughput change with {}?",
        "Throughput against {}",
        batch_throughput,
    ),
    StudyChart(
        "batch_latency",
        "How does latency change with {}?",
        "Latency against {}",
        batch_latency,
    ),
    StudyChart(
        "batch_efficiency",
        "How efficiently is each device used?",
        "Efficiency by {}",
        batch_efficiency,
    ),
    StudyChart("heat", "Which cells give the most throughput?", "Throughput of every cell", heat),
)
