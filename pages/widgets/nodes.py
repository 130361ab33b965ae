"""Several machines: the command for each, and whether what answers is what was asked for."""

from __future__ import annotations

import streamlit as st

from pages.widgets.view import plain
from services.engines import ENGINES, EngineConfig, node_commands


def ask(config: EngineConfig) -> None:
    """Show the exact command for each node, where the engine can be spread over several."""
    if not ENGINES[config.engine].several_nodes:
        return
    with st.expander("Several machines", icon=":material/lan:"):
        count = st.number_input("Machines", 2, 64, max(2, config.nodes), key="nodes-count")
        head = st.text_input("Address of the first", "10.0.0.1", key="nodes-head")
        for node in node_commands(config.model_copy(update={"nodes": int(count)}), head.strip()):
            st.markdown(f"**{plain(node.name)}**")
            st.code(node.text, language="bash", wrap_lines=True)
            if node.note:
                st.caption(plain(node.note))
        st.caption(
            "Run them there, then choose the first machine's address as the backend of a run or of "
            "a study: Paceline reads from it how it is spread, and says so where it is not as asked."
        )
