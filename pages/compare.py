"""Runs side by side. The first is the reference; the URL holds the choice (`?runs=12,15`)."""

from __future__ import annotations

import streamlit as st

from db import results, runs
from db.database import opened
from db.runs import RunNotFound
from pages.widgets import downloads, panels, pictures
from pages.widgets.view import MOST_RUNS, plain, runs_in_url, shared, stop_with
from services import tables
from services.charts import CHARTS
from services.compare import Candidate, Comparison, compare

RECENT = 200  # runs offered to be added


def choose(ids: list[int]) -> None:
    """Pick the runs; the URL follows, so that it can be sent."""
    names = {row.id: f"{row.id} · {row.name}" for row in runs.search(opened(), limit=RECENT)}
    for missing in [run_id for run_id in ids if run_id not in names]:
        names[missing] = str(missing)
    st.session_state["chosen"] = ids

    def into_url() -> None:
        st.query_params["runs"] = ",".join(map(str, st.session_state["chosen"]))

    st.multiselect(
        "Runs, the reference first",
        list(names),
        format_func=lambda run_id: names[run_id],
        max_selections=MOST_RUNS,
        key="chosen",
        on_change=into_url,
        placeholder="Choose two to eight runs",
    )


def verdicts(comparison: Comparison) -> None:
    """The answer in words, before any figure."""
    for verdict in comparison.verdicts:
        with st.container(border=True):
            with st.container(horizontal=True):
                for measure, word in verdict.by_measure:
                    panels.verdict(measure, word)
            st.markdown(plain(verdict.sentence))


def load(ids: list[int]) -> list[Candidate]:
    try:
        candidates = results.candidates(opened(), ids)
    except RunNotFound as error:
        stop_with(str(error), "")
    if empty := [c.run for c in candidates if not c.measurements]:
        stop_with(f"Run {empty[0].id} has no measured request.", "Take it out of the comparison.")
    return candidates


st.title("Compare")
ids = runs_in_url()
if not shared():
    choose(ids)
if len(ids) < 2:
    stop_with("Choose two to eight runs.", "The first is the reference of the others.")
candidates = load(ids)
comparison = compare(candidates)

verdicts(comparison)
panels.doubts(comparison.warnings)
if not shared():
    with st.container(horizontal=True):
        downloads.button(candidates)
        panels.link("compare", {"runs": ",".join(map(str, ids))})
for name in ("tokens_per_s", "ratios"):
    pictures.draw(next(chart for chart in CHARTS if chart.name == name), candidates, "compare")
labels = tables.labels_of(candidates)
panels.table(tables.measures(comparison, labels), "What are the numbers?")
panels.table(tables.differences(comparison), "What differs between the runs?")
for chart in CHARTS:
    if chart.name not in ("tokens_per_s", "ratios"):
        pictures.draw(chart, candidates, "compare")
panels.circumstances(candidates)
