"""The fields of sessions, where a workload has several turns."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.widgets import fields
from services.ask import about, conversation
from services.ask.config import RunConfig
from services.ask.config.sessions import SessionFields
from services.ask.dialogue import MARK
from services.ask.sessions import sessions_of

NAMES = tuple(about.fields(SessionFields))


def ask(start: RunConfig, workload: str, prompts: tuple[str, ...] = ()) -> dict[str, Any]:
    """Show the fields that matter for these prompts; return those fields of a RunConfig."""
    if workload == "synthetic":
        return _synthetic(start)
    if workload != "file":
        return {}
    values: dict[str, Any] = {}
    if any(_may_be_parted(prompt) for prompt in prompts):
        values["turn_by_turn"] = fields.switch("turn_by_turn", start)
    played = {"workload": "file", "prompts": prompts, "turns": None, **values}
    if sessions_of(start.model_copy(update=played)) is None:
        return values
    return values | fields.several((n for n in NAMES if n != "turn_by_turn"), start)


def _synthetic(start: RunConfig) -> dict[str, Any]:
    with st.grid(2, min_column_width=fields.NARROW, vertical_alignment="bottom"):
        values: dict[str, Any] = {"turns": fields.number("turns", start)}
        several = (values["turns"] or 1) > 1
        if several:
            values["turn_delay_s"] = fields.number("turn_delay_s", start)
    return values | ({"history": fields.word("history", start)} if several else {})


def _may_be_parted(prompt: str) -> bool:
    """Whether it is a list of messages in which a user speaks several times."""
    if not prompt.startswith(MARK) or conversation.is_session(prompt):
        return False
    return len(conversation.turns(prompt, by_message=True)) > 1
