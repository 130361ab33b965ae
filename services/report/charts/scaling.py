"""The charts of a study: each answers one question about all its cells, with at most 5,000
marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import altair as alt

from services.report.charts.scaling_batch import batch_efficiency, batch_latency, batch_throughput
from services.report.charts.scaling_devices import speedup
from services.report.charts.scaling_heat import heat
from services.studies.cell import Measured


class DrawStudy(Protocol):
    """Draws the cells of a study. None: there is nothing to show."""

    def __call__(
        self, measured: Sequence[Measured], dark: bool = False
    ) -> alt.LayerChart | None: ...


@dataclass(frozen=True)
class StudyChart:
    """A chart: the question it answers, and the message to show if `draw` returns None. Without a
    message, the chart and its question are then left out."""

    name: str
    question: str
    title: str
    draw: DrawStudy
    nothing: str = ""


STUDY_CHARTS = (
    StudyChart(
        "speedup", "How does throughput scale with devices?", "Speed-up against devices", speedup
    ),
    StudyChart(
        "batch_throughput",
        "How does throughput grow with concurrency?",
        "Throughput against concurrency",
        batch_throughput,
    ),
    StudyChart(
        "batch_latency",
        "How does latency grow with concurrency?",
        "Latency against concurrency",
        batch_latency,
    ),
    StudyChart(
        "batch_efficiency",
        "How efficiently is each device used?",
        "Efficiency by concurrency",
        batch_efficiency,
    ),
    StudyChart("heat", "Which cells give the most throughput?", "Throughput of every cell", heat),
)
