"""A comparison: two to eight runs whose repeats are interleaved in rounds.

Drift over time, such as a warming machine, then affects all candidates alike, and their repeats can
be compared in pairs. The order is shuffled within each round, so that no candidate always follows
the same other one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

from services.analysis.compare import (
    FEWEST,
    MARGIN,
    MAX_MARGIN,
    MIN_MARGIN,
    MOST,
    Candidate,
    Comparison,
    compare,
)
from services.analysis.compare import (
    InvalidComparison as InvalidComparison,
)
from services.analysis.statistics import MINIMUM_REPEATS
from services.ask.config import MAX_REPEATS, RunConfig
from services.ask.measurement import ACTIVE, Run
from services.base.units import many

DEFAULT_REPEATS = 5
DEFAULT_MAX_REPEATS = 20


@dataclass(frozen=True, slots=True)
class ComparisonDesign:
    """How the runs of a comparison are measured. Shares are between 0 and 1.

    Each run gets `repeats` repeats. With a `target` it gets more, up to `most`, until the interval
    of every ratio is within ± target. Only the width of the interval counts: stopping when a
    difference shows up would find false ones.
    """

    seed: int | None = None  # of the order; None: one is drawn when the comparison is queued
    repeats: int = DEFAULT_REPEATS
    most: int = DEFAULT_REPEATS
    target: float | None = None
    margin: float = MARGIN  # differences within it do not matter


@dataclass(frozen=True, slots=True)
class StoredComparison:
    """A stored comparison. Its runs are in the order of the candidates, the baseline first."""

    id: int
    created_at: datetime
    design: ComparisonDesign
    run_ids: tuple[int, ...]


def check(design: ComparisonDesign, configs: Sequence[RunConfig]) -> None:
    """Check that a comparison is valid.

    Raises:
        InvalidComparison: too few or too many candidates or repeats, or a share is out of range.
    """
    if not FEWEST <= len(configs) <= MOST:
        raise InvalidComparison(
            f"A comparison takes {FEWEST} to {MOST} candidates, not {len(configs)}."
        )
    limits = {"each": design.repeats, "most": design.most, "target": design.target}
    for name, value in {**limits, "margin": design.margin, "seed": design.seed}.items():
        if sentence := problem(name, value):
            raise InvalidComparison(sentence)
    if design.most < design.repeats:
        raise InvalidComparison(
            f"Each candidate is measured {design.repeats} times, and the maximum cannot be fewer "
            f"(got at most {design.most})."
        )


def problem(name: str, value: float | None) -> str:
    """Return an error message for one value of a comparison; "" if it is valid.

    `name` is each, most, target, margin or seed; shares are between 0 and 1.
    """
    message, is_valid = _LIMITS[name]
    return "" if value is None or is_valid(value) else message


_LIMITS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "each": (
        f"Each candidate is measured 1 to {MAX_REPEATS} times.",
        lambda value: 1 <= value <= MAX_REPEATS,
    ),
    "most": (
        f"Each candidate is measured at most {MAX_REPEATS} times, and at least once.",
        lambda value: 1 <= value <= MAX_REPEATS,
    ),
    "target": (
        "The target of the interval must be more than 0 % and less than 100 %.",
        lambda value: 0 < value < 1,
    ),
    "margin": (
        f"The margin must be from {MIN_MARGIN * 100:g} % to {MAX_MARGIN * 100:g} %.",
        lambda value: MIN_MARGIN <= value <= MAX_MARGIN,
    ),
    "seed": (
        "The seed of the order must be a whole number from 0 to 2,147,483,647.",
        lambda value: 0 <= value < 2**31,
    ),
}


def order(seed: int | None, repeat: int, candidates: int) -> list[int]:
    """Return the indices of the candidates in the order in which the round `repeat` measures
    them."""
    indices = list(range(candidates))
    Random(f"{seed}/{repeat}").shuffle(indices)
    return indices


def item_index(seed: int | None, repeat: int, candidates: int, candidate: int) -> int:
    """Return the index (from 0) of the work item that measures this repeat of a candidate.

    Every round has MOST indices, however many candidates there are, so that the work items of the
    others stay in their rounds if a candidate is deleted.
    """
    return repeat * MOST + order(seed, repeat, candidates).index(candidate)


def widest_interval(comparison: Comparison) -> float | None:
    """Return the half-width of the widest interval among the deciding measures, as a share: 0.03
    for 1.00 (0.97–1.03). None if one of the ratios has no interval."""
    reach = 0.0
    for verdict in comparison.verdicts:
        ratio = verdict.findings[0].ratio
        if ratio is None or ratio.low is None or ratio.high is None:
            return None
        reach = max(reach, math.sqrt(ratio.high / ratio.low) - 1)
    return reach


def needs_another_round(
    design: ComparisonDesign, repeats: int, candidates: Sequence[Candidate]
) -> bool:
    """Whether the target is not reached after `repeats` of each run, and another is allowed."""
    if design.target is None or repeats >= design.most or len(candidates) < FEWEST:
        return False
    if repeats < MINIMUM_REPEATS:
        return True
    reach = widest_interval(compare(candidates))
    return reach is None or reach > design.target


def sentence(design: ComparisonDesign, candidates: int, warmup: int = 0) -> str:
    """Describe what a comparison will measure. `warmup`: warm-up requests of all repeats."""
    text = f"{candidates} candidates, {many(design.repeats, 'interleaved repeat')} each"
    if design.target is not None:
        text += (
            f", then more until every 95 % interval is within ±{design.target * 100:g} %, "
            f"at most {design.most} of each"
        )
    return f"{text}, plus {many(warmup, 'warm-up request')}." if warmup else f"{text}."


def repeats_done(runs: Sequence[Run]) -> tuple[int, int]:
    """Return how many repeats of all runs are finished, and of how many. A run that has ended gets
    no more repeats."""
    done = [sum(repeat.duration_s is not None for repeat in run.repeats) for run in runs]
    wanted = [
        run.config.repeats if run.status in ACTIVE else finished
        for run, finished in zip(runs, done, strict=True)
    ]
    return sum(done), max(1, sum(wanted))


def progress_sentence(runs: Sequence[Run], left: str) -> str:
    """Return the progress as text: "Round 2 of 5, 3 of 10 repeats done, about 20 s left"."""
    done, total = repeats_done(runs)
    rounds = max(run.config.repeats for run in runs)
    to_come = [run for run in runs if run.status in ACTIVE]
    finished = min(
        (sum(r.duration_s is not None for r in run.repeats) for run in to_come), default=rounds
    )
    current = f"Round {min(finished + 1, rounds)} of {rounds}"
    return ", ".join(filter(None, (current, f"{done} of {many(total, 'repeat')} done", left)))
