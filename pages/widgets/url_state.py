"""A page's state is its URL: a link opens the page as it was, and choices are written back.

The widgets of such a page have keys with a common prefix, and call `touched` when they change. A
rerun without a touch whose URL is not the one written last comes from a link or from the browser's
back button: the widgets then follow the URL. After a touch the URL follows the widgets, whatever
the browser reports, which may lag behind. `st.switch_page` briefly puts the parameters of the next
page on the URL of the page it leaves, so the browser's back button also stops there: with the
number of a run on a page that is not about a run.

The session keeps which page is open (`opened`), its URL in the browser (`sent`), the URL that the
widgets were set to (`followed`), and whether one was changed since (`touched`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import streamlit as st

KEPT = ("view",)  # parameters that the frame of all pages reads
TABS = "tab"  # parameter of tabs; on Compare, Streamlit itself writes it and lets nobody else


def open_page(path: str) -> None:
    """Remember which page is drawn, and with which URL.

    A link that leads to the same page with other parameters leaves the old ones in the browser, so
    they are sent; the browser ignores a URL that it has. A page that has just been opened sends
    none: if its visitor has gone back by then, that would change the URL of the page before.
    """
    here = parameters()
    stays = st.session_state.get("opened") == path
    changed = here != st.session_state.get("sent", here)
    if stays and changed and "touched" not in st.session_state and TABS not in here:
        _send(here)
    if not stays:
        untouched()
        st.session_state.pop("followed", None)
    st.session_state["opened"], st.session_state["sent"] = path, here


def touched() -> None:
    """Callback of every widget of a linked page."""
    st.session_state["touched"] = True


def untouched() -> None:
    """Forget that a widget was changed: the page is left without following it."""
    st.session_state.pop("touched", None)


def keyed(key: str, first: Any, on_change: Callable[[], None] = touched) -> dict[str, Any]:
    """Set the initial value of a widget of a linked page; return the arguments that such widgets
    have in common."""
    return unlinked(key, first) | {"on_change": on_change}


def unlinked(key: str, first: Any) -> dict[str, Any]:
    """Set the initial value of a widget that is not part of a link; return its arguments.

    Streamlit drops the value of a widget that is not drawn in a run of the page, because it is
    hidden or an error occurred above it. `persist_state` keeps the value for the next time; without
    it, the browser would show and send the widget's default.
    """
    st.session_state.setdefault(key, first)
    return {"key": key, "persist_state": "page"}


def parameters() -> dict[str, str]:
    """Return the page's parameters in the URL."""
    return {name: text for name, text in st.query_params.items() if name not in KEPT}


def watch(prefix: str | tuple[str, ...]) -> bool:
    """Reset the widgets with this key prefix if the URL has changed, or if another page was left:
    its widgets may have the same keys, whose values Streamlit has dropped. Returns whether widgets
    were changed instead."""
    if st.session_state.pop("touched", False):
        return True
    here = parameters()
    if here != st.session_state.get("followed"):  # None on a page that has just been opened
        forget(prefix)
    st.session_state["followed"] = here
    return False


def forget(prefix: str | tuple[str, ...], kept: Collection[str] = ()) -> None:
    """Reset the widgets with this key prefix, except those in `kept`."""
    for key in [key for key in st.session_state if str(key).startswith(prefix)]:
        if key not in kept:
            del st.session_state[key]


def page_of(prefix: str, pages: int) -> int:
    """Return the current page of a list, from its widget and the URL (`?page=2`)."""
    text = st.query_params.get("page", "1")
    first = int(text) if text in map(str, range(1, pages + 1)) else 1
    key = keyed(f"{prefix}page", first)["key"]
    st.session_state[key] = min(st.session_state[key], pages)
    return int(st.session_state[key])


def update(wanted_parameters: Mapping[str, str]) -> None:
    """Set the URL's parameters to those of the widgets."""
    wanted = dict(wanted_parameters)
    if wanted != parameters():
        _send(wanted)
    st.session_state["followed"] = st.session_state["sent"] = wanted


def _send(wanted: Mapping[str, str]) -> None:
    kept = {name: text for name, text in st.query_params.items() if name in KEPT}
    st.query_params.from_dict({**kept, **wanted})
