"""Result files of other benchmarks, uploaded and stored as runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from db import imported
from db.database import opened
from pages.widgets import create_button
from pages.widgets.url_state import touched
from pages.widgets.view import plain, sentences, show_error
from services.report.imports import MAX_BYTES, InvalidImport, known_tools, readable


@dataclass(frozen=True, slots=True)
class Imported:
    """What happened to a file: a sentence, and its runs; none if it was refused."""

    sentence: str
    run_ids: tuple[int, ...] = ()


def button() -> None:
    """Show a popover that accepts files, and the result of each file of the last import."""
    with st.popover("Import", icon=":material/upload_file:"):
        st.caption(
            f"Result files of {plain(known_tools())}. Their prompts and answers are not stored."
        )
        key = create_button.key("import")
        with st.form("import", border=False):
            files = st.file_uploader(
                "Files",
                accept_multiple_files=True,
                max_upload_size=MAX_BYTES // 10**6,
                key=f"{key}-files",
            )
            again = st.checkbox("Import again if already imported")
            pressed = st.form_submit_button("Import", type="primary", on_click=touched, key=key)
        if pressed:
            _import(key, files, again)
        for result in st.session_state.get(LAST, []):
            _show(result)


@sentences()
def _import(key: str, files: Sequence[UploadedFile], again: bool) -> None:
    try:
        st.session_state[LAST] = create_button.create(key, lambda: _read_all(files, again))
    except InvalidImport as error:
        show_error(error)
        return
    st.rerun()


def _read_all(files: Sequence[UploadedFile], again: bool) -> list[Imported]:
    if not files:
        raise InvalidImport("No file is selected.")
    return [_imported(file.getvalue(), file.name, again) for file in files]


def _imported(data: bytes, name: str, again: bool) -> Imported:
    try:
        ids = imported.import_file(opened(), data, name, again)
    except InvalidImport as error:
        return Imported(str(error).removesuffix(f" {readable()}"))  # which the caption above says
    return Imported(imported.import_sentence(ids, name), tuple(ids))


def _show(result: Imported) -> None:
    if not result.run_ids:
        st.warning(plain(result.sentence), icon=":material/error:")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.success(plain(result.sentence), icon=":material/check:")
        for run_id in result.run_ids[:MAX_LINKS]:
            st.page_link(
                "result.py",
                label=f"Run {run_id}",
                icon=":material/insights:",
                query_params={"run": str(run_id)},
            )


MAX_LINKS = 8
LAST = "import-last"  # the results of the last import, in the session
