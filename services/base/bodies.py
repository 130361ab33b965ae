"""A body of JSON is looked over before it is read: the objects of one that holds millions of
entries take gigabytes, and a validator would find something wrong with each."""

from __future__ import annotations

import json
from typing import Any

MOST_ENTRIES = 100_000  # of lists and objects: eight candidates with 10,000 prompts each
MOST_NAMES = 2_000  # of the fields of objects
MOST_CONTAINERS = 1_000  # lists and objects, and with them how deep they lie in each other


class TooManyEntries(ValueError):
    """A body with more in it than anything that can be asked for, in a sentence."""


class InvalidBody(ValueError):
    """A body that is not JSON in UTF-8."""


def read_json(data: bytes) -> Any:
    """Return what a body says. It takes time and memory in proportion to its bytes.

    Raises:
        TooManyEntries: it holds more than any request needs.
        InvalidBody: it is not JSON in UTF-8.
    """
    check_size(data)
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeError, too
        raise InvalidBody("The body is not valid JSON.") from error


def check_size(data: bytes) -> None:
    """Count what is in a body by its punctuation outside of texts. Raises TooManyEntries."""
    unescaped = data.replace(rb"\\", b"").replace(rb"\"", b"")
    parts = unescaped.split(b'"', 2 * MOST_ENTRIES)  # texts are every second one
    if len(parts) > 2 * MOST_ENTRIES:
        raise TooManyEntries(_sentence(MOST_ENTRIES, "entries"))
    outside = b"".join(parts[::2])
    containers = outside.count(b"[") + outside.count(b"{")
    for count, most, what in (
        (containers, MOST_CONTAINERS, "lists and objects"),
        (outside.count(b":"), MOST_NAMES, "fields"),
        (outside.count(b",") + containers, MOST_ENTRIES, "entries"),
    ):
        if count > most:
            raise TooManyEntries(_sentence(most, what))


def _sentence(most: int, what: str) -> str:
    return f"The body has more than {most:,} {what}, the most that Paceline reads."
