"""A study that searches for the highest capacity: its result and its searches."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from pages.widgets import chart_panel, share, tabular, waiting
from pages.widgets.view import dark, plain
from services.ask.plan import duration
from services.base.units import NOTHING, many
from services.report.charts.study_capacity import HIGHEST, study_capacities
from services.report.export.study_capacity_files import STUDY_CAPACITY_EXPORTS
from services.report.study_capacity import capacity_table
from services.studies.capacity_wording import search_seconds
from services.studies.highest import StudySearch
from services.studies.highest_wording import (
    brief,
    labels_of_study,
    progress,
    search_state,
    sentences,
)
from services.studies.study import Study


def show(study: Study) -> None:
    """Show the verdict, the chart and the table."""
    for sentence in sentences(study):
        st.markdown(f"#### {plain(sentence)}")
    chart = study_capacities(study, dark())
    if chart is not None:
        chart_panel.draw_alone(chart, "study-capacities", HIGHEST.question)
    table = capacity_table(study)
    tabular.table(table, table.title)


def show_progress(study: Study) -> None:
    """Show the progress, the time left, and a link to the running search."""
    assert study.config.search is not None
    going = [search for search in study.searches if search.capacity.status == "running"]
    ended = len(study.searches) - len(going)
    left = f" About {duration(search_seconds(study.config.search)[0] * len(going))} left, and "
    last = all(search.capacity.start for search in going)
    left += "then the verdict." if last else "then the two best on fresh starts."
    st.progress(ended / max(1, len(study.searches)), f"{progress(study)}{left if going else ''}")
    for search in going:
        if search.capacity.probes and search.capacity.probes[-1].observation is None:
            what = f"Searching: {search.capacity.name}"
            waiting.in_progress(what, "search", "capacity.py", search=str(search.capacity.id))
            break


def searches(study: Study) -> None:
    """Show every search with a link to its page."""
    labels = labels_of_study(study)
    rows = [
        (
            f"[{search.capacity.id}](/capacity?search={search.capacity.id})",
            tabular.cell(labels[search.engine]),
            f"fresh {search.capacity.start}" if search.capacity.start else "first",
            tabular.cell(brief(search) or NOTHING),
            _state(search),
        )
        for search in study.searches
    ]
    st.subheader("Searches", anchor="searches")
    columns = ("Search", "Configuration", "Start", _unit(study), "Status")
    st.table(
        pd.DataFrame(rows, columns=columns),
        border="horizontal",
        hide_index=True,
        alt="The searches of the study",
    )


def _state(search: StudySearch) -> str:
    """How a search ended and after how many probes; the table above contains the reason."""
    capacity = search.capacity
    if capacity.status == "running":
        return search_state(search)
    return f"{capacity.status}, {many(len(capacity.probes), 'probe')}"


def _unit(study: Study) -> str:
    assert study.config.search is not None
    return f"Capacity ({study.config.search.unit}, 95 %)"


def download_buttons(study: Study) -> None:
    """Show the study's share link and files."""
    files = [
        (entry, entry.filename.format(study=study.id), partial(entry.write, study))
        for entry in STUDY_CAPACITY_EXPORTS
    ]
    share.of_study(study, files)
