"""API keys typed on a page, each for the address next to its field: kept in this session's memory,
never in a link, and gone when the session ends.

A key belongs to an origin (scheme, host and port) and is sent only there, whichever backend is
chosen and whatever a link says.
"""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from pages.widgets.url_state import touched
from pages.widgets.view import plain
from services.ask.address import Origin, origin, origin_url
from services.ask.backends import BACKENDS, BackendProblem, TypedKeys, address, has_key, is_own
from services.base import settings

PREFIX = "secret-"
TITLE = "API keys for this session"

Server = tuple[str, str | None]  # a backend's name, and its address if one was entered


def typed() -> TypedKeys:
    """Return the keys that were entered in this session, by the origin they are for."""
    fields = [str(key) for key in st.session_state if str(key).startswith(PREFIX)]
    typed_texts = {field: str(st.session_state[field] or "").strip() for field in fields}
    return {origin(field.removeprefix(PREFIX)): key for field, key in typed_texts.items() if key}


def ask(servers: Iterable[Server]) -> None:
    """Ask for a key for each address of these servers."""
    places = {site: server for server in servers if (site := _origin(*server))}
    if not places:
        return
    with st.expander(TITLE):
        for site, server in places.items():
            _field(site, already_set=_is_set(*server))
        st.caption(
            "Not stored: kept in memory until you close this tab, and used only for runs and tasks "
            "that you start from it, including with *Run again* and *Resume*."
        )


def _field(site: Origin, already_set: bool) -> None:
    url = origin_url(site)
    key = PREFIX + url
    st.session_state.setdefault(key, "")
    st.text_input(
        f"API key for {url.partition('://')[2]}",
        type="password",
        max_chars=1000,
        key=key,
        placeholder="already set" if already_set else "not set",
        on_change=touched,
        persist_state="session",
    )
    st.caption(plain(f"Sent only to {url}."))


def _origin(name: str, base_url: str | None) -> Origin | None:
    """Return the origin that a key would be sent to; None if there is none, or the backend needs no
    key."""
    backend = BACKENDS[name]
    if backend.kind != "http" or not backend.key_env:
        return None
    try:
        return origin(address(backend, settings.environment(), base_url))
    except BackendProblem:
        return None  # no address yet, or an invalid one


def _is_set(name: str, base_url: str | None) -> bool:
    """Whether the environment has a key for this origin."""
    backend, env = BACKENDS[name], settings.environment()
    return is_own(backend, env, base_url) and bool(has_key(backend, env))
