"""Ratios, changes and margins as text: the same in sentences, tables, charts and files."""

from __future__ import annotations

from services.analysis.compare.findings import Word
from services.analysis.statistics import Ratio
from services.base import units

TWICE = 1.995  # shown as 2.00; from there on changes are given as a factor, not in per cent
AMOUNT, TIME = ("higher", "lower"), ("longer", "shorter")


def times(value: float) -> str:
    """Return a ratio with a sensible precision: `1.42`, `0.97`, `14.2`, `310`, `0.0042`."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def times_with_interval(ratio: Ratio, begins: str = "") -> str:
    """Return a ratio as text, the same in sentences, tables and files: `1.44× (1.28–1.62)`."""
    if ratio.low is None or ratio.high is None:
        return f"{times(ratio.value)}×"
    return f"{times(ratio.value)}× ({begins}{interval_text(ratio)})"


def interval_text(ratio: Ratio) -> str:
    """Return the ends of an interval: `1.28–1.62`."""
    assert ratio.low is not None and ratio.high is not None
    return f"{times(ratio.low)}–{times(ratio.high)}"


def change(ratio: float, directions: tuple[str, str]) -> str:
    """Return a ratio as a change in words: `3.2×`, `44 % higher`; for times `5.6× as long`,
    `82 % shorter`. `directions` is AMOUNT or TIME."""
    more, less = directions
    if ratio == 1:
        return "the same"
    if ratio >= TWICE:
        return f"{times(ratio)}× as long" if directions is TIME else f"{times(ratio)}×"
    return f"{_share_of(abs(ratio - 1))} {more if ratio > 1 else less}"


def _share_of(part: float) -> str:
    """A percentage with two significant digits, or more if it would otherwise round to 100."""
    shown = (units.significant(100 * part, digits) for digits in range(2, 9))
    return f"{next((text for text in shown if text != '100'), '100')} %"


def conjunction(ratio: float) -> str:
    """The word after a change of a time: longer than, as long as, the same as."""
    return "as" if ratio == 1 or ratio >= TWICE else "than"


def verdict_label(word: Word, margin: float) -> str:
    """Return a verdict word as displayed: `equivalent within ±5 %`."""
    return f"{word} {within(margin)}" if word == "equivalent" else word


def within(margin: float) -> str:
    """Return a margin as text: `within ±5 %`."""
    return f"within ±{per_cent(margin)}"


def per_cent(margin: float) -> str:
    return f"{margin * 100:.3g} %"
