"""The numbers that the tool of an imported run reports, next to those computed from its
requests."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.widgets import tabular
from pages.widgets.view import plain
from services.analysis.compare import Candidate
from services.report.imports import stated


def show_tool_report(candidate: Candidate) -> None:
    """Show the numbers of one imported run and its tool's definitions; nothing for other runs."""
    if candidate.run.source is None:
        return
    st.subheader(plain(f"What does {stated.tool_of(candidate)} report?"), anchor="tool-report")
    _compare_numbers(candidate)
    tabular.table(stated.table(candidate))
    definitions = stated.definitions(candidate)
    if definitions.rows:
        alone = not candidate.measurements  # the definitions are then the only explanation
        with st.expander(plain(definitions.title), expanded=alone, icon=":material/menu_book:"):
            tabular.table(definitions)


def summary_table(candidates: Sequence[Candidate]) -> None:
    """Show for each imported run what differs and why; its tables are collapsed below."""
    known = [candidate for candidate in candidates if candidate.run.source is not None]
    if not known:
        return
    st.subheader("Do the tools' own numbers match Paceline's?", anchor="tool-report")
    for candidate in known:
        _compare_numbers(candidate, f"Run {candidate.run.id}, ")
        with st.expander(f"All numbers of run {candidate.run.id}", icon=":material/table:"):
            for table in (stated.table(candidate), stated.definitions(candidate)):
                tabular.table(table, key=str(candidate.run.id))


def _compare_numbers(candidate: Candidate, about: str = "") -> None:
    alone = f"{stated.tool_of(candidate)}: the file contains only a summary, no requests."
    st.markdown(plain(about + (stated.sentence(candidate) or alone)))
    if reasons := stated.reasons(candidate):
        st.markdown("\n".join(f"- **{plain(what)}**. {plain(why)}" for what, why in reasons))
