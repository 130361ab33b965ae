"""Prompts in the entries of prompt files, as text or messages, in the formats of many tools."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.ask import dialogue
from services.ask.dialogue import Message
from services.base.units import many


class Unusable(ValueError):
    """An entry that cannot be used. The message follows its location: `has …`."""


@dataclass
class Notes:
    """Counts of what was ignored in a file's entries."""

    names: Counter[str] = field(default_factory=Counter)
    without: int = 0  # conversations without a user turn
    first: int = 0  # conversations with further turns
    answers: int = 0  # trailing answers that were removed

    def sentences(self, entries: int) -> list[str]:
        """Return a sentence for each."""
        sentences = []
        if self.names:
            names = ", ".join(
                f"{name} (in {count:,} of {entries:,})" for name, count in self.names.items()
            )
            sentences.append(f"Not used, because these are set for the whole run: {names}.")
        if self.first:
            turn = "only the first turn is sent"
            sentences.append(f"In {many(self.first, 'conversation')} of several turns, {turn}.")
        if self.without:
            sentences.append(
                f"Left out: {many(self.without, 'conversation')} without a user message."
            )
        if self.answers:
            sentences.append(f"Not sent: {many(self.answers, 'answer')} at the end of messages.")
        return sentences


def prompt_of(value: Any, notes: Notes) -> str | None:
    """Return the prompt of an entry (see `dialogue`), or None for a conversation without one.

    Raises:
        Unusable: the entry has no prompt that can be sent.
    """
    if isinstance(value, str):
        return _checked(value)
    if not isinstance(value, dict):
        raise Unusable('must be a JSON string or an object with "prompt".')
    for name in SETTINGS:
        notes.names[name] += value.get(name) is not None
    notes.names += Counter()  # without those that are 0
    for name, read in KEYS.items():
        if name in value:
            return read(value[name], notes)
    if value.keys() & TRACE:
        raise Unusable(
            "is a line of a trace (such as Mooncake's), which contains lengths but no prompts. "
            "Choose synthetic prompts of such a length instead."
        )
    raise Unusable(
        'has no field "prompt", "text" or "messages", nor another supported one '
        f"({', '.join(name for name in KEYS if name not in USUAL)}). Add one of these."
    )


def _text(value: Any, notes: Notes) -> str | None:
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], str):
            return _checked(value[0])
        if value and all(isinstance(each, int) for each in value):
            raise Unusable("has a prompt of token ids. Give its text instead.")
        if value and all(isinstance(each, str) for each in value):
            raise Unusable("has a list of prompts. Give each its own entry.")
        return _checked(_parts(value))
    return _checked(value)


def _messages(value: Any, notes: Notes) -> str | None:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise Unusable('has "messages" that are not objects with a text "content".')
    messages = [_message(entry) for entry in value]
    while len(messages) > 1 and messages[-1]["role"] == "assistant":
        messages.pop()
        notes.answers += 1
    if not any(message["content"].strip() for message in messages):
        raise Unusable("has an empty prompt. Write it, or remove the line.")
    for message in messages:
        _check_characters(message["content"])
    return dialogue.to_prompt(messages)


def _message(entry: Mapping[str, Any]) -> Message:
    role, content = entry.get("role", "user"), entry.get("content")
    if isinstance(content, list):
        content = _parts(content)
    if not isinstance(content, str):
        raise Unusable('has "messages" that are not objects with a text "content".')
    if role not in dialogue.ROLES:
        raise Unusable(
            f'has a message of the role "{str(role)[:40]}". '
            f"Supported roles: {', '.join(dialogue.ROLES)}."
        )
    return {"role": role, "content": content}


def _parts(parts: list[Any]) -> str:
    """Return the joined texts of a content that is a list of parts."""
    texts = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        else:
            kind = str(part.get("type"))[:40] if isinstance(part, dict) else "another kind"
            raise Unusable(
                f"has a part that is not text ({kind}). Only text can be sent: remove it."
            )
    return "\n".join(texts)


def _conversation(value: Any, notes: Notes) -> str | None:
    """ShareGPT: the first user turn, or None if there is none."""
    turns = [turn for turn in value if isinstance(turn, dict)] if isinstance(value, list) else []
    prompts = [turn for turn in turns if turn.get("from") in ("human", "user")]
    if not prompts:
        notes.without += 1
        return None
    notes.first += len(prompts) > 1
    return _checked(prompts[0].get("value"))


def _turns(value: Any, notes: Notes) -> str | None:
    """aiperf's sessions: the first turn."""
    if not isinstance(value, list) or not value:
        notes.without += 1
        return None
    notes.first += len(value) > 1
    return prompt_of(value[0], notes)


def _texts(value: Any, notes: Notes) -> str | None:
    """aiperf's: a list of texts, or of objects with `contents`."""
    entries = value if isinstance(value, list) else [value]
    return _text(
        [
            text
            for each in entries
            for text in (each.get("contents", []) if isinstance(each, dict) else [each])
        ],
        notes,
    )


def _body(value: Any, notes: Notes) -> str | None:
    """The body of a request, as in OpenAI's batches and genai-perf's inputs."""
    body = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(body, dict):
        raise Unusable('has a "body" that is not an object with a prompt.')
    return prompt_of(body, notes)


def _checked(value: Any) -> str:
    if not isinstance(value, str):
        raise Unusable("has a prompt that is not text. Put it in quotes.")
    if not value.strip():
        raise Unusable("has an empty prompt. Write it, or remove the line.")
    _check_characters(value)
    return value


def _check_characters(text: str) -> None:
    """Raise Unusable if a text holds characters that cannot be sent or stored."""
    if "\0" in text or text.startswith(dialogue.MARK[0]) or re.search("[\ud800-\udfff]", text):
        raise Unusable("has a prompt with a character that cannot be sent. Remove it.")


Read = Callable[[Any, Notes], "str | None"]
USUAL = ("prompt", "text", "messages")
KEYS: dict[str, Read] = {  # in this order: an entry may have several
    "prompt": _text,
    "text": _text,
    "messages": _messages,
    "text_input": _text,  # genai-perf
    "texts": _texts,  # aiperf
    "turns": _turns,
    "question": _text,  # evalscope
    "conversations": _conversation,  # ShareGPT
    "body": _body,  # OpenAI's batches
    "payload": _body,  # genai-perf's inputs
}
TRACE = {"input_length", "hash_ids", "ContextTokens"}
SETTINGS = (  # of one request, which are set for the whole run
    "output_tokens",
    "output_length",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "seed",
    "model",
    "system",
    "images",
)
