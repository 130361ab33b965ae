"""A list of runs whose rows can be selected.

The selection stays while the user searches or changes the page. It is not a data grid: long names
wrap, rows wrap on a phone, and checkboxes and links are those of the browser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from db.runs import RunRow
from pages.widgets import run_row
from pages.widgets.url_state import touched
from pages.widgets.view import dark, plain
from services.analysis.compare.baseline_verdict import BaselineVerdict
from services.ask.measurement import FINISHED
from services.report.theme import palette

TICKED = "ticked-runs"


def show(rows: Sequence[RunRow], standings: Mapping[int, BaselineVerdict]) -> None:
    """Show the runs, each with a checkbox, its numbers, and how it compares with its baseline."""
    with_baseline = any(row.id in standings for row in rows)
    st.html(run_row.style(palette(dark()), with_baseline))
    with st.container(key="runs", gap=None):
        st.html(run_row.head(with_baseline))
        for row in rows:
            with st.container(horizontal=True, vertical_alignment="center", key=f"run-{row.id}"):
                _box(row.id)
                _name(row)
                st.html(run_row.numbers(row, standings.get(row.id)))


def _name(row: RunRow) -> None:
    with st.container(gap=None):
        st.page_link(
            "result.py" if row.status in FINISHED else "live.py",
            label=plain(row.name),
            query_params={"run": str(row.id)},
        )
        st.html(run_row.about(row))


def selected_ids() -> list[int]:
    """Return the ids of the selected runs, in the order of selection."""
    return list(st.session_state.get(TICKED, []))


def deselect(run_ids: Sequence[int]) -> None:
    """Deselect these runs."""
    st.session_state[TICKED] = [run_id for run_id in selected_ids() if run_id not in run_ids]


def _box(run_id: int) -> None:
    key = f"tick-{run_id}"
    st.session_state[key] = run_id in selected_ids()  # Streamlit drops it while it is hidden
    st.checkbox(str(run_id), key=key, on_change=_change, args=(run_id,))


def _change(run_id: int) -> None:
    touched()
    others = [other for other in selected_ids() if other != run_id]
    st.session_state[TICKED] = others if run_id in selected_ids() else [*others, run_id]
