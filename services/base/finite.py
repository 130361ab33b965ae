"""Numbers that every JSON reader and database accepts: finite, integers within 64 bits."""

from __future__ import annotations

from math import isfinite
from typing import Any

SMALLEST, LARGEST = -(2**63), 2**63 - 1  # what databases and JSON readers can store


def rate(amount: float | None, seconds: float | None) -> float | None:
    """Return the amount per second, or None if a value is unknown, the time is 0, or the rate is
    not finite."""
    if amount is None or not seconds:
        return None
    try:
        return finite(amount / seconds)
    except OverflowError:  # an integer of hundreds of digits
        return None


def finite(value: float | None) -> float | None:
    """Return the value, or None if it is not finite."""
    return value if value is not None and isfinite(value) else None


def storable(value: Any) -> Any:
    """Return JSON-ready data with None in place of numbers that are not storable."""
    if isinstance(value, dict):
        return {name: storable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, int) and not SMALLEST <= value <= LARGEST:
        return None
    return value
