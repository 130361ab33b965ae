"""Extract the message from an error's body, whatever shape the server gives it.

There is no standard format. OpenAI sends `{"error": {"message"}}`, vLLM before 0.10 and Mistral
`{"object": "error", "message"}`, FastAPI `{"detail": [{"loc", "msg"}]}`, FastChat `{"text",
"error_code"}`, Gemini a list of one; gateways nest one in another, or quote it as a string.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

MAX_DEPTH = 6  # levels of nesting that are searched
MAX_MESSAGES = 3  # of one body
MAX_CHARACTERS = 2_000  # of one message


def message_of(body: bytes | str) -> str:
    """Return the message in an error's body; "" if it is not JSON or has none."""
    try:
        return message_of_json(orjson.loads(body))
    except ValueError:
        return ""


def message_of_json(data: Any) -> str:
    """Return the message in parsed JSON; "" if it has none."""
    messages = dict.fromkeys(message.rstrip() for message in _messages(data, MAX_DEPTH))
    return "; ".join([message for message in messages if message][:MAX_MESSAGES])


def _messages(data: Any, depth: int) -> Iterator[str]:
    """Yield the messages in `data`, least nested first."""
    if isinstance(data, str):
        yield from _messages_in_text(data, depth)
    elif depth and isinstance(data, list):
        for entry in data[:MAX_MESSAGES]:
            yield from _messages(entry, depth - 1)
    elif depth and isinstance(data, Mapping):
        yield from _messages_in_object(data, depth - 1)


def _messages_in_text(text: str, depth: int) -> Iterator[str]:
    """Yield the text, or the messages in it if it is quoted JSON."""
    text = text.strip()
    if text[:1] in ("{", "[") and depth:
        try:
            inner = list(_messages(orjson.loads(text), depth - 1))
        except ValueError:
            inner = []
        if inner:
            yield from inner
            return
    yield text[:MAX_CHARACTERS]


def _messages_in_object(data: Mapping[str, Any], depth: int) -> Iterator[str]:
    if isinstance(data.get("loc"), list):  # FastAPI's error of one field
        field = ".".join(str(part) for part in data["loc"][:MAX_DEPTH] if part != "body")
        yield f"{field}: {data.get('msg') or 'not valid'}"[:MAX_CHARACTERS].removeprefix(": ")
        return
    for names in FIELDS:
        messages = [
            message for name in names for message in _messages(data.get(name), depth) if message
        ]
        if messages:
            yield from messages
            return
    yield from (f"{name} {data[name]}" for name in CODE_FIELDS if isinstance(data.get(name), int))


# Fields that hold a message; the first group with a message is used.
FIELDS: tuple[tuple[str, ...], ...] = (
    ("error_message", "error_msg", "error_description", "status_msg", "faultstring"),
    ("message", "Message", "msg", "metadata", "raw"),  # `metadata.raw`: the upstream's error
    ("detail", "details"),
    ("error", "errors", "fault", "base_resp"),
    ("title", "reason", "description", "text"),
    ("type", "error_type", "code", "error_code"),
)
CODE_FIELDS = ("code", "error_code", "status")  # numbers, used if there is no text
