"""The shared prefixes of synthetic prompts: the planned cache hit rate, and the other fields if it
is set."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.widgets import fields
from services.ask import about
from services.ask.config import RunConfig
from services.ask.config.prefixes import PrefixFields

NAMES = tuple(about.fields(PrefixFields))


def ask(start: RunConfig) -> dict[str, Any]:
    """Show the fields that apply; return all."""
    with st.grid(3, min_column_width=fields.NARROW, vertical_alignment="bottom"):
        share = fields.number("prefix_share", start)
        shown = NAMES[1:] if share else ()
        others = {name: fields.number(name, start) for name in shown}
    return {name: getattr(start, name) for name in NAMES} | {"prefix_share": share} | others
