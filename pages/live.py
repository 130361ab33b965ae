"""Watch a run or a comparison. The page only reads what is stored, so you can leave it, reload it
or send its link."""

from __future__ import annotations

import streamlit as st

import jobs
from db.database import opened
from db.runs import AlreadyFinished, RunNotFound
from pages.widgets import comparison_progress, panels, run_actions, waiting
from pages.widgets.snapshot import Snapshot, latest, snapshot
from pages.widgets.view import (
    as_id,
    dark,
    link_parameters,
    person,
    plain,
    run_in_url,
    sentences,
    shared,
    show_error,
    stop_run_not_found,
)
from services.ask import progress
from services.ask.measurement import ACTIVE, Run
from services.ask.progress import ProgressSummary
from services.base.errors import PacelineError
from services.base.refresh import REFRESH
from services.base.units import show


def load(run_id: int, fresh: bool = False) -> Run:
    try:
        return latest(run_id, fresh=fresh)[0]
    except RunNotFound as error:
        stop_run_not_found(error)


@sentences()
def watch(run_id: int, status: str, every_s: float) -> None:
    run = load(run_id)
    if run.status != status or REFRESH.seconds() != every_s:
        st.rerun()  # the whole page: the run has begun or ended, or needs another refresh rate
    shot = snapshot(run, dark())
    if run.status == "queued":
        waiting.show(run)
    else:
        bar(shot.standing, progress.sentence(run, shot.standing, shot.left))
    if run.cancel_requested:
        st.caption("Cancelling …")
    elif run_actions.may_cancel([run_id]):
        st.button("Cancel", icon=":material/stop:", on_click=cancel, args=(run_id,))
    if run.status != "queued":
        tiles(run, shot)
    charts(shot)


def tiles(run: Run, shot: Snapshot) -> None:
    """Show the counts, why the first failed request failed, and the diagnostics so far."""
    now = shot.standing
    retries = run.config.retries
    with st.grid(5 if retries else 4, min_column_width=130):
        st.metric("Tokens/s so far", show(now.tokens_per_s, ""), border=True)
        st.metric("In flight", f"{now.in_flight:,}", border=True)
        st.metric("Done", f"{now.done:,}", border=True)
        st.metric("Failed", f"{now.failed:,}", border=True)
        if retries:
            st.metric("Sent again", f"{now.sent_again:,}", border=True)
    if shot.first_error:
        text = plain(f"The first failed request: {shot.first_error}")
        st.warning(text, icon=":material/error:")
    if shot.begun:
        panels.show_diagnostics(shot.diagnostics)


def bar(now: ProgressSummary, text: str) -> None:
    st.progress(now.share, plain(text))


def charts(shot: Snapshot) -> None:
    """Show the run so far, and its server metrics below on the same time axis."""
    if shot.chart is not None:
        st.vega_lite_chart(
            shot.chart,
            theme=None,
            key="live",
            width="stretch",
            alt="Output tokens per second and requests in flight over time",
        )
    if shot.engine_chart is not None:
        st.vega_lite_chart(
            shot.engine_chart,
            theme=None,
            key="live-engine",
            width="stretch",
            alt="Server metrics over time",
        )


@sentences()
def cancel(run_id: int) -> None:
    try:
        jobs.cancel(opened(), run_id, person())
        latest(run_id, fresh=True)  # the page is drawn next, and shows it
    except (AlreadyFinished, RunNotFound):
        return  # it ended before the button was pressed
    except PacelineError as error:
        show_error(error)


def ended(run: Run) -> None:
    """Show how the run ended, and a link to its result."""
    sentences_by_status = {
        "done": "The run is done.",
        "cancelled": "The run was cancelled. The results so far are kept.",
        "failed": "The run failed.",
        "interrupted": "The run was interrupted. The results so far are kept.",
    }[run.status]
    show_end = {"done": st.success, "failed": st.error}.get(run.status, st.warning)
    show_end(f"{sentences_by_status} {plain(run.error or '')}".strip())
    with st.container(horizontal=True):
        st.page_link(
            "result.py",
            label="View result",
            icon=":material/insights:",
            query_params=link_parameters(run=str(run.id)),
        )
        if not shared():
            st.page_link(
                "run.py",
                label="Run again",
                icon=":material/replay:",
                query_params={"like": str(run.id)},
            )
    shot = snapshot(run, dark())
    bar(shot.standing, shot.standing.text)
    charts(shot)


def measured_now(run: Run) -> None:
    """Show the run of a comparison that is being measured."""
    shot = snapshot(run, dark())
    tiles(run, shot)
    charts(shot)


def comparison_left() -> str | None:
    """Return the comparison whose result was opened from here: Back stops at this page with the
    runs of that result (see widgets/url_state.py)."""
    first = as_id(st.query_params.get("runs", "").partition(",")[0])
    if first is None or "run" in st.query_params:
        return None
    number = load(first).comparison_id
    return None if number is None else str(number)


params = st.query_params  # links of older versions have `trial`
if (number := params.get("comparison", params.get("trial")) or comparison_left()) is not None:
    comparison_progress.page(number, measured_now)
    st.stop()
run = load(run_in_url(), fresh=True)
panels.head(run)
if run.status in ACTIVE:
    st.session_state["watched"] = run.id
    every_s = REFRESH.seconds()
    st.fragment(watch, run_every=every_s)(run.id, run.status, every_s)
    if not shared():
        run_actions.scenario([run])  # outside the fragment, which is redrawn every second
elif st.session_state.pop("watched", None) == run.id and run.status == "done":
    st.switch_page("result.py", query_params=link_parameters(run=str(run.id)))
else:
    ended(run)
