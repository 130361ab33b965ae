"""Watch a run, or several that take turns. The page only reads what is stored: leave it, reload it,
send its link."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

import jobs
from db import counts, queue, runs
from db.database import opened
from db.runs import AlreadyFinished, RunNotFound
from pages.widgets import panels, turns
from pages.widgets.view import dark, onward, plain, run_in_url, sentences, shared, stop_without
from services.charts import live_engine, live_spec, spec
from services.checks import client, server
from services.measurement import ACTIVE, Progress, Run, Sample
from services.plan import duration
from services.progress import Standing, standing
from services.units import many, show

REFRESH_S = 1.0


def load(run_id: int) -> Run:
    try:
        return runs.load(opened(), run_id)
    except RunNotFound as error:
        stop_without(error)


@st.fragment(run_every=REFRESH_S)
@sentences()
def watch(run_id: int, status: str) -> None:
    run = load(run_id)
    if run.status != status:
        st.rerun()  # the whole page: it shows that the run has begun, or how it ended
    samples = sampled(run_id)
    progress = waiting(run) if run.status == "queued" else so_far(run, samples)
    if run.cancel_requested:
        st.caption("Cancelling …")
    elif not shared():
        st.button("Cancel", icon=":material/stop:", on_click=cancel, args=(run_id,))
    chart(progress, samples)


def waiting(run: Run) -> list[Progress]:
    ahead = queue.ahead(opened(), run.id)
    if run.engine_id is not None and not ahead:
        st.progress(0.0, "Waiting: its engine is not ready yet.")
        return []
    runs_ahead = "one run is" if ahead == 1 else f"{ahead} runs are"
    st.progress(0.0, f"Waiting: {runs_ahead} before it." if ahead else "Waiting: it is next.")
    return []


def so_far(run: Run, samples: Sequence[Sample]) -> list[Progress]:
    """The counts of this moment. Returns how they came about."""
    st.caption(plain(run.phase or "Starting"))
    progress = runs.progress(opened(), run.id, limit=300)
    now = standing(run.config, progress, counts.counted(opened(), run.id))
    with st.grid(4, min_column_width=130):
        st.metric("Tokens/s so far", show(now.tokens_per_s, ""), border=True)
        st.metric("In flight", f"{now.in_flight:,}", border=True)
        st.metric("Done", f"{now.done:,}", border=True)
        st.metric("Failed", f"{now.failed:,}", border=True)
    if progress:
        found = [*client.so_far(run.config, progress[-1]), *server.so_far(run, samples)]
        panels.doubts(found)
    left = f", about {duration(round(now.left_s))} left" if now.left_s is not None else ""
    bar(now, left)
    return progress


def bar(now: Standing, left: str = "") -> None:
    st.progress(now.share, f"{now.done + now.failed:,} of {many(now.total, 'request')}{left}")


def chart(progress: list[Progress], samples: Sequence[Sample]) -> None:
    """The run so far, and its server below it on the same axis."""
    if any(moment.tokens or moment.in_flight for moment in progress):
        st.vega_lite_chart(
            live_spec(progress, dark()), theme=None, key="live", width="stretch",
            alt="Output tokens per second and requests in flight over time",
        )  # fmt: skip
    drawn = live_engine(samples, progress[-1].t if progress else 0.0, dark())
    if drawn is not None:
        st.vega_lite_chart(
            spec(drawn, dark()), theme=None, key="live-engine", width="stretch",
            alt="What the server did over time",
        )  # fmt: skip


def sampled(run_id: int) -> list[Sample]:
    return runs.samples(opened(), run_id, limit=300)


@sentences()
def cancel(run_id: int) -> None:
    try:
        jobs.cancel(opened(), run_id)
    except (AlreadyFinished, RunNotFound):
        return  # while the button was on its way
    except jobs.QueueProblem as error:
        st.error(plain(str(error)), icon=":material/error:")


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
    with st.container(horizontal=True):
        st.page_link(
            "result.py", label="See the result", icon=":material/insights:",
            query_params=onward(run=str(run.id)),
        )  # fmt: skip
        if not shared():
            st.page_link(
                "run.py", label="Run again", icon=":material/replay:",
                query_params={"like": str(run.id)},
            )  # fmt: skip
    progress = runs.progress(opened(), run.id, limit=300)
    bar(standing(run.config, progress, counts.counted(opened(), run.id)))
    chart(progress, sampled(run.id))


def measured_now(run: Run) -> None:
    """The run of a comparison whose turn it is."""
    samples = sampled(run.id)
    chart(so_far(run, samples), samples)


if (number := st.query_params.get("trial")) is not None:
    turns.page(number, measured_now)
    st.stop()
run = load(run_in_url())
panels.head(run)
if run.status in ACTIVE:
    st.session_state["watched"] = run.id
    watch(run.id, run.status)
elif st.session_state.pop("watched", None) == run.id and run.status == "done":
    st.switch_page("result.py", query_params=onward(run=str(run.id)))
else:
    ended(run)
