"""The gate for what a server says: names, versions, reasons, labels and numbers on their way in.

Nobody vouches for it. A server may echo the key or the prompt that it was sent, in any field; it
may send megabytes where a word belongs, or numbers that no database holds. Whatever is to be
stored, exported, shown or logged passes one of these functions first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.base.finite import LARGEST, SMALLEST
from services.base.redact import LONGEST, READ, Secrets, holds, redact
from services.base.surrogates import join_surrogates

FURTHEST = 5 * READ  # characters of a text that are looked at, spaces among them
SENTENCE = 1_000  # characters of a text among data that are kept
DEEPEST = 8  # levels of lists and objects that are kept
ENTRIES = 1_000  # of one list or object that are kept
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,4})?"
)


def text(value: Any, secrets: Secrets = (), limit: int = LONGEST) -> str:
    """Return a server's words as one line of `limit` printable characters at most, without the
    `secrets` (its key, the prompt) and without what looks like a key; "" where `value` is no
    text."""
    return redact(one_line(value), secrets, limit) if isinstance(value, str) else ""


def one_line(value: str) -> str:
    """Return `value` on one line, or of a long one its beginning, longer than `redact` looks at: no
    line breaks, control or direction characters, halves of surrogate pairs."""
    start = join_surrogates(value[:FURTHEST])
    if not start.isprintable():
        start = "".join(c if c.isprintable() else " " for c in start)
    words = start.split()
    line = " ".join(words)
    if len(value) > FURTHEST and len(line) <= READ:  # nearly all space: the last word may be cut
        line = " ".join(words[:-1])
    return line


def number(value: Any) -> float | None:
    """Return a number, also one written in ASCII digits; None: it is none, infinite, or larger than
    64 bits hold, so that sums of numbers stay finite."""
    if isinstance(value, str):
        value = float(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if SMALLEST <= value <= LARGEST else None  # NaN is in no order


def integer(value: Any) -> int | None:
    """Return a whole number that fits 64 bits, also one written in ASCII digits; None: it is none,
    or larger."""
    if isinstance(value, str):
        value = int(value) if _INTEGER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if SMALLEST <= value <= LARGEST else None


def name(value: Any, secrets: Secrets = (), limit: int = LONGEST) -> str:
    """Return a name that a server is to be asked by, such as a model's, as it was written; "" where
    it is none, longer, not printable, or holds one of the secrets."""
    fits = isinstance(value, str) and len(value) <= limit and value.isprintable()
    return value if fits and not holds(value, secrets) else ""


def data(value: Any, secrets: Secrets = (), depth: int = DEEPEST) -> Any:
    """Return JSON-ready data with each text and number in it passed through the gate: what is no
    number that can be kept is None, and what is deeper or longer than can be meant is left out.
    Texts may be sentences, of SENTENCE characters."""
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
