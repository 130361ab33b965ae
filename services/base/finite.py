"""Numbers that every reader can hold: finite, and whole ones within 64 bits."""

from __future__ import annotations

from math import isfinite
from typing import Any

SMALLEST, LARGEST = -(2**63), 2**63 - 1  # what databases and JSON readers hold


def rate(amount: float | None, seconds: float | None) -> float | None:
    """Return amount per second; None where one of them is not known, no time went by, or so little
    that the rate is not finite."""
    if amount is None or not seconds:
        return None
    try:
        return finite(amount / seconds)
    except OverflowError:  # of an integer of hundreds of digits
        return None


def finite(value: float | None) -> float | None:
    """Return a number; None: it is infinite, or none."""
    return value if value is not None and isfinite(value) else None


def storable(value: Any) -> Any:
    """Return JSON-ready data with None in place of each number that not every reader holds."""
    if isinstance(value, dict):
        return {name: storable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, int) and not SMALLEST <= value <= LARGEST:
        return None
    return value
