"""A button that queues work and opens the page of that work. A double click counts as one press.

The second press may be handled after the first one has opened the next page. It then draws the
button's page again, and by then the values of its fields are gone: before it draws anything, that
page opens the next page once more (`reopen`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import streamlit as st

from pages.widgets import url_state
from services.base.once import Once


def pressed(
    label: str, key: str, enabled: bool, width: Literal["stretch", "content"] = "stretch"
) -> bool:
    """Show the button; return whether it was pressed."""
    now = st.button(
        label,
        key=key,
        type="primary",
        icon=":material/play_arrow:",
        width=width,
        disabled=not enabled,
        on_click=url_state.touched,
    )
    if not now:
        st.session_state.pop(_once_key(key), None)
        st.session_state.pop(_next_key(key), None)
    return now


def open_once(
    key: str, queue: Callable[[], int], page: str, query: Callable[[int], dict[str, str]]
) -> None:
    """Queue the work of a press, unless an earlier press of the same double click did, and open its
    page; `query` gives the page's URL parameters from the number that `queue` returned.

    Raises: what `queue` raises; then the next press tries again.
    """
    once: Once[int] = st.session_state.setdefault(_once_key(key), Once())
    parameters = query(once.get(queue))
    st.session_state[_next_key(key)] = page, parameters
    st.switch_page(page, query_params=parameters)


def reopen(key: str) -> None:
    """Open the next page if this is the second press of a double click. Call it before any widget
    of the button's page is drawn."""
    if st.session_state.get(key) and _next_key(key) in st.session_state:
        url_state.untouched()
        page, parameters = st.session_state[_next_key(key)]
        st.switch_page(page, query_params=parameters)


def _once_key(key: str) -> str:
    return f"{key}-once"


def _next_key(key: str) -> str:
    return f"{key}-next"
