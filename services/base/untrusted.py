"""Validates what a server sends: names, versions, reasons, labels and numbers.

None of it can be trusted. A server may echo the key or the prompt that it was sent, in any field;
it may send megabytes instead of a word, or numbers that no database can store. Everything that is
stored, exported, shown or logged passes through one of these functions first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.base.finite import LARGEST, SMALLEST
from services.base.redact import LONGEST, READ, Secrets, holds, redact
from services.base.surrogates import join_surrogates

FURTHEST = 5 * READ  # characters of a text that are read, including spaces
SENTENCE = 1_000  # characters that are kept of a text in data
DEEPEST = 8  # levels of nested lists and objects that are kept
ENTRIES = 1_000  # entries of one list or object that are kept
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,4})?"
)


def text(value: Any, secrets: Secrets = (), limit: int = LONGEST) -> str:
    """Return a server's text as one line of at most `limit` printable characters, without the
    `secrets` (its key, the prompt) and anything that looks like a key; "" if `value` is not
    text."""
    return redact(one_line(value), secrets, limit) if isinstance(value, str) else ""


def one_line(value: str) -> str:
    """Return `value`, or the beginning of a long one, on one line: without line breaks, control or
    direction characters and lone surrogates. The beginning is longer than what `redact` reads."""
    start = join_surrogates(value[:FURTHEST])
    if not start.isprintable():
        start = "".join(c if c.isprintable() else " " for c in start)
    words = start.split()
    line = " ".join(words)
    if len(value) > FURTHEST and len(line) <= READ:  # nearly all spaces: the last word may be cut
        line = " ".join(words[:-1])
    return line


def number(value: Any) -> float | None:
    """Return a number, which may be written in ASCII digits; None if it is not a number, infinite,
    or does not fit 64 bits. Sums of numbers thus stay finite."""
    if isinstance(value, str):
        value = float(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if SMALLEST <= value <= LARGEST else None  # NaN fails both comparisons


def integer(value: Any) -> int | None:
    """Return an integer, which may be written in ASCII digits; None if it is not an integer or does
    not fit 64 bits."""
    if isinstance(value, str):
        value = int(value) if _INTEGER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if SMALLEST <= value <= LARGEST else None


def name(value: Any, secrets: Secrets = (), limit: int = LONGEST) -> str:
    """Return a name to be sent back to the server, such as a model's, unchanged; "" if it is not
    text, too long, not printable, or contains a secret."""
    fits = isinstance(value, str) and len(value) <= limit and value.isprintable()
    return value if fits and not holds(value, secrets) else ""


def data(value: Any, secrets: Secrets = (), depth: int = DEEPEST) -> Any:
    """Return JSON-ready data with every text and number in it validated: invalid numbers become
    None, and what is nested too deeply or too long is left out. Texts may have SENTENCE
    characters."""
    secrets = tuple(secrets)
    match value:
        case None | bool():
            return value
        case str():
            return text(value, secrets, SENTENCE)
        case int():
            return integer(value)
        case float():
            return number(value)
        case Mapping() if depth:
            some = list(value.items())[:ENTRIES]
            return {text(key, secrets): data(each, secrets, depth - 1) for key, each in some}
        case list() | tuple() if depth:
            return [data(each, secrets, depth - 1) for each in value[:ENTRIES]]
        case _:
            return None
