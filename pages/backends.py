"""What can be measured: each backend's address, whether its key is set, and whether it answers."""

from __future__ import annotations

import asyncio
import os

import streamlit as st

from pages.widgets.view import plain
from services.backends import BACKENDS, Backend, has_key
from services.probe import Probe
from services.terminal import where
from services.units import seconds
from services.visit import visit


def test(name: str, model: str | None) -> None:
    """Ask one backend, and remember what it said for this session."""
    with st.spinner("Asking …"):
        st.session_state[f"probe-{name}"] = asyncio.run(visit(name, model, os.environ))


def answer(backend: Backend, probe: Probe) -> None:
    """What the test found, in a sentence or in its parts."""
    if probe.problem:
        st.warning(plain(probe.problem), icon=":material/cloud_off:")
    if probe.reachable:
        facts = {
            "streams": probe.streams,
            "reports usage": probe.reports_usage,
        }
        with st.container(horizontal=True):
            st.badge("reachable", color="green", icon=":material/check:")
            for name, holds in facts.items():
                if holds is not None:
                    st.badge(name if holds else f"no: {name}", color="green" if holds else "orange")
            if probe.rtt_s is not None:
                st.badge(f"round trip {seconds(probe.rtt_s)}", color="blue")
    if probe.models:
        shown = ", ".join(probe.models[:12])
        st.caption(
            f"{len(probe.models)} models: {plain(shown)}{' …' if len(probe.models) > 12 else ''}"
        )


def key_state(backend: Backend) -> str:
    if backend.key_env is None:
        return "needs no key"
    if has_key(backend, os.environ):
        return f"{backend.key_env} is set"
    return f"{backend.key_env} is not set" + ("" if backend.needs_key else ", and optional")


st.title("Backends")
st.caption(
    "Addresses and keys come from the environment or from `.env`; `.env.example` lists all. "
    "A key is never shown, stored or exported."
)
for name, backend in BACKENDS.items():
    with st.container(border=True):
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
        ):
            st.markdown(f"**{backend.label}**")
            asked = st.button("Test", key=f"test-{name}", icon=":material/network_check:")
        place = where(backend, os.environ)
        st.caption(f"{f'`{place}`' if '://' in place else place} · {key_state(backend)}")
        if asked:
            test(name, None)
        found = st.session_state.get(f"probe-{name}")
        if found is not None:
            answer(backend, found)
        with st.container(horizontal=True):
            st.page_link(
                "run.py", label="Start a run", icon=":material/play_arrow:",
                query_params={"backend": backend.label},
            )  # fmt: skip
