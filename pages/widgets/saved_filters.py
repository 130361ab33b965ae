"""Saved filters of History: each is a link. The current filter can be saved under a name."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from db import filters
from db.database import opened
from pages.widgets import create_button, filter_words, run_list
from pages.widgets.url_state import touched
from pages.widgets.view import plain, sentences, show_error
from services.base.errors import PacelineError


def show(current: Mapping[str, str]) -> None:
    """Show the saved filters, and a popover to save or delete one. `current`: the filters in the
    URL."""
    saved = filters.list_all(opened())
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for each in saved:
            st.page_link(
                "history.py",
                label=plain(each.name),
                icon=":material/bookmark:",
                query_params={**each.parameters, **run_list.parameter()},
            )
        with st.popover("Save filter", icon=":material/bookmark_add:"):
            _form(current)
            for number, each in enumerate(saved):
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.caption(plain(each.name))
                    st.button(
                        "Delete",
                        key=f"delete-filter-{number}",
                        icon=":material/delete:",
                        type="tertiary",
                        on_click=_delete,
                        args=(each.name,),
                    )


def _form(current: Mapping[str, str]) -> None:
    summary = filter_words.sentence(current)
    st.caption(plain(f"Saves {summary}.") if summary else "Search or choose a filter first.")
    key = create_button.key("save-filter")
    with st.form("save-filter", border=False):
        name = st.text_input("Name", max_chars=filters.LONGEST_NAME, key=f"{key}-name")
        pressed = st.form_submit_button("Save", type="primary", on_click=touched, key=key)
    if pressed:
        _save(key, name, current)


def _save(key: str, name: str, current: Mapping[str, str]) -> None:
    try:
        create_button.create(key, lambda: filters.save(opened(), name, current))
    except PacelineError as error:
        show_error(error)
        return
    st.rerun()


@sentences()
def _delete(name: str) -> None:
    touched()
    filters.delete(opened(), name)
