"""Runs as files. A file is made when it is asked for, not when the page is shown."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from services.compare import Candidate
from services.export import EXPORTS


def button(candidates: Sequence[Candidate]) -> None:
    """A menu with every export that takes so many runs."""
    ids = [candidate.run.id for candidate in candidates]
    with st.popover("Download", icon=":material/download:"):
        for entry in EXPORTS:
            if entry.takes(len(candidates)):
                st.download_button(
                    entry.label,
                    data=partial(entry.write, candidates),
                    file_name=entry.filename_of(ids),
                    mime=entry.mime,
                    key=f"download-{entry.name}",
                    type="tertiary",
                    on_click="ignore",
                )
        st.caption("Without prompts, answers, keys and paths.")
