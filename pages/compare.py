"""Runs side by side. The first is the reference; the URL holds the choice (`?runs=12,15`)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from db import results, runs
from db.database import opened
from db.runs import RunNotFound
from pages.widgets import downloads, panels, pictures
from pages.widgets.view import MOST_RUNS, runs_in_url, shared, stop_with
from services.charts import CHARTS
from services.compare import Candidate, Comparison, compare
from services.units import show
from services.verdicts import times

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


def verdicts(comparison: Comparison, candidates: Sequence[Candidate]) -> None:
    """The answer in words, before any figure."""
    for verdict in comparison.verdicts:
        with st.container(border=True):
            st.badge(verdict.word, color=COLOURS.get(verdict.word, "gray"))
            st.markdown(verdict.sentence)


COLOURS = {"faster": "green", "slower": "orange", "inconclusive": "gray"}


def table(comparison: Comparison, candidates: Sequence[Candidate]) -> None:
    """Every measure, the reference first, the others with their ratio to it."""
    st.subheader("What are the numbers?", anchor="numbers")
    titles = panels.columns(candidates)
    lines = []
    for row in comparison.rows:
        line = {"Measure": row.label}
        for title, value, ratio in zip(titles, row.values, row.ratios, strict=True):
            line[title] = show(value, row.unit) + (f"  ×{times(ratio.value)}" if ratio else "")
        lines.append(line)
    st.dataframe(pd.DataFrame(lines), hide_index=True, width="stretch")
    st.caption("× is the ratio to the reference, which is the first column.")


def differences(comparison: Comparison, candidates: Sequence[Candidate]) -> None:
    """What is not the same in all runs' configs and surroundings."""
    st.subheader("What differs between the runs?", anchor="differences")
    titles = panels.columns(candidates)
    lines = [
        {"": entry.label, **dict(zip(titles, entry.values, strict=True))}
        for entry in comparison.differences
    ]
    if lines:
        st.dataframe(pd.DataFrame(lines), hide_index=True, width="stretch")
    else:
        st.caption("Nothing: the same was asked of the same, on the same machine.")


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

verdicts(comparison, candidates)
panels.doubts(comparison.warnings)
if not shared():
    with st.container(horizontal=True):
        downloads.button(candidates)
        panels.link("compare", {"runs": ",".join(map(str, ids))})
for name in ("tokens_per_s", "ratios"):
    pictures.draw(next(chart for chart in CHARTS if chart.name == name), candidates, "compare")
table(comparison, candidates)
differences(comparison, candidates)
for chart in CHARTS:
    if chart.name not in ("tokens_per_s", "ratios"):
        pictures.draw(chart, candidates, "compare")
panels.config_table(candidates)
