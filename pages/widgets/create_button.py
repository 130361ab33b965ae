"""A button that creates something and leaves its page open. A double click counts as one press.

The button gets another key as soon as something was created. The second click then presses a button
that is no longer on the page, and Streamlit ignores it. While the first click is still being
handled, Streamlit handles the second one in another thread, which gets what the first one created.
If the first thread had not come that far, the second one creates it, from the same values: a form
is emptied by fields whose keys contain the button's, not by `clear_on_submit`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from services.base.once import Once

T = TypeVar("T")


def key(name: str) -> str:
    """Return the current key of the button `name`, for its widget and for `create`."""
    now = f"{name}-{st.session_state.get(_count_key(name), 0)}"
    if _once_key(now) not in st.session_state:
        st.session_state[_once_key(now)] = Once()
    return now


def create(key: str, make: Callable[[], T]) -> T:
    """Create what the press of the button with this key asks for, unless the first click of the
    same double click did; return it. The page must then be drawn again: `st.rerun()`.

    Raises: what `make` raises; then the next press tries again.
    """
    once: Once[T] = st.session_state[_once_key(key)]
    made = once.get(make)
    name, _, number = key.rpartition("-")
    st.session_state[_count_key(name)] = int(number) + 1
    return made


def _count_key(name: str) -> str:
    return f"{name}-created"


def _once_key(key: str) -> str:
    return f"{key}-once"
