"""One run: its numbers, its pictures, its requests, and reasons to doubt them."""

from __future__ import annotations

import streamlit as st

from db import results, runs
from db.database import opened
from db.runs import RunNotFound
from pages.widgets import downloads, edit, panels, pictures
from pages.widgets.view import plain, run_in_url, shared, stop_with
from services import tables
from services.charts import CHARTS
from services.checks import doubts
from services.compare import Candidate
from services.measurement import ACTIVE

FIRST = ("tokens_per_s", "ttft", "e2e", "timeline")  # the others are folded away


def head(candidate: Candidate) -> None:
    """What was run, when, how it ended, and what can be done with it."""
    run = candidate.run
    st.title(plain(run.name), anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        panels.status(run.status)
        for tag in run.tags:
            st.badge(plain(tag), color="blue")
        st.caption(f"Run {run.id} · {panels.when(run.started_at or run.created_at)}")
    if run.note:
        st.text(run.note)
    if run.error:
        st.warning(plain(run.error), icon=":material/error:")
    if not shared():
        actions(candidate)


def actions(candidate: Candidate) -> None:
    run_id = str(candidate.run.id)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(
            "compare.py", label="Compare", icon=":material/compare_arrows:",
            query_params={"runs": run_id},
        )  # fmt: skip
        st.page_link(
            "run.py", label="Run again", icon=":material/replay:", query_params={"like": run_id}
        )
        edit.button(candidate.run)
        downloads.button([candidate])
        panels.link("result", {"run": run_id})


def charts(candidate: Candidate) -> None:
    """The pictures that answer most first, the rest below a fold."""
    single = [chart for chart in CHARTS if chart.name != "ratios"]
    for chart in single:
        if chart.name in FIRST:
            pictures.draw(chart, [candidate], "result")
    with st.expander("More pictures"):
        for chart in single:
            if chart.name not in FIRST:
                pictures.draw(chart, [candidate], "result")


run_id = run_in_url()
try:
    candidate = results.candidate(opened(), run_id)
except RunNotFound as error:
    stop_with(str(error), "")

head(candidate)
if candidate.run.status in ACTIVE:
    st.info("The run is not over yet: these are the requests that have come back so far.")
    st.page_link("live.py", label="Watch it live", query_params={"run": str(run_id)})
if not candidate.measurements:
    st.caption("No request of this run has been measured.")
    panels.circumstances([candidate])
    st.stop()

panels.headline(candidate)
panels.doubts(doubts(candidate.run, candidate.measurements, candidate.summary))
charts(candidate)
if len(candidate.summary.repeats) > 1:
    panels.table(tables.repeats(candidate), "How much do the repeats differ?")
panels.table(tables.distributions(candidate), "How are the requests distributed?")
panels.table(tables.failures(candidate), "What failed?")
panels.request_table(candidate)
panels.circumstances([candidate])
if not shared():
    panels.answers(candidate, lambda repeat, index: runs.answer(opened(), run_id, repeat, index))
