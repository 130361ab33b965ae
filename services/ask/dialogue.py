"""A prompt of several messages (a system prompt, earlier turns), kept as one text wherever a prompt
is one: a mark that no text of a person begins with, then the messages as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

MARK = "\x1emessages:"  # a control character: workloads/promptfile.py refuses it in texts
ROLES = ("system", "developer", "user", "assistant")
Message = dict[str, str]  # `role`, `content`


def to_prompt(messages: Sequence[Message]) -> str:
    """Return messages as one prompt: a single one of the user is its text."""
    if len(messages) == 1 and messages[0]["role"] == "user":
        return messages[0]["content"]
    return MARK + json.dumps(list(messages), ensure_ascii=False, separators=(",", ":"))


def messages_of(prompt: str) -> list[Message]:
    """Return the messages that a prompt is sent as.

    Raises:
        ValueError: it begins like messages and is none; `RunConfig` lets no such prompt in.
    """
    if not prompt.startswith(MARK):
        return [{"role": "user", "content": prompt}]
    try:
        found: list[Message] = json.loads(prompt[len(MARK) :])
    except RecursionError:
        raise ValueError("holds messages that are nested too deep") from None
    fits = isinstance(found, list) and found and all(map(_is_message, found))
    if not fits:
        raise ValueError("holds messages that are not a list of role and content")
    return found


def with_nonce(prompt: str, nonce: str) -> str:
    """Return a prompt whose very first words are `nonce`, whatever their role."""
    if not prompt.startswith(MARK):
        return f"{nonce} {prompt}"
    first, *others = messages_of(prompt)
    return to_prompt([{**first, "content": f"{nonce} {first['content']}"}, *others])


def text_of(prompt: str) -> str:
    """Return a prompt as people read it, and as a server without messages is asked."""
    if not prompt.startswith(MARK):
        return prompt
    return "\n\n".join(message["content"] for message in messages_of(prompt))


def _is_message(found: object) -> bool:
    return (
        isinstance(found, dict)
        and found.keys() == {"role", "content"}
        and found["role"] in ROLES
        and isinstance(found["content"], str)
    )
