"""One field of a file that cannot be trusted: a value that makes sense, or None.

Numbers leave here in SI: a reader says the scale of what it reads (1e-3 for milliseconds).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from math import isfinite
from typing import Any

import numpy as np

from services.ask.measurement import class_of_status
from services.base.halves import clean
from services.base.redact import redact
from services.report.imports.noted import Noted

LARGEST = 1e12
SMALLEST = 1e-15  # nothing that is measured is smaller, but 0: below lie numbers a database refuses
LONGEST_S = 1e8  # three years: nothing that is measured takes longer, nor is older than its run
MOST_COUNT = 2**31 - 1
MOST_FACTS, LONGEST_FACT, LONGEST_NAME = 60, 200, 60
_PRIVATE = re.compile(
    r"(?i)key|secret|passw|auth|header|cookie|token$|prompt$|prompts$|text|command|path|dir$|host"
)
_STAMP = re.compile(r"\d{8}-\d{6}")


def number(value: Any, scale: float = 1.0) -> float | None:
    """Return a finite number times `scale`, 0 where it is smaller than anything that is measured;
    None for anything else, true and false included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value) * scale
    except OverflowError:
        return None
    if not isfinite(found) or abs(found) > LARGEST:
        return None
    return found if abs(found) >= SMALLEST else 0.0


def decimal(value: Any) -> float | None:
    """Return the number that a cell of a table writes."""
    try:
        return number(float(value)) if isinstance(value, str) and len(value) < 40 else None
    except ValueError:
        return None


def seconds(value: Any, scale: float = 1.0) -> float | None:
    """Return a time that may have been measured: not negative, not longer than LONGEST_S."""
    found = number(value, scale)
    return found if found is not None and 0 <= found <= LONGEST_S else None


def count(value: Any) -> int | None:
    """Return a whole number from 0 to MOST_COUNT."""
    found = number(value)
    whole = found is not None and found.is_integer() and 0 <= found <= MOST_COUNT
    return int(found) if whole and found is not None else None


def several(value: Any) -> list[Any]:
    """Return a list; [] for anything else."""
    return value if isinstance(value, list) else []


def mapping(value: Any) -> dict[str, Any]:
    """Return an object; {} for anything else."""
    return value if isinstance(value, dict) else {}


def inside(value: Any, *names: str) -> Any:
    """Return what stands under these names, one below the other; None where one is missing."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def line(value: Any, longest: int = LONGEST_FACT) -> str:
    """Return text as one line that can be stored, without keys; "" for what is no text."""
    return _line(value[: 10 * longest], longest) if isinstance(value, str) else ""


@lru_cache(maxsize=1_000)  # the same failure stands in a file thousands of times
def _line(text: str, longest: int) -> str:
    kept = redact(" ".join(clean(text).split()))
    return kept if len(kept) <= longest else f"{kept[: longest - 1]}…"


def arrivals(first: float | None, gaps: Any, scale: float = 1.0) -> tuple[float, ...]:
    """Return the times of chunks from the first and the gaps after it; () where one is no time. By
    NumPy, for a file may hold millions."""
    try:
        steps = np.asarray(several(gaps) or [0.0])
    except ValueError:  # lists of different lengths
        return ()
    if first is None or steps.ndim != 1 or steps.dtype.kind not in "if":
        return ()
    if not ((steps >= 0) & (steps <= LONGEST_S)).all():  # nor is any of them NaN
        return ()
    times = first + np.concatenate(([0.0], np.cumsum(steps * scale)))[: len(several(gaps)) + 1]
    return tuple(times.tolist())


def moment(value: Any) -> datetime | None:
    """Return a moment in UTC, of ISO 8601 text, of vLLM's `20261121-022042`, or of seconds since
    1970. Text without a zone is taken for UTC."""
    try:
        if isinstance(value, str):
            stamp = _STAMP.fullmatch(value)
            found = (
                datetime.strptime(value, "%Y%m%d-%H%M%S")
                if stamp
                else datetime.fromisoformat(value)
            )
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        since = number(value)
        return datetime.fromtimestamp(since, UTC) if since and since > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def last_line(error: Any) -> Any:
    """Return the last line of a Python traceback, which says what went wrong; other values as they
    are."""
    if not isinstance(error, str) or "Traceback (most recent call last)" not in error:
        return error
    lines = [line.strip() for line in error[-MOST_TRACEBACK:].splitlines() if line.strip()]
    return lines[-1] if lines else error


def failure(error: Any) -> tuple[str, str | None]:
    """Return another tool's error in a line, and the class of the failure (see `error_class`)."""
    said = line(last_line(error))
    return said, error_class(said)


