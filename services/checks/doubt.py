"""A reason to doubt a number, in words that say what it means and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Doubt:
    """A warning: the numbers may mislead. A note: they are right, and say less than they seem."""

    level: Literal["warning", "note"]
    title: str
    sentence: str
