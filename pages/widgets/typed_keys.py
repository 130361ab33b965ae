"""Keys typed on a page: in this session's memory, in no link, and forgotten when the page is left.

A key goes where the one in the environment would go: to its backend's own address.
"""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from pages.widgets import linked
from pages.widgets.view import plain
from services import settings
from services.backends import BACKENDS, Backend, BackendProblem, address, has_key

PREFIX = "secret-"


def typed() -> dict[str, str]:
    """Return the keys that were typed, by the names of the variables that would hold them."""
    names = [backend.key_env for backend in BACKENDS.values() if backend.key_env]
    found = {name: str(st.session_state.get(PREFIX + name) or "").strip() for name in names}
    return {name: key for name, key in found.items() if key}


def environment() -> dict[str, str]:
    """Return the environment as it is with those keys."""
    return {**settings.environment(), **typed()}


def ask(backends: Iterable[str]) -> None:
    """Ask for the keys of these backends, each once, where one has an address to send it to."""
    there = [BACKENDS[name] for name in dict.fromkeys(backends)]
    wanted = [(one, where) for one in there if one.key_env and (where := _own(one))]
    if not wanted:
        return
    with st.expander("Keys for this session"):
        for one, where in wanted:
            st.text_input(
                f"{one.label}: {one.key_env}", type="password", max_chars=1000,
                placeholder="already set" if has_key(one, settings.environment()) else "not set",
                **linked.keyed(f"{PREFIX}{one.key_env}", ""),
            )  # fmt: skip
            st.caption(plain(f"Sent to {where} and nowhere else."))
        st.caption("Not stored: passed to the runs that you start, and deleted when they end.")


def _own(backend: Backend) -> str | None:
    try:
        return address(backend, settings.environment()) if backend.kind == "openai" else None
    except BackendProblem:
        return None
