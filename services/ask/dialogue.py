"""Prompts of several messages (a system prompt, earlier turns, tools), stored as one text like any
other prompt: a prefix that no user's text begins with, then the messages as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MARK = "\x1emessages:"  # a control character: workloads/promptfile.py refuses it in texts
ROLES = ("system", "developer", "user", "assistant", "tool")
OPTIONS = ("tools", "tool_choice")  # of a prompt, sent in addition to its messages
# Strings under these keys are identifiers, not text.
NAMES = ("role", "type", "id", "name", "tool_call_id", "detail", "format", "media_type")
LONGEST_S = 86_400.0  # a delay between turns
NO_MESSAGES = "contains messages that are not a list of role and content"
Message = dict[str, Any]  # as in chat completions: `role`, `content`, …


@dataclass(frozen=True, slots=True)
class Turn:
    """What one request of a conversation adds to the earlier ones: the recorded answer, if any, and
    the user's next message. `delay_s`: recorded time between the two, in seconds."""

    messages: list[Message]
    delay_s: float | None = None


def to_prompt(messages: Sequence[Message], options: Mapping[str, Any] | None = None) -> str:
    """Return messages with their OPTIONS as one prompt; a single user message that contains only
    text becomes that text."""
    if options:
        return MARK + _json({"messages": list(messages), **options})
    if len(messages) == 1 and _is_plain(messages[0]):
        return str(messages[0]["content"])
    return MARK + _json(list(messages))


def to_session(turns: Sequence[Turn], options: Mapping[str, Any] | None = None) -> str:
    """Return a conversation as one prompt that keeps its turns, if it has several."""
    if len(turns) == 1:
        return to_prompt(turns[0].messages, options)
    written = [
        {"messages": turn.messages} | ({} if turn.delay_s is None else {"delay_s": turn.delay_s})
        for turn in turns
    ]
    return MARK + _json({"turns": written, **(options or {})})


def turns_of(prompt: str) -> list[Turn]:
    """Return the turns of a conversation; any other prompt is a single turn."""
    if not prompt.startswith(MARK):
        return [Turn(messages_of(prompt))]
    return _read(prompt)[0]


def messages_of(prompt: str) -> list[Message]:
    """Return the messages of a prompt.

    Raises:
        ValueError: no messages follow the prefix; `RunConfig` rejects such prompts.
    """
    if not prompt.startswith(MARK):
        return [{"role": "user", "content": prompt}]
    return [message for turn in _read(prompt)[0] for message in turn.messages]


def read(prompt: str) -> tuple[list[Message], dict[str, Any]]:
    """Return the messages and the OPTIONS of a prompt."""
    if not prompt.startswith(MARK):
        return messages_of(prompt), {}
    turns, options = _read(prompt)
    return [message for turn in turns for message in turn.messages], options


def options_of(prompt: str) -> dict[str, Any]:
    """Return the OPTIONS of a prompt."""
    return _read(prompt)[1] if prompt.startswith(MARK) else {}


def with_nonce(prompt: str, nonce: str) -> str:
    """Return the prompt with `nonce` at the beginning of its first text, whatever its role."""
    if not prompt.startswith(MARK):
        return f"{nonce} {prompt}"
    messages, options = read(prompt)
    return to_prompt(with_leading_nonce(messages, nonce), options)


def with_leading_nonce(messages: Sequence[Message], nonce: str) -> list[Message]:
    """Return messages with `nonce` at the beginning of their first text."""
    for at, message in enumerate(messages):
        if (content := _content_with(message.get("content"), nonce)) is not None:
            return [*messages[:at], {**message, "content": content}, *messages[at + 1 :]]
    parts = messages[0].get("content") or []  # only images, or only calls
    first = {**messages[0], "content": [{"type": "text", "text": nonce}, *parts]}
    return [first, *messages[1:]]


def all_text_of(prompt: str) -> str:
    """Return every text of a prompt, including those of tools, calls and files."""
    if not prompt.startswith(MARK):
        return prompt
    return "\n\n".join(_strings(list(read(prompt))))


def texts_in(message: Message) -> list[str]:
    """Return the texts of a message's content."""
    content = message.get("content")
    if isinstance(content, str):
        return [content]
    parts = (part.get("text") for part in content or ())
    return [text for text in parts if isinstance(text, str)]


def is_message(value: object) -> bool:
    """Return whether a value is a message: a role with a content, or an assistant's calls."""
    if not isinstance(value, dict) or value.get("role") not in ROLES:
        return False
    called = value.get("tool_calls")
    if called is not None and not (value["role"] == "assistant" and _are_objects(called)):
        return False
    if value["role"] == "tool" and not isinstance(value.get("tool_call_id"), str):
        return False
    content = value.get("content")
    if content is None:
        return bool(called)
    parts = _are_objects(content) and all(isinstance(part.get("type"), str) for part in content)
    return isinstance(content, str) or parts


def _read(prompt: str) -> tuple[list[Turn], dict[str, Any]]:
    try:
        value = json.loads(prompt[len(MARK) :])
    except RecursionError:
        raise ValueError("contains messages that are nested too deeply") from None
    options = value if isinstance(value, dict) else {}
    messages = options.pop("messages", None) if options else value
    turns = options.pop("turns", None) if messages is None else [{"messages": messages}]
    if not (isinstance(turns, list) and turns and options.keys() <= set(OPTIONS)):
        raise ValueError(NO_MESSAGES)
    return list(map(_turn, turns)), options


def _turn(value: Any) -> Turn:
    messages = value.get("messages") if isinstance(value, dict) else None
    if not (isinstance(messages, list) and messages and all(map(is_message, messages))):
        raise ValueError(NO_MESSAGES)
    delay_s = value.get("delay_s")
    if delay_s is not None and not (isinstance(delay_s, int | float) and 0 <= delay_s <= LONGEST_S):
        raise ValueError(NO_MESSAGES)
    return Turn(messages, delay_s)


def _content_with(content: Any, nonce: str) -> Any:
    """Return a content with the nonce at the beginning of its first text; None if it has no
    text."""
    if isinstance(content, str):
        return f"{nonce} {content}"
    for at, part in enumerate(content or ()):
        if isinstance(part.get("text"), str):
            return [*content[:at], {**part, "text": f"{nonce} {part['text']}"}, *content[at + 1 :]]
    return None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            if name not in NAMES or not isinstance(item, str):
                yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def _is_plain(message: Message) -> bool:
    return (
        message.keys() == {"role", "content"}
        and message["role"] == "user"
        and isinstance(message["content"], str)
    )


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
