"""One study: its progress, its current engine, its cells and its report."""

from __future__ import annotations

from functools import partial

import streamlit as st

from db import runs, studies
from db.database import opened
from jobs import scenarios
from jobs import studies as study_jobs
from pages.widgets import actions as menu
from pages.widgets import (
    api_keys,
    engine_panel,
    scenario_file,
    study_capacity,
    study_grid,
    study_report,
    waiting,
)
from pages.widgets.snapshot import remaining_study_time
from pages.widgets.view import (
    link_to_list,
    load_or_stop,
    number_in_link,
    plain,
    sentences,
    share_view,
    shared,
    show_error,
)
from services.analysis.compare import FEWEST, MOST
from services.ask.measurement import ACTIVE
from services.ask.progress import activity
from services.base.errors import PacelineError
from services.base.refresh import REFRESH
from services.servers.engines.instance import UP
from services.studies.kind import kind_of
from services.studies.study import Study, progress_sentence

SLOWER = 2  # times a run's refresh interval, because a study takes long


def load(text: str) -> Study:
    """Return the study in the URL, or report what is wrong and stop."""
    number = number_in_link(text, "study")
    return load_or_stop(lambda: studies.load(opened(), number))


def page(text: str) -> None:
    study = load(text)
    link_to_list("study.py", "All studies")
    st.title(plain(study.name), anchor=False)
    kind = kind_of(study.config)
    varied = f"Varied: {kind.label[:1].lower()}{kind.label[1:]}."
    st.caption(plain(f"{kind.label}. {kind.help}" if kind.help else varied))
    if study.note:
        st.markdown(plain(study.note))
    if study.config.search is not None:
        page_of_searches(study, text)
        return
    if not is_running(study):
        show_progress(study)
        if not shared():
            actions(study)
        elif not share_view():  # viewers may share it, too
            study_report.download_buttons(study)
        study_report.show(study)
        cells(study)
        return
    every_s = REFRESH.seconds()
    st.fragment(watch, run_every=SLOWER * every_s)(text, every_s)
    study_report.show(study)  # so far: redrawn after each cell
    st.fragment(watch_cells, run_every=SLOWER * every_s)(text)


def page_of_searches(study: Study, text: str) -> None:
    """Show a study that searches for the highest capacity."""
    if is_running(study):
        st.fragment(watch_searches, run_every=SLOWER * REFRESH.seconds())(text)
        return
    if not shared():
        actions_of_searches(study)
    elif not share_view():  # viewers may share it, too
        study_capacity.download_buttons(study)
    study_capacity.show(study)
    study_capacity.searches(study)
    failed_engines(study)


@sentences()
def watch_searches(text: str) -> None:
    """Show the searches while they run."""
    study = load(text)
    if not is_running(study):
        st.rerun()
    study_capacity.show_progress(study)
    cancel_button(study)
    running_engines(study)
    study_capacity.show(study)
    study_capacity.searches(study)


def actions_of_searches(study: Study) -> None:
    """Show the actions for searches that have ended."""
    page, forms = f"study-{study.id}", {"Delete": partial(deletion, study)}
    with st.container(horizontal=True, vertical_alignment="center"):
        if study.searches_to_resume():
            resume_button(study)
        with st.popover("Run again", icon=":material/replay:"):
            if any(search.capacity.status == "failed" for search in study.searches):
                retry_button(study, "searches")
            form_link(study, "Add configurations", "to", "add")
            form_link(study, "Duplicate", "like", "content_copy")
            scenario(study)
        study_capacity.download_buttons(study)
        menu.more(page, forms)
    menu.panel(page, forms)


def is_running(study: Study) -> bool:
    return study.active or any(server.status in UP for server in study.engines)


@sentences()
def watch(text: str, every_s: float) -> None:
    """Show the study while it is measured."""
    study = load(text)
    done = sum(run.status == "done" for run in study.runs)
    ended_more = st.session_state.get(f"study-done-{study.id}", done) != done
    if not is_running(study) or ended_more or REFRESH.seconds() != every_s:
        st.session_state[f"study-done-{study.id}"] = done
        st.rerun()  # the whole page: the report has changed
    st.session_state[f"study-done-{study.id}"] = done
    show_progress(study)
    cancel_button(study)
    running_engines(study)


def cancel_button(study: Study) -> None:
    if not shared():
        st.button(
            "Cancel study",
            icon=":material/stop:",
            on_click=cancel,
            args=(study.id,),
            disabled=not study.active,
        )


