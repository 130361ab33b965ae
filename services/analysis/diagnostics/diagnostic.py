"""A reason to doubt a number, in words that say what it means and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A warning: the numbers may mislead. A note: they are right, and say less than they seem."""

    level: Literal["warning", "note"]
    title: str
    sentence: str


def long(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether the sentences together are too long to stand in full above the numbers: then titles
    do, with their sentences folded below each."""
    return sum(len(diagnostic.sentence) for diagnostic in diagnostics) > LONG


LONG = 900  # characters
