"""The backends: their addresses, whether their API keys are set, and whether they answer."""

from __future__ import annotations

import asyncio

import streamlit as st

from pages.widgets import saved_servers
from pages.widgets.remedy_button import changed
from pages.widgets.view import code, plain
from services.ask.backends import BACKENDS, Backend, has_key
from services.base import settings
from services.base.units import many, seconds
from services.report.terminal import backend_address
from services.servers.check_backend import check_backend
from services.servers.probe import Probe

SHOWN = 12  # models to name


def facts(probe: Probe) -> None:
    """Show the test's results, as separate facts."""
    with st.container(horizontal=True, gap="xsmall"):
        st.badge("reachable", color="green", icon=":material/check:")
        for holds, yes, no in (
            (probe.streams, "streams", "does not stream"),
            (probe.reports_usage, "reports usage", "does not report usage"),
        ):
            if holds is not None:
                st.badge(yes if holds else no, color="green" if holds else "orange")
        if probe.rtt_s is not None:
            st.badge(f"round trip {seconds(probe.rtt_s)}", color="blue")
    if probe.lists is False:
        st.caption("The server does not list its models: type the model name when you start a run.")
    if probe.models:
        more = " …" if len(probe.models) > SHOWN else ""
        st.caption(
            f"{many(len(probe.models), 'model')}: {plain(', '.join(probe.models[:SHOWN]))}{more}"
        )


def answer(name: str, probe: Probe) -> None:
    """Show the test's results, as a sentence or as facts."""
    if probe.problem:
        st.warning(plain(probe.problem), icon=":material/cloud_off:")
    if probe.remedy is not None:
        st.page_link(
            "run.py",
            label=f"{probe.remedy.label} in a run",
            icon=":material/build:",
            query_params={"backend": name, **changed(probe.remedy)},
        )
    if probe.reachable:
        facts(probe)


def key_state(backend: Backend) -> str:
    if backend.key_env is None:
        return "needs no API key"
    if has_key(backend, settings.environment()):
        return f"{backend.key_env} is set"
    return f"{backend.key_env} is not set" + ("" if backend.needs_key else " (optional)")


def about(backend: Backend) -> None:
    address = backend_address(backend, settings.environment())
    st.markdown(f"**{backend.label}**")
    st.caption(f"{code(address) if '://' in address else plain(address)} · {key_state(backend)}")


def show(backend: Backend) -> None:
    """Show one backend: its address and key, a test, and a link to start a run."""
    key = f"probe-{backend.name}"
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
                pressed = st.button(
                    "Test", key=f"test-{backend.name}", icon=":material/network_check:"
                )
        if pressed:
            with st.spinner("Testing …"):
                st.session_state[key] = asyncio.run(
                    check_backend(backend.name, None, settings.environment())
                )
        if key in st.session_state:
            answer(backend.name, st.session_state[key])


st.title("Backends", anchor=False)
st.caption(
    "Addresses and API keys come from the environment or from `.env`; `.env.example` lists them "
    "all. You can also enter a key on *Run* for one session. Keys are never shown, stored or "
    "exported."
)
saved_servers.show()
st.subheader("Backends", anchor=False)
for backend in BACKENDS.values():
    show(backend)
