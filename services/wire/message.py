"""What the body of an error says: its words, in whichever shape a server puts them.

There is no standard for it. OpenAI has `{"error": {"message"}}`, vLLM before 0.10 and Mistral
`{"object": "error", "message"}`, FastAPI `{"detail": [{"loc", "msg"}]}`, FastChat `{"text",
"error_code"}`, Gemini a list of one; gateways pack one of them into another, or write it as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

DEPTH = 6  # of shapes within shapes that are looked into
MOST = 3  # messages of one body
CHARACTERS = 2_000  # of one message


def message_of(body: bytes | str) -> str:
    """Return the words of an error's body, or of one part of it; "" where it is no JSON, or says
    nothing."""
    try:
        return words_of(orjson.loads(body))
    except ValueError:
        return ""


def words_of(data: Any) -> str:
    """Return what an error says that has been read from JSON already; "": nothing."""
    found = dict.fromkeys(words.rstrip() for words in _words(data, DEPTH))
    return "; ".join([words for words in found if words][:MOST])


def _words(data: Any, depth: int) -> Iterator[str]:
    """Yield the messages in `data`, the nearest first."""
    if isinstance(data, str):
        yield from _text(data, depth)
    elif depth and isinstance(data, list):
        for entry in data[:MOST]:
            yield from _words(entry, depth - 1)
    elif depth and isinstance(data, Mapping):
        yield from _object(data, depth - 1)


def _text(text: str, depth: int) -> Iterator[str]:
    """Yield a text, or the messages of the JSON that was written as one."""
    text = text.strip()
    if text[:1] in ("{", "[") and depth:
        try:
            inner = list(_words(orjson.loads(text), depth - 1))
        except ValueError:
            inner = []
        if inner:
            yield from inner
            return
    yield text[:CHARACTERS]


def _object(data: Mapping[str, Any], depth: int) -> Iterator[str]:
    if isinstance(data.get("loc"), list):  # FastAPI's, of one field
        field = ".".join(str(part) for part in data["loc"][:DEPTH] if part != "body")
        yield f"{field}: {data.get('msg') or 'not valid'}"[:CHARACTERS].removeprefix(": ")
        return
    for names in NAMES:
        found = [words for name in names for words in _words(data.get(name), depth) if words]
        if found:
            yield from found
            return
    yield from (f"{name} {data[name]}" for name in CODES if isinstance(data.get(name), int))


# Where the words are: the first of these groups that has some.
NAMES: tuple[tuple[str, ...], ...] = (
    ("error_message", "error_msg", "error_description", "status_msg", "faultstring"),
    ("message", "Message", "msg", "metadata", "raw"),  # `metadata.raw`: what a router was told
    ("detail", "details"),
    ("error", "errors", "fault", "base_resp"),
    ("title", "reason", "description", "text"),
    ("type", "error_type", "code", "error_code"),
)
CODES = ("code", "error_code", "status")  # where there is nothing but a number
