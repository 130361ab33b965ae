"""Prompts in the entries of prompt files, as text or messages, in the formats of many tools."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from services.ask import dialogue
from services.ask.config import MAX_TOKENS
from services.ask.dialogue import Turn
from services.ask.workloads import (
    entry_conversations,
    entry_messages,
    entry_responses,
    spread_sessions,
)
from services.ask.workloads.entry_messages import checked_text
from services.ask.workloads.entry_notes import Notes as Notes
from services.ask.workloads.entry_notes import UnusableEntry as UnusableEntry
from services.ask.workloads.spread_sessions import Entry, entry_of
from services.ask.workloads.tracefile import is_trace

REPLAY_IT = (
    "which contains lengths but no prompts. Replay it as a trace instead (mode Trace replay, or "
    "--trace)."
)


def prompt_of(value: Any, notes: Notes) -> str | None:
    """Return the prompt of an entry (see `dialogue`), or None for a conversation without one.

    Raises:
        UnusableEntry: the entry has no prompt that can be sent.
    """
    if isinstance(value, str):
        return checked_text(value)
    if not isinstance(value, dict):
        raise UnusableEntry('must be a JSON string or an object with "prompt".')
    for name in SETTINGS:
        notes.names[name] += value.get(name) is not None
    notes.names += Counter()  # without those that are 0
    _check_url(value)
    for name, read in KEYS.items():
        if name in value:
            return _completed(read(value[name], notes), value)
    if value.keys() & TRACE or is_trace({name.lower() for name in value}):
        raise UnusableEntry(f"is a line of a trace (such as Mooncake's), {REPLAY_IT}")
    raise UnusableEntry(
        'has no field "prompt", "text" or "messages", nor another supported one '
        f"({', '.join(name for name in KEYS if name not in USUAL)}). Add one of these."
    )


def _check_url(entry: Mapping[str, Any]) -> None:
    """Check that a request of a batch has an answer with tokens. Raises UnusableEntry."""
    url = entry.get("url")
    if "body" in entry and isinstance(url, str) and not url.rstrip("/").endswith(ANSWERED):
        raise UnusableEntry(
            f"is a request to {url[:60]}, which does not generate text. Remove it. Paths that "
            f"do: {', '.join(ANSWERED)}."
        )


def limit_of(value: Any) -> int:
    """Return how many tokens the answer to an entry may have, according to the entry; 0 if it does
    not say.

    Raises:
        UnusableEntry: it is not a number of tokens.
    """
    if not isinstance(value, dict):
        return 0
    for name in LIMITS:
        if (limit := value.get(name)) is not None:
            return _checked_limit(limit, name)
    body = value.get("body") or value.get("payload")
    return limit_of(body[0] if isinstance(body, list) and body else body)


def _checked_limit(value: Any, name: str) -> int:
    number = _read_number(value) if isinstance(value, str) else value
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if type(number) is not int or not 1 <= number <= MAX_TOKENS:
        raise UnusableEntry(f"has {name} that is not a number of tokens from 1 to {MAX_TOKENS:,}.")
    return number


def _read_number(text: str) -> float | None:
    """The number in a cell of a table. A column with empty cells is often written as 128.0."""
    return float(text) if _NUMBER.fullmatch(text.strip()) else None


def prompts_of(entries: list[Any]) -> list[Any]:
    """Return prompts in which objects have been read as entries of a prompt file, those of one
    session as one; others are unchanged.

    Raises:
        ValueError: one cannot be used; the message is a sentence about `prompts`.
    """
    return [entry.prompt for entry in _joined(entries)]


def limits_of(entries: list[Any]) -> list[int]:
    """Return what `limit_of` says of each of these prompts.

    Raises:
        ValueError: as for `prompts_of`.
    """
    return [entry.limit for entry in _joined(entries)]


def _joined(entries: list[Any]) -> list[Entry]:
    return spread_sessions.joined(entry for entry in _each(entries) if entry is not None)


def _each(entries: list[Any]) -> Iterator[Entry | None]:
    for number, entry in enumerate(entries, 1):
        try:
            yield _entry(entry)
        except UnusableEntry as error:
            raise ValueError(f"prompts: are not usable: entry {number:,} {error}") from None
        except RecursionError:
            raise ValueError(
                f"prompts: are not usable: entry {number:,} is nested too deeply."
            ) from None


def _entry(value: Any) -> Entry | None:
    if not isinstance(value, dict):
        return Entry(value)
    prompt = prompt_of(value, Notes())
    return None if prompt is None else entry_of(value, prompt, limit_of(value))


def _completed(prompt: str | None, entry: Mapping[str, Any]) -> str | None:
    """Return the prompt with what its entry adds: a system prompt, images and tools."""
    options = entry_messages.options(entry)
    system, images = _system(entry), entry_messages.images(entry)
    if prompt is None or not (options or system or images):
        return prompt
    first, *later = dialogue.turns_of(prompt)
    messages = entry_messages.with_images(first.messages, images) if images else first.messages
    options = {**dialogue.options_of(prompt), **options}
    return dialogue.to_session([Turn([*system, *messages]), *later], options)


def _system(entry: Mapping[str, Any]) -> list[dialogue.Message]:
    text = entry.get("system")
    if not isinstance(text, str) or not text.strip():
        return []
    return [{"role": "system", "content": checked_text(text)}]


def _text(value: Any, notes: Notes) -> str | None:
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], str):
            return checked_text(value[0])
        if value and all(isinstance(each, int) for each in value):
            raise UnusableEntry("has a prompt of token ids. Give its text instead.")
        if value and all(isinstance(each, str) for each in value):
            raise UnusableEntry("has a list of prompts. Give each its own entry.")
        return _from_parts(value)
    return checked_text(value)


def _messages(value: Any, notes: Notes) -> str | None:
    return dialogue.to_prompt(entry_messages.messages(value, notes))


def _from_parts(parts: list[Any]) -> str:
    """Return the prompt of a content that is a list of parts; its texts, if there are no other
    parts."""
    found = entry_messages.parts(parts)
    if all(part["type"] == "text" and isinstance(part.get("text"), str) for part in found):
        return checked_text("\n".join(part["text"] for part in found))
    message = {"role": "user", "content": found}
    return dialogue.to_prompt(entry_messages.messages([message], Notes()))


def _turns(value: Any, notes: Notes) -> str | None:
    return entry_conversations.aiperf(value, notes, prompt_of)


def _texts(value: Any, notes: Notes) -> str | None:
    """The format of aiperf: a list of texts, or of objects with `contents`."""
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
    """The body of a request, as in genai-perf's inputs."""
    body = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(body, dict):
        raise UnusableEntry('has a "body" that is not an object with a prompt.')
    if not body.keys() & KEYS.keys():
        raise UnusableEntry(
            'has a "body" (or "payload") without "messages" or "prompt". Add one of these to it.'
        )
    return prompt_of(body, notes)


def _request(value: Any, notes: Notes) -> str | None:
    """The body of a request of OpenAI's batches, which may be one of the Responses API."""
    if isinstance(value, dict) and entry_responses.is_request(value):
        value = entry_responses.as_chat(value)
    return _body(value, notes)


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
    "conversations": entry_conversations.sharegpt,  # ShareGPT
    "body": _request,  # OpenAI's batches
    "payload": _body,  # genai-perf's inputs
}
ANSWERED = ("/chat/completions", "/completions", "/responses", "/messages", "/api/chat")
_NUMBER = re.compile(r"[0-9]{1,9}(\.0*)?")
TRACE = {"input_length", "hash_ids", "ContextTokens"}
LIMITS = (
    "output_tokens",
    "output_length",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
)
SETTINGS = (  # of one request, which a run sets for all requests
    "temperature",
    "top_p",
    "seed",
    "model",
)
