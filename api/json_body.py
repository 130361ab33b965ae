"""Parse a JSON body, and refuse one with too many entries before parsing it: millions of them would
take gigabytes as objects, and validation would report a problem with each."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

MAX_ENTRIES = 100_000  # of lists and objects: eight candidates with 10,000 prompts each
MAX_NAMES = 2_000  # fields of objects
MAX_CONTAINERS = 1_000  # lists and objects; this bounds the depth of nesting, too


class Most(NamedTuple):
    """Limits on the JSON that is read."""

    entries: int
    names: int
    containers: int


USUAL = Most(MAX_ENTRIES, MAX_NAMES, MAX_CONTAINERS)


class TooManyEntries(ValueError):
    """A body has more entries than any valid request; the message is a sentence."""


class InvalidBody(ValueError):
    """A body is not JSON in UTF-8."""


def read_json(data: bytes, most: Most = USUAL) -> Any:
    """Return the parsed body, in time and memory proportional to its bytes.

    Raises:
        TooManyEntries: it has more than any request needs.
        InvalidBody: it is not JSON in UTF-8.
    """
    check_size(data, most)
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeError, too
        raise InvalidBody("The body is not valid JSON.") from error


def check_size(data: bytes, allowed: Most = USUAL) -> None:
    """Count entries by the punctuation outside strings. Raises TooManyEntries."""
    unescaped = data.replace(rb"\\", b"").replace(rb"\"", b"")
    parts = unescaped.split(b'"', 2 * allowed.entries)  # every second one is a string
    if len(parts) > 2 * allowed.entries:
        raise TooManyEntries(_sentence(allowed.entries, "entries"))
    outside = b"".join(parts[::2])
    containers = outside.count(b"[") + outside.count(b"{")
    for count, most, what in (
        (containers, allowed.containers, "lists and objects"),
        (outside.count(b":"), allowed.names, "fields"),
        (outside.count(b",") + containers, allowed.entries, "entries"),
    ):
        if count > most:
            raise TooManyEntries(_sentence(most, what))


def _sentence(most: int, what: str) -> str:
    return f"The body has more than {most:,} {what}, the most that Paceline reads."
