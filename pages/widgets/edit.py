"""What people write about a run: its name, tags and note; and its end."""

from __future__ import annotations

import streamlit as st

from db import runs
from db.database import opened
from db.runs import InvalidEdit, RunBusy, RunNotFound
from services.measurement import Run


def button(run: Run) -> None:
    """A popover that edits one run."""
    with st.popover("Edit", icon=":material/edit:"):
        with st.form(f"edit-{run.id}", border=False):
            name = st.text_input("Name", run.name, max_chars=200)
            tags = st.text_input("Tags, separated by commas", ", ".join(run.tags))
            note = st.text_area("Note", run.note, max_chars=10_000)
            saved = st.form_submit_button("Save", type="primary")
        if saved:
            _save(run.id, name, tags, note)


def _save(run_id: int, name: str, tags: str, note: str) -> None:
    engine = opened()
    try:
        runs.edit(engine, run_id, name, tags.split(","), note)
    except (InvalidEdit, RunNotFound) as error:
        st.error(str(error))
        return
    st.rerun()


@st.dialog("Delete for good?")
def confirm_deletion(run_ids: list[int]) -> None:
    """Ask, then delete."""
    one = len(run_ids) == 1
    st.write(f"{'Run' if one else 'Runs'} {', '.join(map(str, run_ids))} and every request of "
             f"{'it' if one else 'them'} will be gone.")  # fmt: skip
    if st.button("Delete", type="primary", icon=":material/delete:"):
        try:
            for run_id in run_ids:
                runs.delete(opened(), run_id)
        except (RunBusy, RunNotFound) as error:
            st.error(str(error))
            return
        st.rerun()
