"""What is taken out of a server's answer: numbers, switches and short words, never a path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.probe.inquiry import plain

Take = Callable[[Any], Any]
Names = Mapping[str, tuple[str, Take]]


def taken(data: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Return {fact: value} of what `data` says, for `names` of {key: (fact, how it is read)}. What
    is not said, or is not what it should be, is left out."""
    found = {fact: read(data.get(key)) for key, (fact, read) in names.items()}
    return {fact: value for fact, value in found.items() if value is not None}


def whole(value: Any) -> int | None:
    """Return a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def share(value: Any) -> float | None:
    """Return a share from 0 to 1."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 <= value <= 1 else None


def flag(value: Any) -> bool | None:
    """Return a switch."""
    return value if isinstance(value, bool) else None


def word(value: Any) -> Any:
    """Return a short word, or a whole number; nothing that holds a folder."""
    if isinstance(value, str) and value and not {"/", "\\"} & set(value):
        return plain(value, 60)
    return whole(value)


def off(value: Any) -> bool | None:
    """Return the opposite of a switch: what is "disabled"."""
    return None if flag(value) is None else not value


def last_part(value: Any) -> str | None:
    """Return the name of a model: of a folder or "owner/name" only what comes last."""
    text = value.replace("\\", "/").rstrip("/") if isinstance(value, str) else ""
    return plain(text.rpartition("/")[2], 120) or None
