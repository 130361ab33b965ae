"""The list of batches: those in progress, with their progress, and those that have ended."""

from __future__ import annotations

import streamlit as st

from db import task_batches
from db.database import opened
from pages.widgets import url_state, view
from pages.widgets.panels import when
from pages.widgets.view import plain, sentences
from services.ask.tasks import TaskBatch
from services.base.refresh import REFRESH
from services.base.units import seconds
from services.report import task_texts

PAGE = 25
MAX_OPEN = 50  # shown; the others are only counted
PREFIX = "batches-"  # of the widgets' keys, also on the page of one batch


def show(caller: str | None) -> None:
    """Show the batches of a caller; None: everybody's."""
    going = [batch.batch_id for batch in _batches_in_progress(caller)]
    if going:
        st.subheader("In progress", anchor=False)
        st.fragment(_watch, run_every=REFRESH.seconds())(caller, going)
    ended = task_batches.count(opened(), caller, ended=True)
    if not ended and not going:
        st.caption("There are no tasks yet.")
    if not ended:
        return
    st.subheader("Ended", anchor=False)
    pages = -(-ended // PAGE)
    page = url_state.page_of(PREFIX, pages)
    offset = (page - 1) * PAGE
    for batch in task_batches.list_all(opened(), caller, PAGE, offset, ended=True):
        _row(batch, caller)
    if pages > 1:
        st.pagination(pages, **url_state.keyed(PREFIX + "page", 1))
    url_state.update({"page": str(page)} if page > 1 else {})


def _batches_in_progress(caller: str | None) -> list[TaskBatch]:
    return task_batches.list_all(opened(), caller, MAX_OPEN, ended=False)


@sentences()
def _watch(caller: str | None, shown: list[str]) -> None:
    """Show the batches that are still running. The whole page is redrawn when their list
    changes."""
    batches = _batches_in_progress(caller)
    if [batch.batch_id for batch in batches] != shown:
        st.rerun()
    for batch in batches:
        _row(batch, caller)
    if len(batches) == MAX_OPEN:
        every = task_batches.count(opened(), caller, ended=False)
        st.caption(f"The newest {MAX_OPEN} of {every:,}.")


def _row(batch: TaskBatch, caller: str | None) -> None:
    """Show a batch in two lines: its link and status; its server, caller and time."""
    with st.container(border=True, gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            name = plain(task_texts.name(batch))
            st.markdown(f"[{name}](/batches?batch={batch.batch_id})", width="content")
            st.caption(task_texts.counts(batch), width="content")
        if not batch.ended:
            st.progress(task_texts.share(batch))
        st.caption(plain(facts(batch)))


def facts(batch: TaskBatch) -> str:
    """Return a batch's caller, its model, when it was submitted, and how long it took."""
    mine = (who := view.person()) is not None and who.caller == batch.caller
    took = None
    if batch.started_at and batch.ended_at:
        took = f"took {seconds((batch.ended_at - batch.started_at).total_seconds())}"
    by = None if mine else f"by {batch.caller}"
    return " · ".join(
        filter(None, [task_texts.join_names(batch.models), by, when(batch.created_at), took])
    )
