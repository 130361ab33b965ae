"""Conversations of several turns in an entry: ShareGPT's `conversations`, aiperf's `turns`.

ShareGPT says `from` and `value`; newer files with the same list say `role` and `content`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.ask import conversation, dialogue
from services.ask.dialogue import Message, Turn
from services.ask.workloads.entry_messages import checked_text
from services.ask.workloads.entry_notes import Notes, UnusableEntry

SPEAKERS = {  # those of ShareGPT
    "human": "user",
    "user": "user",
    "system": "system",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "bing": "assistant",
    "bard": "assistant",
}
NO_SPEAKER = (
    'has a conversation whose messages have no "from" (or "role"). Write who says each, such as '
    "human and gpt, and the text as value."
)
LONGEST_MS = dialogue.LONGEST_S * 1000


def sharegpt(value: Any, notes: Notes) -> str | None:
    """Return a conversation from its first user message on, with the system prompt before it, as
    far as it consists of texts; None if there is no such message.

    Raises:
        UnusableEntry: the first message has no speaker, or a message is not text.
    """
    turns = [turn for turn in value if isinstance(turn, dict)] if isinstance(value, list) else []
    messages: list[Message] = []
    for turn in turns:
        speaker = _either(turn, "from", "role")
        if speaker is None and turn is turns[0]:
            raise UnusableEntry(NO_SPEAKER)
        role = SPEAKERS.get(str(speaker))
        if role is None:
            notes.speakers[str(speaker)[:40]] += 1
            break
        if role != "assistant" or any(each["role"] == "user" for each in messages):
            messages.append(
                {"role": role, "content": checked_text(_either(turn, "value", "content"))}
            )
    while messages and messages[-1]["role"] != "user":
        messages.pop()
    if not messages:
        notes.without += 1
        return None
    return dialogue.to_session(conversation.split_messages(messages))


def _either(turn: Mapping[str, Any], name: str, newer: str) -> Any:
    """A message's value under one of two names; in a table of both kinds, the other is null."""
    value = turn.get(name)
    return turn.get(newer) if value is None else value


def aiperf(value: Any, notes: Notes, prompt_of: Callable[[Any, Notes], str | None]) -> str | None:
    """Return a session's turns, each with the delay before it; None if there are none."""
    if not isinstance(value, list) or not value:
        notes.without += 1
        return None
    turns: list[Turn] = []
    for each in value:
        prompt = prompt_of(each, notes)
        if prompt is None:
            raise UnusableEntry("has a turn without a prompt. Remove it.")
        wait = delay_s(each) if isinstance(each, dict) and turns else None
        turns.append(Turn(dialogue.messages_of(prompt), wait))
    return dialogue.to_session(turns)


def delay_s(turn: Mapping[str, Any]) -> float | None:
    """Return the delay before a turn, in seconds; None if there is none.

    Raises:
        UnusableEntry: it is not a number of milliseconds.
    """
    delay = turn.get("delay")
    if delay is None:
        return None
    if isinstance(delay, bool) or not isinstance(delay, int | float):
        raise UnusableEntry('has a "delay" that is not a number of milliseconds. Correct it.')
    if not 0 <= delay <= LONGEST_MS:
        raise UnusableEntry('has a "delay" that is not between 0 and 86,400,000 ms. Correct it.')
    return delay / 1000
