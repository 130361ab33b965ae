"""The file formats of a study that searches for the highest capacity, without keys, paths, prompts
and answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from services.report.export.markdown import render as render_markdown
from services.report.export.page import chart_data, render
from services.report.export.study_capacity_contents import study_capacity_contents
from services.report.export.tables import to_csv
from services.report.study_capacity import (
    public_searches,
    study_capacity_document,
    study_capacity_hash,
)
from services.studies.study import Study


@dataclass(frozen=True)
class StudyCapacityExport:
    """A file format, named as for other studies; `{study}` in `filename` stands for the study's
    id."""

    name: str
    label: str
    filename: str
    mime: str
    write: Callable[[Study], bytes]


def study_capacity_export(name: str) -> StudyCapacityExport:
    """Return the export with this name. Raises KeyError if there is none."""
    return {entry.name: entry for entry in STUDY_CAPACITY_EXPORTS}[name]


def study_capacity_page(study: Study) -> bytes:
    """Return a study as one HTML file that opens offline."""
    from services.report.charts.study_capacity import HIGHEST  # Altair: see `page`

    study = public_searches(study)
    chart = chart_data(HIGHEST, partial(HIGHEST.draw, study))
    contents = study_capacity_contents(study)
    about = {"id": 0, "label": contents.title, "sha256": study_capacity_hash(study)}
    return render(contents, [chart] if chart["specs"] else [], [about])


def study_capacity_markdown(study: Study) -> bytes:
    """Return a study as Markdown for a pull request."""
    return render_markdown(study_capacity_contents(public_searches(study)))


def study_capacity_json(study: Study) -> bytes:
    """Return a study as JSON."""
    document = study_capacity_document(study)
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def study_capacity_csv(study: Study) -> bytes:
    """Return a row for each search: its configuration, its capacity with interval, and its
    problem."""
    document = study_capacity_document(study)
    rows = [_flat(row) | {"unit": document["unit"]} for row in document["searches"]]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = ([document["name"], *(row.get(column) for column in columns)] for row in rows)
    return to_csv(["study", *columns], cells)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    engine = {f"engine_{name}": value for name, value in row["engine"].items()}
    return {name: value for name, value in row.items() if name != "engine"} | engine


STUDY_CAPACITY_EXPORTS = (
    StudyCapacityExport(
        "study.csv",
        "Searches (CSV)",
        "paceline-study-{study}.csv",
        "text/csv; charset=utf-8",
        study_capacity_csv,
    ),
    StudyCapacityExport(
        "study.json",
        "Study (JSON)",
        "paceline-study-{study}.json",
        "application/json",
        study_capacity_json,
    ),
    StudyCapacityExport(
        "study.md",
        "Table for a pull request (Markdown)",
        "paceline-study-{study}.md",
        "text/markdown; charset=utf-8",
        study_capacity_markdown,
    ),
    StudyCapacityExport(
        "study.html",
        "Page that opens offline (HTML)",
        "paceline-study-{study}.html",
        "text/html; charset=utf-8",
        study_capacity_page,
    ),
)
