"""Compare runs: the first is the baseline, the others are compared with it.

`rows` computes the ratios, `verdicts` decides on a verdict, and `wording` puts it into sentences;
this module combines them. Interleaved repeats are compared in pairs, see `rows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.analysis.compare.candidate import Candidate
from services.analysis.compare.comparability import warnings
from services.analysis.compare.differences import Difference, differences
from services.analysis.compare.findings import (
    MARGIN,
    MAX_MARGIN,
    MIN_MARGIN,
    Word,
    margin_among,
)
from services.analysis.compare.labels import labelled
from services.analysis.compare.rows import COMPARED, Row, rows
from services.analysis.compare.verdicts import verdicts
from services.analysis.compare.wording import Verdict
from services.analysis.diagnostics.diagnostic import Diagnostic
from services.base.errors import Invalid

__all__ = [
    "COMPARED",
    "FEWEST",
    "MARGIN",
    "MAX_MARGIN",
    "MIN_MARGIN",
    "MOST",
    "Candidate",
    "Comparison",
    "Difference",
    "InvalidComparison",
    "Row",
    "Verdict",
    "Word",
    "compare",
    "margin_of",
]

FEWEST, MOST = 2, 8


class InvalidComparison(Invalid):
    """A comparison that is not possible with these runs or settings."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of a comparison; everything is in the order of the candidates."""

    baseline: Candidate
    others: tuple[Candidate, ...]
    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]
    warnings: tuple[Diagnostic, ...]
    verdicts: tuple[Verdict, ...]  # one for each of `others`


def margin_of(candidates: Sequence[Candidate]) -> float:
    """Return the margin (a share) chosen before the runs were measured, or MARGIN if they do not
    have the same one."""
    return margin_among(candidate.run.margin for candidate in candidates)


def compare(candidates: Sequence[Candidate], margin: float | None = None) -> Comparison:
    """Compare two to eight runs, the baseline first, and label them. Runs that are shown to differ
    by less than `margin` (a share) are equivalent; None: the margin chosen before the runs were
    measured.

    Raises:
        InvalidComparison: too few or too many runs, or an invalid margin.
    """
    if not FEWEST <= len(candidates) <= MOST:
        raise InvalidComparison(
            f"A comparison takes {FEWEST} to {MOST} runs, not {len(candidates)}."
        )
    if margin is None:
        margin = margin_of(candidates)
    if not MIN_MARGIN <= margin <= MAX_MARGIN:
        raise InvalidComparison("The margin for equivalence must be from 0.1 % to 100 %.")
    candidates = labelled(candidates)
    table = rows(candidates)
    return Comparison(
        baseline=candidates[0],
        others=tuple(candidates[1:]),
        rows=table,
        differences=differences(candidates),
        warnings=warnings(candidates),
        verdicts=verdicts(candidates, table, margin),
    )
