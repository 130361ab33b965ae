"""A page's actions: three groups (compare, run again, share), and a "…" menu with the rest.

A group is a popover. Actions that change the page itself open from the menu in a panel below the
buttons, which moves the page down and covers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import streamlit as st

from pages.widgets.url_state import touched

OPEN = "open-panel"
Panels = Mapping[str, Callable[[], None]]


def opener(page: str, label: str) -> None:
    """Show a button that opens or closes a panel. `page`: identifies the page's content; another
    value starts with all panels closed."""
    icon = f":material/{ICONS[label]}:"
    st.button(label, icon=icon, key=f"open-{page}-{label}", on_click=_toggle, args=(page, label))


def more(page: str, labels: Iterable[str]) -> None:
    """Show the "…" menu with the other panels."""
    st.menu_button(
        "…",
        list(labels),
        format_func=lambda label: f":material/{ICONS[label]}: {label}",
        key=f"more-{page}",
        help="More actions",
        on_click=_open,
        args=(page,),
    )


def panel(page: str, panels: Panels) -> None:
    """Show the panel chosen in the menu, until it is closed."""
    show = panels.get(st.session_state.get(OPEN, {}).get(page, ""))
    if show is not None:
        with st.container(border=True, key=f"panel-{page}"):
            show()
            st.button("Close", icon=":material/close:", type="tertiary", on_click=close)


def close() -> None:
    """Close the open panel."""
    touched()
    st.session_state[OPEN] = {}


def _open(page: str) -> None:
    touched()
    st.session_state[OPEN] = {page: st.session_state[f"more-{page}"]}


def _toggle(page: str, label: str) -> None:
    touched()
    now = st.session_state.get(OPEN, {})
    st.session_state[OPEN] = {} if now == {page: label} else {page: label}


ICONS = {
    "Edit": "edit",
    "Objectives and price": "flag",
    "Runs and margin": "tune",
    "Baseline": "keep",
    "Delete": "delete",
}
