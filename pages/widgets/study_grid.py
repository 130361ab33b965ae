"""The grid of a study as a table, before and during the measurement; and the list of studies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from db.studies import StudyRow
from pages.widgets import run_row, tabular
from pages.widgets.panels import status_badge, to_minute
from pages.widgets.view import dark, link_parameters, prose
from services.ask.measurement import FINISHED, Run
from services.base.table import Table
from services.base.units import NOTHING, many, show
from services.report.theme import palette
from services.servers.engines import EngineConfig
from services.studies.configuration import engine_labels
from services.studies.grid import GridCell
from services.studies.presets import PRESETS
from services.studies.study import Study
from services.studies.work import load_labels, work_labels

NUMBERS = {**run_row.NUMBERS, "Failed": ("failed", "count")}
MAX_NAMED = 4  # engines that cannot run for one reason; more are only counted
OF_ALL_REQUESTS = (
    "Medians are over all requests of a run. The report has means over its repeats, which differ a "
    "little."
)


def planned(grid: Sequence[GridCell], searches: bool = False) -> None:
    """Show every cell before the start; those that cannot run here are grey, with the reason.
    `searches`: loads are searched, so cells show only the lengths."""
    if not grid:
        return
    configs = [entry.cell.config for entry in grid]
    loads = {"Requests": work_labels(configs)} if searches else {"Load": load_labels(configs)}
    rows = pd.DataFrame(
        {
            **_engines([entry.cell.engine for entry in grid]),
            **{name: texts for name, texts in loads.items() if any(texts)},
            "On this machine": ["cannot run" if entry.obstacle else "can run" for entry in grid],
        }
    )
    grey = f"color: {palette(dark()).muted}"
    styled = rows.style.apply(
        lambda row: [grey if grid[row.name].obstacle else ""] * len(row), axis=1
    )
    st.dataframe(
        styled,
        hide_index=True,
        width="stretch",
        height=tabular.height_of(len(rows)),
        alt="The cells of the study",
    )
    for reason, names in _obstacles(grid).items():
        which = ", ".join(names) if len(names) <= MAX_NAMED else many(len(names), "engine")
        # In full, since a cell truncates it.
        st.caption(prose(f"Cannot run here: {which}. {reason}"))


def _obstacles(grid: Sequence[GridCell]) -> dict[str, list[str]]:
    """Return the engines that each obstacle keeps from running."""
    labels = engine_labels([entry.cell.engine for entry in grid])
    found: dict[str, dict[str, None]] = {}
    for entry in grid:
        if entry.obstacle and entry.cell.engine is not None:
            found.setdefault(entry.obstacle, {})[labels[entry.cell.engine]] = None
    return {reason: list(names) for reason, names in found.items()}


def _engines(configs: Sequence[EngineConfig | None]) -> dict[str, list[str]]:
    """The column with the label of each cell's engine; none if all are on the existing server."""
    if not any(configs):
        return {}
    labels = engine_labels(configs)
    return {"Engine": [labels[config] if config else "existing server" for config in configs]}


def measured(study: Study, headlines: dict[int, dict[str, Any]]) -> None:
    """Show the state of every cell, with a link to its run. Columns that say nothing are left
    out."""
    loads = load_labels([run.config for run in study.runs])
    servers = [study.engine_of(run) for run in study.runs]
    texts: dict[str, Sequence[str]] = {
        **_engines([server.config if server else None for server in servers]),
        "Load": loads,
        "Status": [run.status for run in study.runs],
        **{
            label: [show(headlines.get(run.id, {}).get(name), unit) for run in study.runs]
            for label, (name, unit) in NUMBERS.items()
        },
        "Error": [run.error or NOTHING for run in study.runs],
    }
    known = {name: column for name, column in texts.items() if {*column} - {NOTHING, "", "0"}}
    rows = tuple(zip([str(run.id) for run in study.runs], *known.values(), strict=True))
    linked = [
        [f"[{number}]({_page_of(run)})", *map(_cell, known, rest)]
        for run, (number, *rest) in zip(study.runs, rows, strict=True)
    ]
    cells = Table("The cells of the study", ("Run", *known), rows)
    tabular.show_rows("cells", linked, cells, numbered=True)
    if any(run.config.repeats > 1 for run in study.runs):
        st.caption(OF_ALL_REQUESTS)


def _cell(column: str, text: str) -> str:
    return status_badge(text) if column == "Status" else tabular.cell(text)


def _page_of(run: Run) -> str:
    """The address of a cell's run, which is a shared page if the study's is."""
    page = "result" if run.status in FINISHED else "live"
    return f"/{page}?{urlencode(link_parameters(run=str(run.id)))}"


def stored(rows: Sequence[StudyRow]) -> None:
    """Show the stored studies."""
    texts = tuple(
        (
            row.name or f"Study {row.id}",
            PRESETS[row.preset].label,
            f"{row.done:,} of {row.cells:,}{', running' if row.active else ''}",
            to_minute(row.created_at),
        )
        for row in rows
    )
    columns = ("Study", "Preset", "Measured", "Started")
    links = [f"/study?study={row.id}" for row in rows]
    tabular.table(Table("Studies", columns, texts), links=links)
