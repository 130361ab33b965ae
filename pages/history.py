"""Every stored run: found, looked at, edited, deleted, chosen for a comparison."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from db import runs
from db.database import opened
from db.runs import RunRow
from pages.widgets import edit
from pages.widgets.view import MOST_RUNS
from services.measurement import FINISHED

PAGE_SIZE = 100
ANY = "any"


def filters() -> dict[str, Any]:
    """The search, whose state is in the URL."""
    there = runs.choices(opened())
    found: dict[str, Any] = {}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Search", key="text", bind="query-params", placeholder="name, note, model or tag",
            icon=":material/search:",
        )  # fmt: skip
        for field in ("backend", "model", "mode", "tag"):
            options = [ANY, *there[f"{field}s"]]
            chosen = st.selectbox(field.capitalize(), options, key=field, bind="query-params")
            if chosen and chosen != ANY:
                found[field] = chosen
    return {"text": text, **found}


def table(rows: list[RunRow]) -> list[int]:
    """Show the runs; return the ids of those that are selected."""
    shown = pd.DataFrame(
        {
            "Run": [
                f"/{'result' if row.status in FINISHED else 'live'}?run={row.id}" for row in rows
            ],
            "Name": [row.name for row in rows],
            "Status": [row.status for row in rows],
            "Output tokens/s": [row.headline.get("output_tokens_per_s") for row in rows],
            "TTFT, median (s)": [row.headline.get("ttft_s_median") for row in rows],
            "E2E, median (s)": [row.headline.get("e2e_s_median") for row in rows],
            "Failed": [row.headline.get("failed") for row in rows],
            "Mode": [row.mode for row in rows],
            "Backend": [row.backend for row in rows],
            "Model": [row.model for row in rows],
            "Started": [row.created_at for row in rows],
            "Tags": [list(row.tags) for row in rows],
            "Note": [row.note for row in rows],
        }
    )
    chosen = st.dataframe(
        shown,
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="multi-row",
        key="history",
        column_config={
            "Run": st.column_config.LinkColumn("Run", display_text=r"run=(\d+)", width="small"),
            "Started": st.column_config.DatetimeColumn("Started", format="distance"),
            "Tags": st.column_config.ListColumn("Tags"),
            **{
                name: st.column_config.NumberColumn(name, format="%.4g")
                for name in ("Output tokens/s", "TTFT, median (s)", "E2E, median (s)")
            },
        },
    )
    return [rows[index].id for index in chosen.selection.rows if index < len(rows)]


def actions(chosen: list[int]) -> None:
    """What can be done with the selected runs."""
    with st.container(horizontal=True, vertical_alignment="center"):
        compare = st.button(
            "Compare", type="primary", icon=":material/compare_arrows:",
            disabled=not 2 <= len(chosen) <= MOST_RUNS,
            help=f"Select two to {MOST_RUNS} runs. The first selected is the reference.",
        )  # fmt: skip
        result = st.button("Open", icon=":material/insights:", disabled=len(chosen) != 1)
        delete = st.button("Delete", icon=":material/delete:", disabled=not chosen)
        if len(chosen) == 1:
            edit.button(runs.load(opened(), chosen[0]))
    if compare:
        st.switch_page("compare.py", query_params={"runs": ",".join(map(str, chosen))})
    if result:
        st.switch_page("result.py", query_params={"run": str(chosen[0])})
    if delete:
        edit.confirm_deletion(chosen)


st.title("History")
if not runs.count(opened()):
    st.info("No run is stored yet. Start one: the embedded model answers at once.")
    st.page_link("run.py", label="Start a run", icon=":material/play_arrow:")
    st.stop()

asked = filters()
total = runs.count(opened(), **asked)
if not total:
    st.info("No run matches. Take a filter away.")
    st.stop()
pages = -(-total // PAGE_SIZE)
page = st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1
rows = runs.search(opened(), limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE, **asked)
many = f"{total:,} runs" if total > 1 else "One run"
st.caption(
    f"{many}. Tick two to {MOST_RUNS} of them to compare; the first ticked is the reference."
)
actions(table(rows))
