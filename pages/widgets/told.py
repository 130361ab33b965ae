"""What the tool of an imported run says itself, beside what its requests give."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.widgets import tabular
from pages.widgets.view import plain
from services.compare import Candidate
from services.imports import stated


def whole(candidate: Candidate) -> None:
    """The numbers of one run and how its tool defines them; nothing for a run of our own."""
    if candidate.run.source is None:
        return
    st.subheader(plain(f"What does {stated.tool_of(candidate)} itself say?"), anchor="told")
    if said := stated.sentence(candidate):
        st.caption(plain(said))
    tabular.table(stated.table(candidate))
    found = stated.definitions(candidate)
    if found.rows:
        with st.expander(plain(found.title), icon=":material/menu_book:"):
            tabular.table(found)


def brief(candidates: Sequence[Candidate]) -> None:
    """For each imported run a sentence in sight, its tables below a fold."""
    known = [candidate for candidate in candidates if candidate.run.source is not None]
    if not known:
        return
    st.subheader("Do the tools' own numbers agree with these?", anchor="told")
    for candidate in known:
        alone = f"{stated.tool_of(candidate)}: its file holds only its own numbers."
        st.markdown(plain(f"Run {candidate.run.id}, {stated.sentence(candidate) or alone}"))
        with st.expander(f"Every number of run {candidate.run.id}", icon=":material/table:"):
            for found in (stated.table(candidate), stated.definitions(candidate)):
                tabular.table(found)
