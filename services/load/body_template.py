"""Later turns that send what the server answered, prepared before it answers.

Their bodies are built with a placeholder for each answer. When the answers have arrived, only they
are encoded and inserted. This takes microseconds at a moment when other tokens arrive and other
requests are due; building the body of a long history would take a millisecond.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any, TypeVar

import orjson

Text = TypeVar("Text", str, bytes)


def placeholders(count: int) -> tuple[str, ...]:
    """Return a placeholder for each answer that no prompt contains and that JSON does not
    escape."""
    each = secrets.token_hex(8)
    return tuple(f"<answer {number} {each}>" for number in range(count))


@dataclass(frozen=True, slots=True)
class BodyTemplate:
    """A request body and its text, split at the places of the answers."""

    body: Sequence[bytes]
    text: Sequence[str]

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        return sum(map(len, self.body)) + sum(map(len, self.text))

    def fill(self, answers: Sequence[str]) -> tuple[bytes, str]:
        """Return the body and the text with these answers filled in."""
        encoded = [orjson.dumps(answer)[1:-1] for answer in answers]
        return b"".join(_between(self.body, encoded)), "".join(_between(self.text, answers))


def split_body(body: bytes, text: str, marks: Sequence[str]) -> BodyTemplate | None:
    """Split body and text at these marks; None if a mark does not occur exactly once, or in another
    order."""
    body_parts = _parts(body, [mark.encode() for mark in marks])
    text_parts = _parts(text, marks)
    return BodyTemplate(body_parts, text_parts) if body_parts and text_parts else None


def _parts(whole: Text, marks: Sequence[Text]) -> Sequence[Text]:
    """Returns () if the marks are not as they should be."""
    parts: list[Any] = []  # of `Text`
    for mark in marks:
        before, found, whole = whole.partition(mark)
        if not found or mark in whole:
            return ()
        parts.append(before)
    return [*parts, whole]


def _between(parts: Sequence[Text], answers: Sequence[Text]) -> list[Text]:
    pairs = zip_longest(parts, answers, fillvalue=parts[0][:0])
    return list(chain.from_iterable(pairs))