def running_engines(study: Study) -> None:
    for server in study.engines:
        if server.status in UP:
            with st.container(border=True):
                engine_panel.panel(server)


@sentences()
def watch_cells(text: str) -> None:
    cells(load(text))


def show_progress(study: Study) -> None:
    """Show the progress, the time left, and a link to the cell that is being measured."""
    ended = sum(run.status not in ACTIVE for run in study.runs)
    left = remaining_study_time(str(opened().url), study.id, study) if study.active else None
    so_far = ", ".join(filter(None, (progress_sentence(study.runs), left.text if left else "")))
    st.progress(ended / max(1, len(study.runs)), f"{so_far}.")
    for run in study.runs:
        if run.status == "running":
            what = f"Measuring {run.name}: {activity(run)}"
            waiting.in_progress(what, "run", "live.py", run=str(run.id))
    if study.active and not any(run.status == "running" for run in study.runs):
        first = next(run for run in study.runs if run.status == "queued")
        waiting.behind(first)
    for server in study.engines:
        if server.status == "planned" and server.phase:
            st.warning(plain(server.phase), icon=":material/restart_alt:")


def cells(study: Study) -> None:
    st.subheader("Runs", anchor="runs")
    summaries = runs.headlines(opened(), [run.id for run in study.runs])
    study_grid.measured(study, summaries)
    failed_engines(study)


def failed_engines(study: Study) -> None:
    for server in study.engines:
        if server.status == "failed":
            with st.container(border=True):
                engine_panel.panel(server)


def actions(study: Study) -> None:
    """Show the actions for a study that has ended."""
    page, forms = f"study-{study.id}", {"Delete": partial(deletion, study)}
    with st.container(horizontal=True, vertical_alignment="center"):
        if study.to_resume:
            resume_button(study)
        compare(study)
        again(study)
        study_report.download_buttons(study)
        menu.more(page, forms)
    menu.panel(page, forms)


def compare(study: Study) -> None:
    """Show a link that compares the cells, if there are few enough."""
    done = [str(run.id) for run in study.runs if run.status == "done"]
    if FEWEST <= len(done) <= MOST:
        with st.popover("Compare", icon=":material/compare_arrows:"):
            st.page_link(
                "compare.py",
                label=f"All {len(done)} runs, the first is the baseline",
                icon=":material/compare_arrows:",
                query_params={"runs": ",".join(done)},
            )


def again(study: Study) -> None:
    """Show how to measure failed cells again, add cells, or start a similar study; or its scenario
    file."""
    with st.popover("Run again", icon=":material/replay:"):
        if study.failed:
            retry_button(study, "cells")
        form_link(study, "Add cells", "to", "add")
        form_link(study, "Duplicate", "like", "content_copy")
        scenario(study)


def scenario(study: Study) -> None:
    """Offer the study as a scenario file."""
    make = partial(scenarios.of_study, opened(), study.id)
    name = f"paceline-study-{study.id}.yaml"
    scenario_file.stored_form(make, [study.config.run], name)


def resume_button(study: Study) -> None:
    st.button(
        "Resume",
        icon=":material/resume:",
        type="primary",
        on_click=resume,
        args=(study.id, False),
    )


def retry_button(study: Study, what: str) -> None:
    st.button(
        f"Retry failed {what}",
        icon=":material/replay:",
        on_click=resume,
        args=(study.id, True),
    )


def form_link(study: Study, label: str, parameter: str, icon: str) -> None:
    """Show a link to the form with the study's config; `parameter` names the purpose."""
    st.page_link(
        "study.py",
        label=label,
        icon=f":material/{icon}:",
        query_params={parameter: str(study.id)},
    )


def deletion(study: Study) -> None:
    st.caption("Permanently deletes the study, its runs and all their requests.")
    if st.button("Delete study", type="primary"):
        delete(study.id)


@sentences()
def cancel(study_id: int) -> None:
    try:
        study_jobs.cancel(opened(), study_id)
    except PacelineError as error:
        show_error(error)


@sentences()
def resume(study_id: int, failed: bool) -> None:
    try:
        study_jobs.resume(opened(), study_id, failed, api_keys.typed())
    except PacelineError as error:
        show_error(error)


def delete(study_id: int) -> None:
    try:
        study_jobs.delete(opened(), study_id)
    except PacelineError as error:
        show_error(error)
        return
    st.switch_page("study.py", query_params={})
