"""Studies as text for a terminal: the plan, the list and the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.report.terminal.text import cut, minute, table, text_of
from services.studies.configuration import engine_labels
from services.studies.estimate import Estimate
from services.studies.grid import GridCell
from services.studies.report import Report
from services.studies.study import Study, progress_sentence
from services.studies.tables import all_tables
from services.studies.work import load_labels


def plan_text(grid: Sequence[GridCell], estimate: Estimate, devices: str) -> str:
    """Describe a planned study: every cell, whether it can run here, and the estimate."""
    loads = load_labels([planned.cell.config for planned in grid])
    labels = engine_labels(planned.cell.engine for planned in grid)
    rows = [
        [
            labels[planned.cell.engine] if planned.cell.engine else "existing server",
            load,
            planned.obstacle or "runs",
        ]
        for planned, load in zip(grid, loads, strict=True)
    ]
    cells = table(["engine", "load", "here"], rows)
    return f"{cells}\n\nThis machine has {devices}. {estimate.sentence}"


def studies_text(rows: Sequence[Any]) -> str:
    """List stored studies, one per line."""
    if not rows:
        return "There are no studies yet."
    return table(
        ["study", "name", "preset", "measured", "state", "created"],
        [
            [
                str(row.id),
                cut(row.name),
                row.preset,
                f"{row.done:,} of {row.cells:,}",
                "running" if row.active else "ended",
                minute(row.created_at),
            ]
            for row in rows
        ],
    )


def report_text(study: Study, report: Report) -> str:
    """Describe a study: its progress, its findings, its tables."""
    parts = [f"Study {study.id} · {study.name}\n{progress_sentence(study.runs)}.", report.sentence]
    parts += [report.varied]
    parts += ["\n".join(report.sentences)] * bool(report.sentences)
    parts += [f"{text_of(section)}\n{section.note}".rstrip() for section in all_tables(report)]
    parts += ["\n".join(report.notes)] * bool(report.notes)
    return "\n\n".join(parts)
