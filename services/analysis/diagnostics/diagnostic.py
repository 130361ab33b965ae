"""A possible problem with a run's numbers: what it means and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A warning means that numbers may be misleading; a note, that they are right but limited."""

    level: Literal["warning", "note"]
    title: str
    sentence: str


def are_long(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether the sentences are too long to show in full above the numbers, so that they should be
    collapsed below their titles."""
    return sum(len(diagnostic.sentence) for diagnostic in diagnostics) > LONG


LONG = 900  # characters
