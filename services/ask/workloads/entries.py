"""What one entry of a prompt file asks: a text, or messages, whichever tool it was written for."""

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
    """What is wrong with an entry, after its place in the file: `has …`."""


@dataclass
class Notes:
    """What was not used of a file's entries, and of how many."""

    names: Counter[str] = field(default_factory=Counter)
    without: int = 0  # conversations without a turn of a person
    first: int = 0  # conversations with further turns
    answers: int = 0  # messages that end with an answer

    def sentences(self, entries: int) -> list[str]:
        """Return them in words."""
        found = []
        if self.names:
            said = ", ".join(
                f"{name} (in {count:,} of {entries:,})" for name, count in self.names.items()
            )
            found.append(f"Not used, since these are set for the whole run: {said}.")
        if self.first:
            turn = "only the first turn is sent"
            found.append(f"Of {many(self.first, 'conversation')} of several turns {turn}.")
        if self.without:
            found.append(
                f"Left out: {many(self.without, 'conversation')} without a message of a user."
            )
        if self.answers:
            found.append(f"Not sent: {many(self.answers, 'answer')} at the end of messages.")
        return found


def prompt_of(value: Any, notes: Notes) -> str | None:
    """Return what an entry asks (see `dialogue`); None for a conversation without one.

    Raises:
        Unusable: it is no prompt, or one that cannot be sent.
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
            "is a line of a trace (as Mooncake's), which holds lengths and no prompts. Choose "
            "synthetic prompts of such a length instead."
        )
    raise Unusable(
        'has no "prompt", "text" or "messages", nor another name that prompts have '
        f"({', '.join(name for name in KEYS if name not in USUAL)}). Add one of them."
    )


def _text(value: Any, notes: Notes) -> str | None:
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], str):
            return _checked(value[0])
        if value and all(isinstance(each, int) for each in value):
            raise Unusable("has a prompt of token numbers. Give its text.")
        if value and all(isinstance(each, str) for each in value):
            raise Unusable("has a list of prompts. Give each an entry of its own.")
        return _checked(_parts(value))
    return _checked(value)


def _messages(value: Any, notes: Notes) -> str | None:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Unusable('has "messages" that are not objects with a text "content".')
    found = [_message(one) for one in value]
    while len(found) > 1 and found[-1]["role"] == "assistant":
        found.pop()
        notes.answers += 1
    if not any(message["content"].strip() for message in found):
        raise Unusable("has an empty prompt. Write it, or remove the line.")
    for message in found:
        _check_characters(message["content"])
    return dialogue.to_prompt(found)


def _message(found: Mapping[str, Any]) -> Message:
    role, content = found.get("role", "user"), found.get("content")
    if isinstance(content, list):
        content = _parts(content)
    if not isinstance(content, str):
        raise Unusable('has "messages" that are not objects with a text "content".')
    if role not in dialogue.ROLES:
        raise Unusable(
            f'has a message of the role "{str(role)[:40]}". Sent are {", ".join(dialogue.ROLES)}.'
        )
    return {"role": role, "content": content}


def _parts(parts: list[Any]) -> str:
    """The texts of a content that is a list of parts."""
    texts = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        else:
            kind = str(part.get("type"))[:40] if isinstance(part, dict) else "another kind"
            raise Unusable(f"has a part that is not text ({kind}). Only text is sent: remove it.")
    return "\n".join(texts)


def _conversation(value: Any, notes: Notes) -> str | None:
    """ShareGPT: the first turn, which is a person's; none where a conversation is empty."""
    turns = [turn for turn in value if isinstance(turn, dict)] if isinstance(value, list) else []
    said = [turn for turn in turns if turn.get("from") in ("human", "user")]
    if not said:
        notes.without += 1
        return None
    notes.first += len(said) > 1
    return _checked(said[0].get("value"))


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
    """The body of a request, as OpenAI's batches and genai-perf's inputs hold it."""
    found = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(found, dict):
        raise Unusable('has a "body" that is not an object with a prompt.')
    return prompt_of(found, notes)


def _checked(value: Any) -> str:
    if not isinstance(value, str):
        raise Unusable("has a prompt that is not text. Put it in quotes.")
    if not value.strip():
        raise Unusable("has an empty prompt. Write it, or remove the line.")
    _check_characters(value)
    return value


def _check_characters(text: str) -> None:
    """Raises Unusable where a text holds what no server takes, or no database keeps."""
    if "\0" in text or text.startswith(dialogue.MARK[0]) or re.search("[\ud800-\udfff]", text):
        raise Unusable("has a prompt with a character that is not text. Remove it.")


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
SETTINGS = (  # of a request, that a run has for all
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
