"""A list of runs whose rows can be selected.

The selection stays while the user searches or changes the page, and is in the URL. It is not a data
grid: long names wrap, rows wrap on a phone, and checkboxes and links are those of the browser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from db.runs import RunRow
from pages.widgets import run_row
from pages.widgets.url_state import touched
from pages.widgets.view import dark, plain, run_numbers
from services.analysis.compare.baseline_verdict import BaselineVerdict
from services.ask.measurement import FINISHED
from services.report.theme import palette

PREFIX = "history-"  # of the keys that follow the URL
TICKED = PREFIX + "ticked"
PARAMETER = "selected"
AGAINST_NOTE = (
    "Compared with the baseline: the ratio of the geometric means over repeats. It may differ from "
    "that of the numbers shown, which are means or medians."
)


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
    if with_baseline:
        st.caption(AGAINST_NOTE)


def _name(row: RunRow) -> None:
    with st.container(gap=None):
        st.page_link(
            "result.py" if row.status in FINISHED else "live.py",
            label=plain(row.name),
            query_params={"run": str(row.id)},
        )
        st.html(run_row.about(row))


def follow(parameters: Mapping[str, str]) -> str:
    """Select the runs in the URL (`?selected=12,15`), unless the page has a selection; return the
    first word there that is not a run number, otherwise ""."""
    numbers, bad = run_numbers(parameters.get(PARAMETER, ""))
    st.session_state.setdefault(TICKED, list(dict.fromkeys(numbers)))
    return bad


def parameter() -> dict[str, str]:
    """Return the selection as a parameter of the URL."""
    return {PARAMETER: ",".join(map(str, selected_ids()))} if selected_ids() else {}


def selected_ids() -> list[int]:
    """Return the ids of the selected runs, in the order of selection."""
    return list(st.session_state.get(TICKED, []))


def deselect(run_ids: Sequence[int]) -> None:
    """Deselect these runs."""
    st.session_state[TICKED] = [run_id for run_id in selected_ids() if run_id not in run_ids]


def clear() -> None:
    """Callback: deselect all runs."""
    touched()
    deselect(selected_ids())


def _box(run_id: int) -> None:
    key = f"tick-{run_id}"
    st.session_state[key] = run_id in selected_ids()  # Streamlit drops it while it is hidden
    st.checkbox(str(run_id), key=key, on_change=_change, args=(run_id,))


def _change(run_id: int) -> None:
    touched()
    others = [other for other in selected_ids() if other != run_id]
    st.session_state[TICKED] = others if run_id in selected_ids() else [*others, run_id]
