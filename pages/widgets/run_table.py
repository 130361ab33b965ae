"""Runs in a table whose rows can be selected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from db.runs import RunRow
from pages.widgets.url_state import touched
from services.analysis.compare.baseline_verdict import BaselineVerdict, brief
from services.ask.measurement import FINISHED, IMPORT

STATUSES = {
    "done": "#2e9e6b",
    "failed": "#d64545",
    "cancelled": "#c07a1a",
    "interrupted": "#c07a1a",
    "running": "#3b82f6",
    "queued": "#7b8794",
}
NUMBERS = {
    "Output tokens/s": "output_tokens_per_s",
    "TTFT, median (s)": "ttft_s_median",
    "E2E, median (s)": "e2e_s_median",
    "Failed": "failed",
}

AGAINST = "vs baseline"
# Pixels of a name's column: of a character as the table draws it (in the mean), of its margins, and
# the bounds within which it is as wide as its longest name.
CHARACTER, MARGINS, LEAST, MOST = 6, 18, 120, 420


def choose(rows: Sequence[RunRow], standings: Mapping[int, BaselineVerdict]) -> list[int]:
    """Show the runs, each compared with its baseline; return the ids of those that are selected, in
    the order they were selected."""
    ids = [row.id for row in rows]
    key = f"runs-{hash(tuple(ids))}"  # ticks are of rows: other rows, no ticks
    chosen = st.dataframe(
        _frame(rows, standings),
        hide_index=True,
        width="stretch",
        on_select=touched,
        selection_mode="multi-row",
        key=key,
        placeholder="–",
        column_config=_columns(max((len(row.name) for row in rows), default=0)),
        alt="Stored runs",
    )
    return _in_order(f"{key}-order", [ids[index] for index in chosen.selection.rows])


def _in_order(key: str, ticked: list[int]) -> list[int]:
    before = [run_id for run_id in st.session_state.get(key, []) if run_id in ticked]
    order = before + [run_id for run_id in ticked if run_id not in before]
    st.session_state[key] = order
    return order


def _frame(rows: Sequence[RunRow], standings: Mapping[int, BaselineVerdict]) -> pd.DataFrame:
    against = [brief(standings[row.id]) if row.id in standings else None for row in rows]
    return pd.DataFrame(
        {
            "Run": [_page(row) for row in rows],
            "Name": [row.name for row in rows],
            "Status": [[row.status] for row in rows],
            **({AGAINST: against} if any(against) else {}),
            **{
                label: pd.Series([row.headline.get(name) for row in rows], dtype="float64")
                for label, name in NUMBERS.items()
            },
            "Mode": [row.mode for row in rows],
            "Backend": [_backend(row) for row in rows],
            "Model": [row.model for row in rows],
            "Started": [row.created_at for row in rows],
            "Tags": [list(row.tags) for row in rows],
            "Note": [row.note for row in rows],
        }
    )


def _backend(row: RunRow) -> str:
    own = "" if row.backend == IMPORT else row.backend
    return " ".join(filter(None, (own, row.headline.get("via"))))


def _page(row: RunRow) -> str:
    return f"/{'result' if row.status in FINISHED else 'live'}?run={row.id}"


def _width(longest: int) -> int:
    return min(max(LEAST, MARGINS + CHARACTER * longest), MOST)


def _columns(longest: int) -> dict[str, Any]:
    """How the columns are drawn. `longest`: characters of the longest name, which is not cut."""
    columns = st.column_config
    numbers = {label: columns.NumberColumn(label, format="%.4g") for label in NUMBERS}
    return {
        "Run": columns.LinkColumn("Run", display_text=r"run=(\d+)", width=50),
        "Name": columns.TextColumn("Name", width=_width(longest)),
        "Status": columns.MultiselectColumn(
            "Status", options=list(STATUSES), color=list(STATUSES.values()), width=90
        ),
        AGAINST: columns.TextColumn(
            AGAINST,
            width=135,
            help="Compared with the baseline of its tag or model: by output throughput, or by the "
            "speed of each request where the client waits between requests. Select a run to see "
            "more or to set it as a baseline.",
        ),
        **numbers,
        "Started": columns.DatetimeColumn("Started", format="distance"),
        "Tags": columns.ListColumn("Tags"),
    }
