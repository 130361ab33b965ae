"""The tabs of a result page. Only the open one is drawn; the URL says which that is (`?tab=`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from pages.widgets import url_state
from pages.widgets.view import IGNORED, plain

KEY = "result-tab"


def show(contents: Mapping[str, Callable[[], None]]) -> None:
    """Show tabs with these contents, by names in LABELS, with the first one open."""
    st.session_state[KEY] = LABELS[_wanted(contents)]
    tabs = st.tabs([LABELS[name] for name in contents], key=KEY, on_change=_into_url)
    for tab, draw in zip(tabs, contents.values(), strict=True):
        if tab.open:
            with tab:
                draw()


def _into_url() -> None:
    st.query_params[url_state.TABS] = st.session_state[KEY]


def _wanted(contents: Mapping[str, Callable[[], None]]) -> str:
    """The tab in the URL, or the first one if it is missing or unknown."""
    first = next(iter(contents))
    name = st.query_params.get(url_state.TABS, first)
    if name.lower() in contents:
        return name.lower()
    st.warning(
        plain(f"There is no tab “{name[:40]}” here. {IGNORED}"),
        icon=":material/link_off:",
    )
    return first


LABELS = {  # by their names in the URL, in any case
    "charts": "Charts",
    "timeline": "Timeline",
    "numbers": "Numbers",
    "requests": "Requests",
    "setup": "Setup",
}
