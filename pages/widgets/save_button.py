"""The *Save* button of a form that saves something under a name, and *Replace* if the name is
taken."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from db.named import NameTaken
from pages.widgets import create_button
from pages.widgets.url_state import touched
from pages.widgets.view import plain, show_error
from services.base.errors import PacelineError


def show(key: str, name: str, save: Callable[[bool], object]) -> None:
    """Show *Save*. If something is saved under this name, say so and show *Replace*.

    `key`: from `create_button.key`. `save`: saves; if its argument is True, it replaces.
    """
    asked = f"{key}-replace"
    if st.form_submit_button("Save", type="primary", on_click=touched, key=key):
        _save(key, lambda: save(False), asked, name)
    if asked not in st.session_state:
        return
    taken, problem = st.session_state[asked]
    st.warning(plain(f"{problem} Choose another name, or replace it."))
    pressed = st.form_submit_button("Replace", on_click=touched, key=f"{asked}-button")
    if pressed and _save(key, lambda: save(name == taken), asked, name):
        st.rerun()


def _save(key: str, save: Callable[[], object], asked: str, name: str) -> bool:
    """Save; return whether the name is taken."""
    st.session_state.pop(asked, None)
    try:
        create_button.create(key, save)
    except NameTaken as error:
        st.session_state[asked] = name, str(error)
        return True
    except PacelineError as error:
        show_error(error)
        return False
    st.rerun()
