"""Runs as files. A file is made when it is asked for, not when the page is shown, and of what is
read then: a session that kept the requests for it would hold them after its tab is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import streamlit as st

from services.analysis.compare import Candidate
from services.report.export import EXPORTS, Export
from services.report.export.study_files import StudyExport

Load = Callable[[], Sequence[Candidate]]


def button(run_ids: Sequence[int], load: Load) -> None:
    """A menu with every export that takes so many runs; `load` reads them."""
    menu(
        (entry, entry.filename_of(run_ids), partial(_file, entry, load))
        for entry in EXPORTS
        if entry.takes(len(run_ids))
    )


def menu(files: Iterable[tuple[Export | StudyExport, str, Callable[[], bytes]]]) -> None:
    """A menu of files: for each its kind, its name, and what makes it."""
    with st.popover("Download", icon=":material/download:"):
        for entry, filename, make in files:
            st.download_button(
                entry.label,
                data=make,
                file_name=filename,
                mime=entry.mime,
                key=f"download-{entry.name}",
                type="tertiary",
                on_click="ignore",
            )
        st.caption("Without prompts, answers, API keys and file paths.")


def _file(entry: Export, load: Load) -> bytes:
    return entry.write(load())
