"""Result files of other benchmarks, uploaded and stored as runs."""

from __future__ import annotations

import streamlit as st

from db import imported
from db.database import opened
from pages.widgets.url_state import touched
from pages.widgets.view import plain, sentences
from services.report.imports import MOST_BYTES, InvalidImport, known_tools


def button() -> None:
    """Show a popover that accepts files; the result of each is listed below."""
    with st.popover("Import", icon=":material/upload_file:"):
        st.caption(
            f"Result files of {plain(known_tools())}. Their prompts and answers are not stored."
        )
        with st.form("import", border=False, clear_on_submit=True):
            files = st.file_uploader(
                "Files", accept_multiple_files=True, max_upload_size=MOST_BYTES // 10**6
            )
            again = st.checkbox("Import again if already imported")
            pressed = st.form_submit_button("Import", type="primary", on_click=touched)
        if pressed and not files:
            st.warning("No file is selected.", icon=":material/info:")
        for file in files if pressed else ():
            _bring_in(file.getvalue(), file.name, again)


@sentences()
def _bring_in(data: bytes, name: str, again: bool) -> None:
    try:
        ids = imported.import_file(opened(), data, name, again)
    except InvalidImport as error:
        st.warning(plain(str(error)), icon=":material/error:")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.success(plain(imported.import_sentence(ids, name)), icon=":material/check:")
        for run_id in ids[:MOST_LINKS]:
            st.page_link(
                "result.py",
                label=f"Run {run_id}",
                icon=":material/insights:",
                query_params={"run": str(run_id)},
            )


MOST_LINKS = 8
