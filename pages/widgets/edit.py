"""Edit a run's name, tags and note, or delete it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from db import runs
from db.database import opened
from db.runs import RunBusy, RunNotFound
from pages.widgets.url_state import touched
from pages.widgets.view import plain, sentences, show_error
from services.ask.measurement import Run
from services.base.errors import PacelineError


def form(run: Run) -> None:
    """Ask for the name, tags and note of a run."""
    with st.form(f"edit-{run.id}", border=False):
        name = st.text_input("Name", run.name, max_chars=200)
        tags = st.text_input("Tags (comma-separated)", ", ".join(run.tags))
        note = st.text_area("Note", run.note, max_chars=10_000)
        saved = st.form_submit_button("Save", type="primary", on_click=touched)
    if saved:
        _save(run.id, name, tags, note)


def _save(run_id: int, name: str, tags: str, note: str) -> None:
    try:
        runs.edit(opened(), run_id, name, tags.split(","), note)
    except PacelineError as error:
        show_error(error)
        return
    st.rerun()


@sentences()
def confirm_deletion(run_ids: Sequence[int], then: Callable[[], object] = st.rerun) -> None:
    """Ask for confirmation, then delete a run."""
    what = f"Run {run_ids[0]}" if len(run_ids) == 1 else f"{len(run_ids)} runs"
    st.write(f"{what} and all {'its' if len(run_ids) == 1 else 'their'} requests will be deleted.")
    if len(run_ids) > 1:
        st.caption(f"Runs {', '.join(map(str, run_ids))}")
    if not st.button(
        "Delete permanently",
        type="primary",
        icon=":material/delete:",
        key="delete-for-good",
        on_click=touched,
    ):
        return
    problems = [problem for run_id in run_ids if (problem := _delete(run_id))]
    for problem in problems:
        st.error(plain(problem))
    if not problems:
        then()


def _delete(run_id: int) -> str:
    """Delete a run; return the reason if it cannot be deleted, otherwise ""."""
    try:
        runs.delete(opened(), run_id)
    except RunBusy as error:
        return str(error)
    except RunNotFound:
        return ""  # it was already deleted
    return ""
