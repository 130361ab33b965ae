"""One field of a file that cannot be trusted: a value that makes sense, or None.

Numbers leave here in SI: a reader says the scale of what it reads (1e-3 for milliseconds).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import numpy as np

from services.halves import clean
from services.redact import redact

LARGEST = 1e12
LONGEST_S = 1e8  # three years: nothing that is measured takes longer, nor is older than its run
MOST_COUNT = 2**31 - 1
MOST_FACTS, LONGEST_FACT, LONGEST_NAME = 60, 200, 60
_PRIVATE = re.compile(
    r"(?i)key|secret|passw|auth|header|cookie|token$|prompt$|prompts$|text|command|path|dir$|host"
)
_STAMP = re.compile(r"\d{8}-\d{6}")


def number(value: Any, scale: float = 1.0) -> float | None:
    """Return a finite number times `scale`; None for anything else, true and false included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value) * scale
    except OverflowError:
        return None
    return found if isfinite(found) and abs(found) <= LARGEST else None


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
    if not isinstance(value, str):
        return ""
    kept = redact(" ".join(clean(value[: 10 * longest]).split()))
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


def error_class(said: str) -> str | None:
    """Return the class of a failure by the words of another tool; None where they do not tell."""
    if status := re.search(r"\b([45])\d\d\b", said):
        return "http_429" if status[0] == "429" else f"http_{status[1]}xx"
    words = {"timeout": "timeout", "timed out": "timeout", "connect": "connect"}
    return next((kind for word, kind in words.items() if word in said.lower()), None)


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
    return found
