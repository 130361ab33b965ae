"""The fields of sessions, where a workload has several turns."""

from __future__ import annotations

from typing import Any

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
        turns = fields.number("turns", start)
        return {"turns": turns} | (_later(start, workload) if (turns or 1) > 1 else {})
    if workload != "file":
        return {}
    values: dict[str, Any] = {}
    if any(_may_be_parted(prompt) for prompt in prompts):
        values["turn_by_turn"] = fields.switch("turn_by_turn", start)
    played = {"workload": "file", "prompts": prompts, "turns": None, **values}
    if sessions_of(start.model_copy(update=played)) is None:
        return values
    return values | _later(start, workload)


def _later(start: RunConfig, workload: str) -> dict[str, Any]:
    known = about.fields(SessionFields)
    own = [n for n in NAMES if known[n].is_read(workload) and n != "turn_by_turn"]
    return fields.several((n for n in own if n != "turns" or workload == "file"), start)


def _may_be_parted(prompt: str) -> bool:
    """Whether it is a list of messages in which a user speaks several times."""
    if not prompt.startswith(MARK) or conversation.is_session(prompt):
        return False
    return len(conversation.turns(prompt, by_message=True)) > 1
