"""The names of History's filters and their values in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.ask.backends import BACKENDS
from services.ask.measurement import IMPORT
from services.ask.modes import MODES
from services.report.charts.trend import measure_of


def label(field: str) -> str:
    """Return the label of a filter."""
    return LABELS.get(field, field.capitalize())


def word(field: str, value: str) -> str:
    """Return the label of a filter's value."""
    return WORDS.get(field, str)(value) or value


def sentence(filters: Mapping[str, str]) -> str:
    """Return all filters as text: "Search “eight”, Backend “Ollama”"."""
    return ", ".join(f"{label(field)} “{word(field, value)}”" for field, value in filters.items())


LABELS = {"text": "Search", "trend": "Trend of"}
WORDS: dict[str, Callable[[str], str | None]] = {
    "backend": {IMPORT: "Imported", **{name: each.label for name, each in BACKENDS.items()}}.get,
    "mode": lambda name: MODES[name].label if name in MODES else name,
    "trend": lambda name: measure_of(name)[0],
}
