"""The progress of a comparison: of each of its runs, and of the one being measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

import streamlit as st

import jobs
from db import comparisons
from db.comparisons import ComparisonNotFound
from db.counts import request_counts
from db.database import opened
from pages.widgets import run_actions, view, waiting
from pages.widgets.snapshot import latest, progress_of, remaining_comparison_time
from pages.widgets.view import (
    link_parameters,
    load_or_stop,
    number_in_link,
    plain,
    sentences,
    show_error,
)
from services.analysis import comparison_design
from services.analysis.comparison_design import StoredComparison
from services.ask.measurement import ACTIVE, Run
from services.ask.progress import activity
from services.base.errors import PacelineError
from services.base.refresh import REFRESH
from services.base.units import many


def load(text: str, fresh: bool = False) -> tuple[StoredComparison, list[Run]]:
    """Return the comparison in the URL with its runs, see `latest`, or report what is wrong and
    stop."""
    number = number_in_link(text, "comparison")
    comparison = load_or_stop(
        lambda: comparisons.load(opened(), number), "See History for all runs."
    )
    return comparison, latest(*comparison.run_ids, fresh=fresh)


def page(text: str, of_one: Callable[[Run], None]) -> None:
    """Show a comparison while it is measured; when it ends, open its result. `of_one` shows the run
    that is being measured."""
    comparison, compared = load(text, fresh=True)
    st.title(f"Comparing {many(len(compared), 'run')}", anchor=False)
    st.caption(plain(comparison_design.sentence(comparison.design, len(compared))))
    if any(run.status in ACTIVE for run in compared):
        st.session_state["watched"] = comparison.run_ids
        every_s = REFRESH.seconds()
        st.fragment(watch, run_every=every_s)(text, of_one, every_s)
        return
    watched = st.session_state.pop("watched", None) == comparison.run_ids
    without = [run for run in compared if not any(request_counts(opened(), run.id).values())]
    if watched and not without:
        open_comparison(comparison)
    show_runs(compared)
    if without:
        st.info(f"Nothing can be compared: {many(len(without), 'run')} ended without a result.")
    else:
        st.page_link(
            "compare.py",
            label="View comparison",
            icon=":material/compare_arrows:",
            query_params=link_parameters(**parameters(comparison)),
        )


@sentences()
def watch(text: str, of_one: Callable[[Run], None], every_s: float) -> None:
    comparison, compared = load(text)
    if not any(run.status in ACTIVE for run in compared) or REFRESH.seconds() != every_s:
        st.rerun()
    show_total(comparison, compared)
    show_runs(compared)
    if any(run.cancel_requested for run in compared):
        st.caption("Cancelling …")
    elif run_actions.may_cancel(comparison.run_ids):
        st.button("Cancel all", icon=":material/stop:", on_click=cancel, args=(comparison.id,))
    for run in compared:
        if run.status == "running":
            st.subheader(plain(run.name), anchor=False)
            of_one(run)


def show_total(comparison: StoredComparison, compared: Sequence[Run]) -> None:
    """Show the progress of the whole comparison, or what it waits for."""
    if not any(run.repeats or run.status == "running" for run in compared):
        waiting.show(compared[0], on_comparison=True)
        return
    done, of = comparison_design.repeats_done(compared)
    left = remaining_comparison_time(
        str(opened().url), comparison.id, comparison.design.target is not None, compared
    )
    text = comparison_design.progress_sentence(compared, "" if left is None else left.text)
    st.progress(done / of, plain(text))


def show_runs(compared: Sequence[Run]) -> None:
    """Show the progress of each run, one line each, the baseline first."""
    for position, run in enumerate(compared):
        now = progress_of(run)
        states = {"queued": "waiting for its turn", "running": activity(run)}
        name = f"{run.name}{' (baseline)' if position == 0 else ''}"
        line = f"{name}: {states.get(run.status, run.status)}, {now.text}"
        st.progress(now.share, plain(line))


@sentences()
def cancel(comparison_id: int) -> None:
    try:
        jobs.cancel_comparison(opened(), comparison_id, view.person())
        latest(*comparisons.load(opened(), comparison_id).run_ids, fresh=True)
    except ComparisonNotFound:
        return  # it was deleted before the button was pressed
    except PacelineError as error:
        show_error(error)


def parameters(comparison: StoredComparison) -> dict[str, str]:
    """Return the parameters of the page that compares these runs."""
    return {"runs": ",".join(map(str, comparison.run_ids))}


def open_comparison(comparison: StoredComparison) -> NoReturn:
    st.switch_page("compare.py", query_params=link_parameters(**parameters(comparison)))
