"""A study as one HTML file that opens offline, and as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from services.report.export.markdown import render as render_markdown
from services.report.export.page import chart_data, render
from services.report.export.public_study import public_study, study_hash
from services.report.export.study_contents import study_contents
from services.studies.cell import MeasuredCell
from services.studies.report import Device, report

if TYPE_CHECKING:
    from services.report.charts.scaling import StudyChart


def study_page(
    name: str,
    measured: Iterable[MeasuredCell],
    usd_per_gpu_hour: float | None = None,
    device: Device = "device",
) -> bytes:
    """Return a study as a page: findings, charts, tables, engines, environment and hash, without
    prompts and answers."""
    from services.report.charts.scaling import STUDY_CHARTS  # Altair: see `page`

    cells = public_study(measured)
    page_contents = study_contents(name, report(cells, usd_per_gpu_hour, device))
    charts = [_chart(entry, cells) for entry in STUDY_CHARTS]
    shown = [chart for chart in charts if chart["specs"]]
    about = {"id": 0, "label": page_contents.title, "sha256": study_hash(cells)}
    return render(page_contents, shown, [about])


def _chart(entry: StudyChart, cells: Sequence[MeasuredCell]) -> dict[str, Any]:
    from services.report.charts.scaling import worded

    return chart_data(worded(entry, cells), lambda dark: entry.draw(cells, dark=dark))


def study_markdown(
    name: str,
    measured: Iterable[MeasuredCell],
    usd_per_gpu_hour: float | None = None,
    device: Device = "device",
) -> bytes:
    """Return a study as Markdown, without prompts and answers."""
    result = report(public_study(measured), usd_per_gpu_hour, device)
    return render_markdown(study_contents(name, result))
