"""Runs as files. A file is made when it is requested, not when the page is shown, from what is
read at that moment: otherwise a session would keep the requests in memory even after its tab is
closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import streamlit as st

from services.analysis.compare import Candidate
from services.report.export import EXPORTS, Export
from services.report.export.capacity_files import CapacityExport
from services.report.export.study_capacity_files import StudyCapacityExport
from services.report.export.study_files import StudyExport

Load = Callable[[], Sequence[Candidate]]
# The kind of file, its name, and a function that returns its content.
Kind = Export | StudyExport | StudyCapacityExport | CapacityExport
File = tuple[Kind, str, Callable[[], bytes]]


NARROW = 150  # pixels: two files beside each other in a popover


def of_runs(run_ids: Sequence[int], load: Load) -> None:
    """Show every export for this number of runs; `load` reads the runs."""
    buttons(
        (entry, entry.filename_of(run_ids), partial(_file, entry, load))
        for entry in EXPORTS
        if entry.takes(len(run_ids))
    )


def buttons(files: Iterable[File]) -> None:
    """Show a button for each file."""
    st.markdown("**Files**")
    with st.grid(2, min_column_width=NARROW, gap=None):
        for entry, filename, make in files:
            st.download_button(
                entry.label,
                data=make,
                file_name=filename,
                mime=entry.mime,
                key=f"download-{entry.name}",
                icon=":material/download:",
                type="tertiary",
                on_click="ignore",
            )
    st.caption("Files contain no prompts, answers, API keys or file paths.")


def _file(entry: Export, load: Load) -> bytes:
    return entry.write(load())
