"""A link or a command to copy: its button is always visible, not only on hover."""

from __future__ import annotations

import streamlit as st

STYLE = """<style>
[class*=st-key-copyable] [data-testid=stCode] pre { padding-right: 3.5rem; }
[class*=st-key-copyable] [data-testid=stCode] > :last-child,
[class*=st-key-copyable] [data-testid=stCode] > :last-child * { visibility: visible; opacity: 1; }
</style>"""


def show(text: str, key: str, language: str | None = None) -> None:
    """Show a text with a button that copies it. `key`: distinguishes several on one page."""
    with st.container(key=f"copyable-{key}", gap=None):
        st.html(STYLE)
        st.code(text, language=language, wrap_lines=True)
