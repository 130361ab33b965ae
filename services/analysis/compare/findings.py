"""The result of comparing one measure of two runs: a verdict word, and the statistics behind it.

The tests are fixed in advance: four measures, two tests each. One tests for a difference, the other
for equivalence within the margin. Holm's method keeps the family-wise error rate at 5 % for each of
the two.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from services.analysis.metrics import Better
from services.analysis.statistics import CONFIDENCE, Ratio, equivalence, holm

Word = Literal["faster", "slower", "equivalent", "inconclusive", "no verdict"]

MARGIN = 0.05  # default: differences within it do not matter
MIN_MARGIN, MAX_MARGIN = 0.001, 1.0  # 0.1 % is below what can be measured
THROUGHPUT, RATE = "output_tokens_per_s", "tokens_per_s_median"
TTFT, E2E = "ttft_s_median", "e2e_s_median"
FAMILY: dict[str, tuple[str, Better]] = {
    THROUGHPUT: ("output throughput", "higher"),
    RATE: ("median tokens/s per request", "higher"),
    TTFT: ("median TTFT", "lower"),
    E2E: ("median E2E latency", "lower"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One measure of two runs.

    `ratio` is other / baseline. `speed` is the same with its interval, but inverted if lower is
    better, so that above 1 is always faster. `p` (null hypothesis: no difference) and
    `p_equivalent` (null hypothesis: a difference beyond the margin) are adjusted for the family.
    """

    name: str
    label: str
    word: Word
    ratio: Ratio | None
    better: Better
    speed: tuple[float, float | None, float | None] | None
    p: float | None = None
    p_equivalent: float | None = None

    @property
    def differs(self) -> bool:
        """Whether there is a difference at all, however small."""
        return self.p is not None and self.p < 1 - CONFIDENCE


def margin_among(chosen: Iterable[float | None]) -> float:
    """Return the margin chosen for all runs before they were measured, or MARGIN if they do not
    have the same one."""
    margins = set(chosen)
    margin = margins.pop()
    return MARGIN if margins or margin is None else margin


def judge(
    ratios: Mapping[str, Ratio | None],
    margin: float = MARGIN,
    no_verdicts: bool = False,
    family: Mapping[str, tuple[str, Better]] = FAMILY,
    without: Collection[str] = (),
) -> tuple[Finding, ...]:
    """Judge the measures of a family together by their ratios.

    Measures in `without`, or all with `no_verdicts`, keep their ratio and get no verdict.
    """
    judged = [name for name in family if name not in without]
    known = {name: r for name in judged if (r := ratios.get(name)) and r.p is not None}
    if no_verdicts:
        known = {}
    p = _adjusted(known, lambda ratio: ratio.p)
    p_equivalent = _adjusted(known, lambda ratio: equivalence(ratio, margin))
    return tuple(
        _finding(name, family[name], ratios.get(name), p.get(name), p_equivalent.get(name))
        for name in family
    )


def _adjusted(
    known: Mapping[str, Ratio], p_of: Callable[[Ratio], float | None]
) -> dict[str, float]:
    raw = {name: p for name, ratio in known.items() if (p := p_of(ratio)) is not None}
    return dict(zip(raw, holm(list(raw.values())), strict=True))


def _finding(
    name: str,
    labelled: tuple[str, Better],
    ratio: Ratio | None,
    p: float | None,
    p_equivalent: float | None,
) -> Finding:
    label, better = labelled
    word = _verdict_word(ratio, p, p_equivalent, better)
    return Finding(name, label, word, ratio, better, _speed(ratio, better), p, p_equivalent)


def _verdict_word(
    ratio: Ratio | None, p: float | None, p_equivalent: float | None, better: Better
) -> Word:
    if ratio is None or p is None or p_equivalent is None:
        return "no verdict"
    if p_equivalent < 1 - CONFIDENCE:
        return "equivalent"
    if p >= 1 - CONFIDENCE:
        return "inconclusive"
    return "faster" if (ratio.value > 1) == (better == "higher") else "slower"


def _speed(ratio: Ratio | None, better: Better) -> tuple[float, float | None, float | None] | None:
    if ratio is None:
        return None
    if better == "higher":
        return ratio.value, ratio.low, ratio.high
    low, high = (None if bound is None else 1 / bound for bound in (ratio.high, ratio.low))
    return 1 / ratio.value, low, high


def finding(findings: Sequence[Finding], name: str) -> Finding:
    """Return the finding of one measure."""
    return next(item for item in findings if item.name == name)
