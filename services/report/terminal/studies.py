"""Studies as text for a terminal: before they start, in a list, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.analysis.candidates import SERVER, labels
from services.report.terminal.engines import engine_name
from services.report.terminal.text import cut, minute, table, text_of
from services.studies.estimate import Estimate
from services.studies.grid import Planned
from services.studies.report import Report
from services.studies.study import Study, progress_sentence
from services.studies.tables import all_tables


def plan_text(grid: Sequence[Planned], ahead: Estimate, devices: str) -> str:
    """A study before it starts: every cell, what stands in its way, and what all of it takes."""
    told = labels([one.cell.config for one in grid], SERVER)
    rows = [
        [
            engine_name(one.cell.engine) if one.cell.engine else "existing server",
            load or one.cell.config.mode,
            one.obstacle or "runs",
        ]
        for one, load in zip(grid, told, strict=True)
    ]
    cells = table(["engine", "load", "here"], rows)
    return f"{cells}\n\nThis machine has {devices}. {ahead.sentence}"


def studies_text(rows: Sequence[Any]) -> str:
    """Stored studies, a line each."""
    if not rows:
        return "No study is stored."
    return table(
        ["study", "name", "preset", "measured", "state", "created"],
        [
            [
                str(row.id),
                cut(row.name),
                row.preset,
                f"{row.done:,} of {row.cells:,}",
                "goes on" if row.active else "over",
                minute(row.created_at),
            ]
            for row in rows
        ],
    )


def report_text(study: Study, report: Report) -> str:
    """What a study says: how far it is, its sentences, its tables."""
    parts = [f"Study {study.id} · {study.name}\n{progress_sentence(study.runs)}.", report.sentence]
    parts += [report.varied]
    parts += ["\n".join(report.sentences)] * bool(report.sentences)
    parts += [f"{text_of(one)}\n{one.note}".rstrip() for one in all_tables(report)]
    parts += ["\n".join(report.notes)] * bool(report.notes)
    return "\n\n".join(parts)
