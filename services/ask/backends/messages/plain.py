"""Messages as plain text: the completions API has no roles and supports nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ask.backends.messages.parts import Fields, UnsupportedPart, check_keys, joined
from services.ask.dialogue import Message


def fields(messages: list[Message], options: Mapping[str, Any]) -> Fields:
    """Return `prompt`: the texts, one after the other."""
    if options:
        raise UnsupportedPart(next(iter(options)))
    for message in messages:
        check_keys(message)
        if message["role"] == "tool":
            raise UnsupportedPart("a tool result")
    return {"prompt": "\n\n".join(joined(message["content"]) for message in messages)}
