"""Prompts of several messages (a system prompt, earlier turns), stored as one text like any other
prompt: a prefix that no user's text begins with, then the messages as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

MARK = "\x1emessages:"  # a control character: workloads/promptfile.py refuses it in texts
ROLES = ("system", "developer", "user", "assistant")
Message = dict[str, str]  # `role`, `content`


def to_prompt(messages: Sequence[Message]) -> str:
    """Return messages as one prompt; a single user message becomes its plain text."""
    if len(messages) == 1 and messages[0]["role"] == "user":
        return messages[0]["content"]
    return MARK + json.dumps(list(messages), ensure_ascii=False, separators=(",", ":"))


def messages_of(prompt: str) -> list[Message]:
    """Return the messages of a prompt.

    Raises:
        ValueError: the prefix is not followed by messages; `RunConfig` rejects such prompts.
    """
    if not prompt.startswith(MARK):
        return [{"role": "user", "content": prompt}]
    try:
        messages: list[Message] = json.loads(prompt[len(MARK) :])
    except RecursionError:
        raise ValueError("contains messages that are nested too deeply") from None
    fits = isinstance(messages, list) and messages and all(map(_is_message, messages))
    if not fits:
        raise ValueError("contains messages that are not a list of role and content")
    return messages


def with_nonce(prompt: str, nonce: str) -> str:
    """Return the prompt with `nonce` in front of its first message, whatever the role."""
    if not prompt.startswith(MARK):
        return f"{nonce} {prompt}"
    first, *others = messages_of(prompt)
    return to_prompt([{**first, "content": f"{nonce} {first['content']}"}, *others])


def text_of(prompt: str) -> str:
    """Return a prompt as plain text, for people and for servers that take no messages."""
    if not prompt.startswith(MARK):
        return prompt
    return "\n\n".join(message["content"] for message in messages_of(prompt))


def _is_message(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"role", "content"}
        and value["role"] in ROLES
        and isinstance(value["content"], str)
    )
