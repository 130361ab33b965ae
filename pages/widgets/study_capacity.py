"""A study that searches for the highest capacity: its result and its searches."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.widgets import chart_panel, share, tabular, waiting
from pages.widgets.view import dark, prose
from services.ask.plan import duration
from services.base.table import Table
from services.base.units import NOTHING
from services.report.charts.study_capacity import HIGHEST, study_capacities
from services.report.export.study_capacity_files import STUDY_CAPACITY_EXPORTS
from services.report.study_capacity import capacity_table
from services.studies.capacity_wording import search_seconds
from services.studies.highest import StudySearch
from services.studies.highest_wording import (
    brief,
    labels_of_study,
    progress,
    sentences,
)
from services.studies.study import Study


def show(study: Study) -> None:
    """Show the verdict, the chart and the table."""
    for sentence in sentences(study):
        st.markdown(f"#### {prose(sentence)}")
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
    rows = tuple(
        (
            str(search.capacity.id),
            labels[search.engine],
            f"fresh {search.capacity.start}" if search.capacity.start else "first",
            brief(search) or NOTHING,
            _status(search),
            f"{len(search.capacity.probes):,}",
        )
        for search in study.searches
    )
    columns = ("Search", "Configuration", "Start", _unit(study), "Status", "Probes")
    links = [f"/capacity?search={number}" for number, *_ in rows]
    tabular.table(Table("Searches", columns, rows), "Searches", links=links)


def _status(search: StudySearch) -> str:
    """The status of a search; the table above contains the reason why one failed."""
    capacity = search.capacity
    return "queued" if capacity.status == "running" and not capacity.probes else capacity.status


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
