"""The file formats of a study, without keys, paths, prompts and answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.report.export.study import study_csv, study_json
from services.report.export.study_page import study_markdown, study_page
from services.studies.cell import MeasuredCell
from services.studies.report import Device


class WriteStudy(Protocol):
    """Returns a study's cells as a file."""

    def __call__(
        self,
        name: str,
        measured: Sequence[MeasuredCell],
        usd_per_gpu_hour: float | None = None,
        device: Device = "device",
    ) -> bytes: ...


@dataclass(frozen=True)
class StudyExport:
    """A file format; `{study}` in `filename` stands for the study's id."""

    name: str
    label: str
    filename: str
    mime: str
    write: WriteStudy


def study_export(name: str) -> StudyExport:
    """Return the export with this name. Raises KeyError where there is none."""
    return {entry.name: entry for entry in STUDY_EXPORTS}[name]


STUDY_EXPORTS = (
    StudyExport(
        "study.csv",
        "Cells (CSV)",
        "paceline-study-{study}.csv",
        "text/csv; charset=utf-8",
        study_csv,
    ),
    StudyExport(
        "study.json", "Study (JSON)", "paceline-study-{study}.json", "application/json", study_json
    ),
    StudyExport(
        "study.md",
        "Table for a pull request (Markdown)",
        "paceline-study-{study}.md",
        "text/markdown; charset=utf-8",
        study_markdown,
    ),
    StudyExport(
        "study.html",
        "Page that opens offline (HTML)",
        "paceline-study-{study}.html",
        "text/html; charset=utf-8",
        study_page,
    ),
)
