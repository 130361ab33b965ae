"""Runs side by side: the first is the reference, the others are compared with it.

Rows, differences, warnings and verdicts each have a module of their own; this one puts them
together. Repeats are taken as independent: runs are played one after the other, not in turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.checks.doubt import Doubt
from services.compare.differences import Difference, differences
from services.compare.fairness import warnings
from services.compare.rows import COMPARED, Candidate, Row, rows
from services.compare.verdicts import Verdict, verdicts

__all__ = [
    "COMPARED",
    "FEWEST",
    "MOST",
    "Candidate",
    "Comparison",
    "Difference",
    "InvalidComparison",
    "Row",
    "Verdict",
    "compare",
]

FEWEST, MOST = 2, 8


class InvalidComparison(ValueError):
    """Runs that cannot be put side by side, in a sentence."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What there is to say about runs side by side; everything in the candidates' order."""

    reference: Candidate
    others: tuple[Candidate, ...]
    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]
    warnings: tuple[Doubt, ...]
    verdicts: tuple[Verdict, ...]  # one for each of the others


def compare(candidates: Sequence[Candidate]) -> Comparison:
    """Compare two to eight runs, the reference first.

    Raises:
        InvalidComparison: there are fewer or more.
    """
    if not FEWEST <= len(candidates) <= MOST:
        raise InvalidComparison(
            f"A comparison takes {FEWEST} to {MOST} runs, and {len(candidates)} were chosen."
        )
    found = rows(candidates)
    return Comparison(
        reference=candidates[0],
        others=tuple(candidates[1:]),
        rows=found,
        differences=differences(candidates),
        warnings=warnings(candidates),
        verdicts=verdicts(candidates, found),
    )
