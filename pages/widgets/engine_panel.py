"""One engine: its state, its command, its log, what failed and what to try."""

from __future__ import annotations

import streamlit as st

from db.database import opened
from jobs import serving
from pages.widgets.panels import Colour
from pages.widgets.view import code, plain, read_only
from services.servers.engines import ENGINES, parallel_label
from services.servers.engines.instance import EngineInstance

COLOURS: dict[str, Colour] = {
    "planned": "gray",
    "starting": "blue",
    "ready": "green",
    "ending": "orange",
    "stopped": "gray",
    "failed": "red",
}


def panel(server: EngineInstance, log: bool = True) -> None:
    """Show one engine; `log`: with the end of its log and its command, which are for admins."""
    name = f"{ENGINES[server.config.engine].label} · {parallel_label(server.config)}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{plain(name)}**")
        st.badge(server.status, color=COLOURS[server.status])
        if server.status == "ready" and server.base_url:
            st.caption(code(server.base_url))
    if server.phase:
        st.caption(plain(server.phase))
    if server.error and server.status == "failed":
        st.error(plain(server.error), icon=":material/error:")
    if server.hint:
        st.info(plain(server.hint), icon=":material/lightbulb:")
    if server.facts:
        facts = (f"{name.replace('_', ' ')} {value}" for name, value in server.facts.items())
        st.caption(plain(", ".join(facts)))
    if log and not read_only():
        _details(server)


def _details(server: EngineInstance) -> None:
    log = serving.log_tail(opened(), server.id)
    if not (log or server.command):
        return
    title = " and ".join(["Log"] * bool(log) + ["command"] * bool(server.command)).capitalize()
    with st.expander(title, expanded=server.status in ("starting", "failed")):
        if server.command:
            st.code(server.command, language="bash", wrap_lines=True)
        if log:
            st.code(log, language=None, height=260)
