"""A button for a request that a server rejects: it opens the form with the suggested option set."""

from __future__ import annotations

import streamlit as st

from pages.widgets.view import link_parameters
from services.analysis.compare import Candidate
from services.ask import link
from services.ask.remedy import Remedy, of_run


def changed(remedy: Remedy) -> dict[str, str]:
    """Return the changes as parameters of a link to the form."""
    return {name: link.text_of(value) for name, value in remedy.changes.items()}


def button(candidate: Candidate) -> None:
    """Show a link to the form with the run's config, changed so that the server may accept it."""
    if (remedy := of_run(candidate.run, candidate.measurements)) is not None:
        st.page_link(
            "run.py",
            label=f"{remedy.label}, and start again",
            icon=":material/build:",
            query_params=link_parameters(like=str(candidate.run.id), **changed(remedy)),
        )