def error_class(said: str) -> str | None:
    """Return the class of a failure by the words of another tool; None where they do not tell.

    A number is a status only where the words say so: at the beginning, after `HTTP`, `status`,
    `code` or `error`, or before its own reason phrase. A line's number and a length are none."""
    if status := _REASONS.get(said.strip(" .").lower()):
        return class_of_status(status)
    found = next((found for kind in _STATUSES if (found := kind.search(said))), None)
    if found:
        return class_of_status(int(found[1]))
    low = said.lower()
    return next((kind for word, kind in _WORDS if re.search(rf"\b{word}", low)), None)


def facts(document: Mapping[str, Any], without: Iterable[str] = ()) -> dict[str, Any]:
    """Return the scalars of an object that no reader knows, for the record: few and short, and none
    whose name says that it may hold a key, a prompt or a place on somebody's disk."""
    found: dict[str, Any] = {}
    for name, value in document.items():
        if len(found) >= MOST_FACTS:
            break
        if name in set(without) or _PRIVATE.search(name) or isinstance(value, list | dict):
            continue
        kept = line(value) if isinstance(value, str) else value
        known = isinstance(kept, bool) or number(kept) is not None
        if known or (isinstance(kept, str) and kept):
            found[line(name, LONGEST_NAME)] = kept
            if isinstance(document, Noted):
                document.asked.add(name)
    return found


MOST_TRACEBACK = 10_000  # characters from its end
# What aiohttp and others store where a status is expected: the phrases of RFC 9110 and some more.
_REASONS = {
    phrase.lower(): status
    for status, phrase in (*((s.value, s.phrase) for s in HTTPStatus), (529, "Site is overloaded"))
    if status >= 400
}
_NUMBER = r"([45]\d\d)\b"
_STATUSES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"^\W*{_NUMBER}(?!\s+(?:tokens|requests|prompts|characters|seconds|ms|s)\b)",
        rf"\bhttps?(?:/\d(?:\.\d)?)?(?:[ _-]?(?:error|status|response))?(?:[ _-]?code)?"
        rf"\W{{0,3}}{_NUMBER}",
        rf"\bstatus(?:[ _-]?code)?(?:\s+is|\s+of)?\W{{0,3}}{_NUMBER}",
        rf"\b(?:error|response)(?:[ _-]?code)?\W{{0,3}}{_NUMBER}",
        rf"\bcode\W{{0,3}}{_NUMBER}",
        rf"(?<![\w.]){_NUMBER}[,:]?\s+\W?(?:{'|'.join(map(re.escape, _REASONS))})\b",
    )
)
# In this order: "connection timed out" never connected.
_WORDS: tuple[tuple[str, str], ...] = (
    *(
        (re.escape(phrase) + r"\b", class_of_status(status))
        for phrase, status in _REASONS.items()
        if " " in phrase and "timeout" not in phrase
    ),
    (r"rate ?limit", "http_429"),
    (
        r"(?:connect(?:ion)?[ _]?time(?:d )?out|timed out (?:while )?connecting|connecttimeout)",
        "timeout_connect",
    ),
    (r"output too few tokens", "too_short"),
    (r"\w*(?:time ?out|timed out)", "timeout"),
    (r"\w*(?:payload|incomplete ?read|chunkedencoding|remoteprotocol)", "truncated"),
    (
        r"(?:disconnected|\w*connect|broken pipe|name or service not known|no route to host)",
        "connect",
    ),
    (r"(?:maximum context length|context length exceeded|prompt is too long)", "http_4xx"),
)
