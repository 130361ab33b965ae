"""Saved filters of History: each is a link. The current filter can be saved under a name."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from db import filters
from db.database import opened
from pages.widgets import create_button, filter_words, run_list, save_button
from pages.widgets.url_state import touched
from pages.widgets.view import plain, sentences


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
        save_button.show(
            key, name.strip(), lambda over: filters.save(opened(), name, current, replace=over)
        )


@sentences()
def _delete(name: str) -> None:
    touched()
    filters.delete(opened(), name)
