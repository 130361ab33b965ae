"""Fields of an untrusted file: each function returns a plausible value, or None.

Numbers are returned in SI units: callers pass the scale of what they read (1e-3 for milliseconds).
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
from services.base.redact import redact
from services.base.surrogates import clean
from services.report.imports.tracked import Tracked

LARGEST = 1e12
SMALLEST = 1e-15  # no measurement but 0 is smaller, and databases refuse smaller numbers
LONGEST_S = 1e8  # three years: no measurement takes longer
MAX_COUNT = 2**31 - 1
MAX_FACTS, LONGEST_FACT, LONGEST_NAME = 60, 200, 60
_PRIVATE = re.compile(
    r"(?i)key|secret|passw|auth|header|cookie|token$|prompt$|prompts$|text|command|path|dir$|host"
)
_STAMP = re.compile(r"\d{8}-\d{6}")


def number(value: Any, scale: float = 1.0) -> float | None:
    """Return a finite number times `scale`, with those below SMALLEST as 0; None for anything else,
    booleans included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        scaled = float(value) * scale
    except OverflowError:
        return None
    if not isfinite(scaled) or abs(scaled) > LARGEST:
        return None
    return scaled if abs(scaled) >= SMALLEST else 0.0


def decimal(value: Any) -> float | None:
    """Return the number in a text cell; None if it holds none."""
    try:
        return number(float(value)) if isinstance(value, str) and len(value) < 40 else None
    except ValueError:
        return None


def seconds(value: Any, scale: float = 1.0) -> float | None:
    """Return a plausible duration in seconds, from 0 to LONGEST_S; None for anything else."""
    span = number(value, scale)
    return span if span is not None and 0 <= span <= LONGEST_S else None


def count(value: Any) -> int | None:
    """Return a whole number from 0 to MAX_COUNT; None for anything else."""
    parsed = number(value)
    whole = parsed is not None and parsed.is_integer() and 0 <= parsed <= MAX_COUNT
    return int(parsed) if whole and parsed is not None else None


def as_list(value: Any) -> list[Any]:
    """Return the value if it is a list, otherwise []."""
    return value if isinstance(value, list) else []


def as_dict(value: Any) -> dict[str, Any]:
    """Return the value if it is an object, otherwise {}."""
    return value if isinstance(value, dict) else {}


def inside(value: Any, *names: str) -> Any:
    """Return the value at a path of names; None if one is missing."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def line(value: Any, longest: int = LONGEST_FACT) -> str:
    """Return text as one printable line of limited length, with keys removed; "" if it is not
    text."""
    return _line(value[: 10 * longest], longest) if isinstance(value, str) else ""


@lru_cache(maxsize=1_000)  # a file may repeat an error thousands of times
def _line(text: str, longest: int) -> str:
    cleaned = redact(" ".join(clean(text).split()))
    return cleaned if len(cleaned) <= longest else f"{cleaned[: longest - 1]}…"


def arrivals(first: float | None, gaps: Any, scale: float = 1.0) -> tuple[float, ...]:
    """Return the times of chunks from the first and the gaps after it; () if any of them is not a
    duration. Uses NumPy, because a file may hold millions."""
    try:
        steps = np.asarray(as_list(gaps) or [0.0])
    except ValueError:  # lists of different lengths
        return ()
    if first is None or steps.ndim != 1 or steps.dtype.kind not in "if":
        return ()
    if not ((steps >= 0) & (steps <= LONGEST_S)).all():  # nor is any of them NaN
        return ()
    times = first + np.concatenate(([0.0], np.cumsum(steps * scale)))[: len(as_list(gaps)) + 1]
    return tuple(times.tolist())


def moment(value: Any) -> datetime | None:
    """Return a time in UTC, from ISO 8601 text, vLLM's `20261121-022042`, or seconds since 1970;
    None for anything else. Text without a zone is taken as UTC."""
    try:
        if isinstance(value, str):
            stamp = _STAMP.fullmatch(value)
            parsed = (
                datetime.strptime(value, "%Y%m%d-%H%M%S")
                if stamp
                else datetime.fromisoformat(value)
            )
            return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
        since = number(value)
        return datetime.fromtimestamp(since, UTC) if since and since > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def last_line(error: Any) -> Any:
    """Return the last line of a Python traceback, which holds the error; other values unchanged."""
    if not isinstance(error, str) or "Traceback (most recent call last)" not in error:
        return error
    lines = [line.strip() for line in error[-MAX_TRACEBACK:].splitlines() if line.strip()]
    return lines[-1] if lines else error


def failure(error: Any) -> tuple[str, str | None]:
    """Return another tool's error as one line, and its class (see `error_class`)."""
    message = line(last_line(error))
    return message, error_class(message)


def error_class(message: str) -> str | None:
    """Return the error class that another tool's message suggests; None if it suggests none.

    A number counts as an HTTP status at the beginning, after `HTTP`, `status`, `code` or `error`,
    or before its own reason phrase; line numbers and lengths do not.
    """
    if status := _REASON_PHRASES.get(message.strip(" .").lower()):
        return class_of_status(status)
    match = next(
        (match for pattern in _STATUS_PATTERNS if (match := pattern.search(message))), None
    )
    if match:
        return class_of_status(int(match[1]))
    lowered = message.lower()
    return next(
        (name for pattern, name in _ERROR_PATTERNS if re.search(rf"\b{pattern}", lowered)), None
    )


def facts(document: Mapping[str, Any], without: Iterable[str] = ()) -> dict[str, Any]:
    """Return the scalars of an object that no reader uses, to be kept with the run: few, short, and
    without names that suggest a key, a prompt or a path."""
    scalars: dict[str, Any] = {}
    for name, value in document.items():
        if len(scalars) >= MAX_FACTS:
            break
        if name in set(without) or _PRIVATE.search(name) or isinstance(value, list | dict):
            continue
        fact = line(value) if isinstance(value, str) else value
        known = isinstance(fact, bool) or number(fact) is not None
        if known or (isinstance(fact, str) and fact):
            scalars[line(name, LONGEST_NAME)] = fact
            if isinstance(document, Tracked):
                document.read_names.add(name)
    return scalars


MAX_TRACEBACK = 10_000  # characters from its end
# What aiohttp and others store instead of a status: the phrases of RFC 9110 and a few more.
_REASON_PHRASES = {
    phrase.lower(): status
    for status, phrase in (*((s.value, s.phrase) for s in HTTPStatus), (529, "Site is overloaded"))
    if status >= 400
}
_NUMBER = r"([45]\d\d)\b"
_STATUS_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"^\W*{_NUMBER}(?!\s+(?:tokens|requests|prompts|characters|seconds|ms|s)\b)",
        rf"\bhttps?(?:/\d(?:\.\d)?)?(?:[ _-]?(?:error|status|response))?(?:[ _-]?code)?"
        rf"\W{{0,3}}{_NUMBER}",
        rf"\bstatus(?:[ _-]?code)?(?:\s+is|\s+of)?\W{{0,3}}{_NUMBER}",
        rf"\b(?:error|response)(?:[ _-]?code)?\W{{0,3}}{_NUMBER}",
        rf"\bcode\W{{0,3}}{_NUMBER}",
        rf"(?<![\w.]){_NUMBER}[,:]?\s+\W?(?:{'|'.join(map(re.escape, _REASON_PHRASES))})\b",
    )
)
# In this order: after "connection timed out", there was no connection.
_ERROR_PATTERNS: tuple[tuple[str, str], ...] = (
    *(
        (re.escape(phrase) + r"\b", class_of_status(status))
        for phrase, status in _REASON_PHRASES.items()
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
