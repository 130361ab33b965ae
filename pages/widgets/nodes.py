"""Several machines: the command for each, and a check that they form the requested engine."""

from __future__ import annotations

import asyncio

import streamlit as st

from pages.widgets import fields, url_state
from pages.widgets.view import plain, show_blocked
from services.ask.address import InvalidAddress, normal_url
from services.ask.backends import BackendProblem, Target
from services.servers.engines import ENGINES, EngineConfig, EngineProblem, check_topology, commands
from services.servers.facts import engine_facts
from services.servers.probe import list_models

PORT = 30000
GIVE_UP_S = 5.0


def ask(config: EngineConfig) -> None:
    """Show the exact command for each node, if the engine can run on several."""
    if not ENGINES[config.engine].several_nodes:
        return
    with st.expander("Multiple nodes", icon=":material/lan:"):
        count = fields.whole_number("Nodes", max(2, config.nodes), 2, 64, key="nodes-count")
        head = st.text_input(
            "Address of the head node", **url_state.unlinked("nodes-head", "10.0.0.1")
        )
        head = head.strip()
        if count is None:
            return
        spread = config.model_copy(update={"nodes": count})
        try:
            for node in commands(spread, head, PORT):
                st.markdown(f"**Node {node.node + 1}**")
                st.code(node.text, language="bash", wrap_lines=True)
                st.caption(plain(node.note))
        except EngineProblem as error:
            show_blocked(str(error))
            return
        st.caption("Run each command on its node, then check the connection:")
        if st.button("Check connection", icon=":material/network_check:", key="nodes-check"):
            _check(spread, f"http://{head}:{PORT}/v1")


def _check(config: EngineConfig, address: str) -> None:
    """Check the server's own settings, and show what to do with it."""
    backend = ENGINES[config.engine].backend
    try:
        target = Target(backend, normal_url(address, "The address"))
        models = asyncio.run(list_models(target, GIVE_UP_S))
        facts = asyncio.run(engine_facts(target))
    except (InvalidAddress, BackendProblem) as error:
        st.warning(plain(f"The nodes are not connected yet. {error}"), icon=":material/cloud_off:")
        return
    if odd := check_topology(facts, config):
        st.error(plain(odd), icon=":material/error:")
        return
    st.success(plain(f"The nodes are connected: {', '.join(models) or 'the server'} answers."))
    server = {"backend": backend, "base_url": address}
    with st.container(horizontal=True):
        st.page_link("run.py", label="Start a run", query_params=server)
        st.page_link(
            "study.py", label="Start a study", query_params={"preset": "concurrency", **server}
        )
