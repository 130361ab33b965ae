"""A study as one HTML file that opens offline, and as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterable

from services.report.export.markdown import render as render_markdown
from services.report.export.page import drawn, render
from services.report.export.public_study import public_study, study_hash
from services.report.export.study_contents import study_contents
from services.studies.cell import Measured
from services.studies.report import Device, report


def study_page(
    name: str,
    measured: Iterable[Measured],
    usd_per_gpu_hour: float | None = None,
    device: Device = "device",
) -> bytes:
    """Write a study as a page: what it says, charts, tables, engines, environment, hash. No prompt
    and no answer is in it."""
    from services.report.charts.scaling import STUDY_CHARTS  # Altair: see `page`

    cells = public_study(measured)
    found = study_contents(name, report(cells, usd_per_gpu_hour, device))
    shown = [
        chart
        for entry in STUDY_CHARTS
        if (chart := drawn(entry, lambda dark, draw=entry.draw: draw(cells, dark=dark)))["specs"]  # type: ignore[misc]
    ]
    about = {"id": 0, "label": found.title, "sha256": study_hash(cells)}
    return render(found, shown, [about])


def study_markdown(
    name: str,
    measured: Iterable[Measured],
    usd_per_gpu_hour: float | None = None,
    device: Device = "device",
) -> bytes:
    """Write a study for a pull request, without prompts and answers."""
    told = report(public_study(measured), usd_per_gpu_hour, device)
    return render_markdown(study_contents(name, told))
