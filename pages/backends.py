"""The backends: their addresses, whether their API keys are set, and whether they answer."""

from __future__ import annotations

import streamlit as st

from pages.widgets import saved_servers, server_check
from pages.widgets.view import code, plain
from services.ask.backends import BACKENDS, Backend, has_key
from services.base import settings
from services.report.terminal import backend_address


def key_state(backend: Backend) -> str:
    if backend.key_env is None:
        return "needs no API key"
    if has_key(backend, settings.environment()):
        return f"{backend.key_env} is set"
    if backend.needs_key:
        return f"**{backend.key_env} is not set**"
    return f"{backend.key_env} is not set (optional)"


def about(backend: Backend) -> None:
    address = backend_address(backend, settings.environment())
    st.markdown(f"**{backend.label}**")
    st.caption(f"{code(address) if '://' in address else plain(address)} · {key_state(backend)}")


def show(backend: Backend) -> None:
    """Show one backend: its address and key, a test, and a link to start a run."""
    with st.container(border=True):
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
        ):
            with st.container(width="content", gap="xxsmall"):
                about(backend)
            with st.container(horizontal=True, width="content", vertical_alignment="center"):
                st.page_link(
                    "run.py",
                    label="Start a run",
                    icon=":material/play_arrow:",
                    query_params={"backend": backend.name},
                )
                pressed = server_check.button(backend.name)
        server_check.show(backend.name, pressed, {"backend": backend.name})


st.title("Backends", anchor=False)
st.caption(
    "Addresses and API keys come from the environment or from `.env`; `.env.example` lists them "
    "all. You can also enter a key on *Run* for one session. Keys are never shown, stored or "
    "exported."
)
saved_servers.show()
st.subheader("All backends", anchor=False)
for backend in BACKENDS.values():
    show(backend)
