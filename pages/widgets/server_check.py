"""A test of a server: does it answer, stream and report usage, and what are its models?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.widgets.remedy_button import changed
from pages.widgets.view import plain
from services.ask import link
from services.ask.config import RunConfig
from services.base import settings
from services.base.units import many, seconds
from services.servers.check_backend import check_backend
from services.servers.probe import Probe

SHOWN = 12  # models to name
SERVER = ("backend", "model", "base_url")


def button(name: str) -> bool:
    """Show the button that tests a server; return whether it was pressed."""
    return st.button("Test", key=f"test-{name}", icon=":material/network_check:")


def show(name: str, pressed: bool, values: Mapping[str, Any]) -> None:
    """Test a server if the button was pressed, and show the last results of this session, unless
    the name is that of another server since. `values`: the fields of a run on it."""
    key, query = f"probe-{name}", link.query(values, RunConfig())
    if pressed:
        options = {field: value for field, value in values.items() if field not in SERVER}
        model, address = values.get("model"), values.get("base_url")
        env = settings.environment()
        with st.spinner("Testing …"):
            probe = asyncio.run(check_backend(values["backend"], model, env, address, options))
        st.session_state[key] = query, probe
    tested, probe = st.session_state.get(key, (None, None))
    if probe is not None and tested == query:
        _answer(probe, query)


def _facts(probe: Probe) -> None:
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


def _answer(probe: Probe, query: Mapping[str, str]) -> None:
    """Show the test's results, as a sentence or as facts."""
    if probe.problem:
        st.warning(plain(probe.problem), icon=":material/cloud_off:")
    if probe.remedy is not None:
        st.page_link(
            "run.py",
            label=f"{probe.remedy.label} in a run",
            icon=":material/build:",
            query_params={**query, **changed(probe.remedy)},
        )
    if probe.reachable:
        _facts(probe)
