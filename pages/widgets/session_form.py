"""The fields of sessions, for workloads with several turns."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.widgets import fields
from services.ask import about, conversation
from services.ask.config import RunConfig
from services.ask.config.sessions import SessionFields
from services.ask.sessions import sessions_of

NAMES = tuple(about.fields(SessionFields))


def ask(start: RunConfig, workload: str, prompts: tuple[str, ...] = ()) -> dict[str, Any]:
    """Show the fields that apply to these prompts; return those fields of a RunConfig."""
    if workload == "synthetic":
        return _synthetic(start)
    if workload != "file":
        return {}
    values: dict[str, Any] = {}
    if any(map(conversation.can_be_split, prompts)):
        values["turn_by_turn"] = fields.switch("turn_by_turn", start)
    played = {"workload": "file", "prompts": prompts, "turns": None, **values}
    if sessions_of(start.model_copy(update=played)) is None:
        return values
    return values | fields.columns_of((n for n in NAMES if n != "turn_by_turn"), start)


def _synthetic(start: RunConfig) -> dict[str, Any]:
    with st.grid(2, min_column_width=fields.NARROW, vertical_alignment="bottom"):
        values: dict[str, Any] = {"turns": fields.number("turns", start)}
        several = (values["turns"] or 1) > 1
        if several:
            values["turn_delay_s"] = fields.number("turn_delay_s", start)
    return values | ({"history": fields.choice("history", start)} if several else {})
