"""The text of one setting or one fact of a machine, in tables of what runs are."""

from __future__ import annotations

from typing import Any

from services.base.units import NOTHING


def fact_text(value: Any) -> str:
    """Return a value as a form shows it: 300 seconds, not 300.0."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(fact_text, value)) or NOTHING
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return str(value)
