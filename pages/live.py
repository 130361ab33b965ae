"""Watch a run. The page only reads what is stored: leave it, reload it, send its link."""

from __future__ import annotations

import streamlit as st

import jobs
from db import counts, queue, runs
from db.database import opened
from db.runs import AlreadyFinished, RunNotFound
from pages.widgets.view import dark, plain, run_in_url, stop_with
from services.charts import live_spec
from services.measurement import ACTIVE, Progress, Run
from services.progress import Standing, standing
from services.units import seconds, show

REFRESH_S = 1.0


def load(run_id: int) -> Run:
    try:
        return runs.load(opened(), run_id)
    except RunNotFound as error:
        stop_with(str(error), "")


def numbers(run: Run, now: Standing) -> None:
    """The counts of this moment."""
    with st.container(horizontal=True):
        st.metric("Tokens/s so far", show(now.tokens_per_s, "").strip(), border=True)
        st.metric("In flight", f"{now.in_flight:,}", border=True)
        st.metric("Done", f"{now.done:,}", border=True)
        st.metric("Failed", f"{now.failed:,}", border=True)
    left = f", about {seconds(now.left_s)} left" if now.left_s is not None else ""
    st.progress(now.share, f"{now.done + now.failed:,} of {now.total:,} requests{left}")


def waiting(run: Run) -> None:
    ahead = queue.ahead(opened(), run.id)
    first = f"{ahead} before it" if ahead else "it is next"
    st.progress(0.0, f"Waiting for the backend: {first}.")


@st.fragment(run_every=REFRESH_S)
def watch(run_id: int) -> None:
    run = load(run_id)
    if run.status not in ACTIVE:
        st.rerun()  # the whole page: it shows how the run ended
    if run.status == "queued":
        waiting(run)
    else:
        st.caption(run.phase or "Starting")
        picture(run, runs.progress(opened(), run_id, limit=300))
    if run.cancel_requested:
        st.caption("Cancelling …")
    elif st.button("Cancel", icon=":material/stop:"):
        cancel(run_id)


def picture(run: Run, progress: list[Progress]) -> None:
    counted = counts.counted(opened(), run.id)
    numbers(run, standing(run.config, progress, counted))
    if progress:
        st.vega_lite_chart(
            live_spec(progress, dark()), theme=None, key="live", width="stretch", height=260
        )


def cancel(run_id: int) -> None:
    try:
        jobs.cancel(opened(), run_id)
    except AlreadyFinished:
        return  # it ended while the button was on its way; the next look shows it


def ended(run: Run) -> None:
    """How the run ended, and the way to its result."""
    words = {
        "done": "The run is done.",
        "cancelled": "The run was cancelled. What it had measured is kept.",
        "failed": "The run failed.",
        "interrupted": "The run was interrupted. What it had measured is kept.",
    }[run.status]
    box = st.success if run.status == "done" else st.warning
    box(f"{words} {plain(run.error or '')}".strip())
    st.page_link(
        "result.py", label="See the result", icon=":material/insights:",
        query_params={"run": str(run.id)},
    )  # fmt: skip
    progress = runs.progress(opened(), run.id, limit=300)
    if progress:
        picture(run, progress)


run = load(run_in_url())
st.title(plain(run.name), anchor=False)
if run.status in ACTIVE:
    st.session_state["watched"] = run.id
    watch(run.id)
elif st.session_state.pop("watched", None) == run.id and run.status == "done":
    st.switch_page("result.py", query_params={"run": str(run.id)})
else:
    ended(run)
