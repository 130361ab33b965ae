"""A verdict in words: a headline, and a sentence that a reader may quote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.analysis.compare.findings import MARGIN, RATE, THROUGHPUT, Finding, Word, finding
from services.analysis.statistics import (
    CONFIDENCE,
    MINIMUM_REPEATS,
    MOST_REPEATS,
    Ratio,
    detectable,
    repeats_needed,
)
from services.base import units


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one run against the baseline.

    `margin` is what was called equivalent: 0.05 is within ±5 %. Where it is inconclusive, what
    these repeats show four times in five stands in `detectable` (a ratio), and what it takes to
    show the margin in `repeats_needed` (a side; None: more than a thousand).
    """

    run_id: int
    word: Word  # by the measure that decides, the first of `findings`
    headline: str  # in a line, for a title
    sentence: str  # in full
    findings: tuple[Finding, ...]  # of the whole family
    margin: float
    detectable: float | None = None
    repeats_needed: int | None = None

    @property
    def details(self) -> str:
        """The sentence without the headline, where it begins with it: what to say below it."""
        if not self.sentence.startswith(self.headline):
            return self.sentence
        rest = self.sentence.removeprefix(self.headline).lstrip(" ,.:")
        return rest[:1].upper() + rest[1:]

    @property
    def by_measure(self) -> tuple[tuple[str, Word], ...]:
        return tuple((item.label, item.word) for item in self.findings)


@dataclass(frozen=True, slots=True)
class _Pair:
    """What the sentences need to know of two runs."""

    run: str  # their names
    baseline: str
    margin: float
    why_not: str  # why there must be no verdict, or ""
    detectable: float | None = None  # see Verdict
    needed: int | None = None
    waiting: str = ""  # where the client itself waits, or ""


def describe(
    run_id: int,
    names: tuple[str, str],
    findings: tuple[Finding, ...],
    why_not: str,
    margin: float = MARGIN,
    waiting: str = "",
) -> Verdict:
    """Describe the results of `judge_family` and `why_no_verdict`. `names` are the run's and the
    baseline's; `waiting` says where the client itself waits, or "". Computing the detectable
    difference of an inconclusive result takes 25 ms."""
    sensitivity = _sensitivity(findings[0], findings, margin)
    return _assemble(run_id, _Pair(*names, margin, why_not, *sensitivity, waiting), findings)


def _sensitivity(
    first: Finding, findings: Sequence[Finding], margin: float
) -> tuple[float | None, int | None]:
    """What could have been seen, and the repeats that it takes; only where that is the question."""
    if first.word != "inconclusive" or first.ratio is None:
        return None, None
    tests = sum(item.p is not None for item in findings)
    return detectable(first.ratio, tests), repeats_needed(first.ratio, margin, tests)


def _assemble(run_id: int, pair: _Pair, findings: tuple[Finding, ...]) -> Verdict:
    first = findings[0]
    words = finding(findings, THROUGHPUT).word, finding(findings, RATE).word
    if words in TRADES and not pair.waiting:
        headline, lead = _trade_off(pair, findings, *TRADES[words])
        rest = [item for item in findings if item.name not in (THROUGHPUT, RATE)]
    else:
        headline, lead = SENTENCES[first.word](pair, first)
        rest = list(findings[1:])
    return Verdict(
        run_id,
        first.word,
        headline,
        lead + _waiting(pair, first) + _other_measures(rest, pair.margin),
        findings,
        pair.margin,
        pair.detectable,
        pair.needed,
    )


def _trade_off(pair: _Pair, findings: Sequence[Finding], whole: str, each: str) -> tuple[str, str]:
    """All requests together went one way, and each of them the other."""
    throughput, rate = finding(findings, THROUGHPUT), finding(findings, RATE)
    start = f"{pair.run} gives {whole} throughput than {pair.baseline}"
    headline = f"{start}, and each request {each} tokens/s"
    return headline, (
        f"{headline}: output throughput {_figures(throughput)}, {rate.label} {changed(rate)}, "
        f"{_figures(rate)}; {_repeats(throughput)}."
    )


def _differs(pair: _Pair, measure: Finding) -> tuple[str, str]:
    assert measure.ratio is not None
    several = measure.ratio.value >= TWICE
    headline = f"{pair.run} has {changed(measure)} {measure.label} than {pair.baseline}"
    if several and measure.better == "higher":
        headline = f"{pair.run} has {changed(measure)} the {measure.label} of {pair.baseline}"
    figures = f"95 % interval {_ends(measure.ratio)}" if several else _figures(measure)
    return headline, f"{headline}: {figures}, {_repeats(measure)}."


def _equivalent(pair: _Pair, measure: Finding) -> tuple[str, str]:
    headline = f"{pair.run} is as fast as {pair.baseline}, {within(pair.margin)}"
    sentence = f"{headline}, by {measure.label}: {_figures(measure)}, {_repeats(measure)}."
    real = " There is a difference, but it is within the margin." if measure.differs else ""
    return headline, sentence + real


def _inconclusive(pair: _Pair, measure: Finding) -> tuple[str, str]:
    headline = f"{pair.run} against {pair.baseline}: inconclusive"
    assert measure.ratio is not None and measure.ratio.p is not None
    alone = measure.ratio.p < 1 - CONFIDENCE
    together = (
        " On its own this would count as a difference; among several measures (Holm) it may be "
        "chance."
    )
    return headline, (
        f"{headline}. {_subject(measure)} is {_figures(measure)}, {_repeats(measure)}."
        f"{together if alone else ''} {_detection_limit(pair, measure.ratio)}"
    )


def _waiting(pair: _Pair, first: Finding) -> str:
    """Why throughput does not decide."""
    if not pair.waiting:
        return ""
    sentence = f" Output throughput includes the client's own waiting ({pair.waiting})"
    return f"{sentence}." if pair.why_not else f"{sentence}, so {first.label} decides."


def _detection_limit(pair: _Pair, ratio: Ratio) -> str:
    seen = units.share((pair.detectable or 1.0) - 1)
    could = f"Repeats like these detect a difference of {seen} or more four times in five"
    wanted = _per_cent(pair.margin)
    if pair.needed is None:
        return f"{could}; detecting {wanted} needs more than {MOST_REPEATS:,} repeats of each run."
    if pair.needed > min(ratio.n_reference, ratio.n_other):
        return f"{could}; detecting {wanted} needs about {pair.needed:,} repeats of each run."
    return f"{could}; this one is neither clear nor certain to be {within(pair.margin)}."


def _no_verdict(pair: _Pair, measure: Finding) -> tuple[str, str]:
    headline = f"{pair.run} against {pair.baseline}: no verdict"
    if pair.why_not:
        return headline, f"{headline}, because {pair.why_not}."
    if measure.ratio is None:
        return headline, f"{headline}, because {measure.label} is not known for both."
    return headline, (
        f"{headline}. {_subject(measure)} is {_as_high(measure)} in these repeats, but a verdict "
        f"needs {MINIMUM_REPEATS} or more repeats of each run ({_repeats(measure)} now)."
    )


def _other_measures(findings: Sequence[Finding], margin: float) -> str:
    """The rest of the family, a clause each."""
    clauses = "; ".join(
        f"{item.label} {clause(item, margin)}" for item in findings if item.ratio is not None
    )
    return f" Also: {clauses}." if clauses else ""


def clause(measure: Finding, margin: float, than: str = "") -> str:
    """Return what is said of one measure: `44 % higher, 1.44× (1.28–1.62)`, `inconclusive, 0.97×
    (0.90–1.04)`; without an interval only how much it is. With `than` ("alone") it is said what it
    is held against: `44 % longer than alone, …`."""
    ratio = measure.ratio
    assert ratio is not None
    sure = bool(than) or measure.word not in ("equivalent", "inconclusive")
    text = changed(measure) if sure else verdict_label(measure.word, margin)
    if than:
        text += f" {'as' if ratio.value == 1 else 'than'} {than}"
    if ratio.low is None:
        return text
    several = sure and ratio.value >= TWICE
    return f"{text} ({_ends(ratio)})" if several else f"{text}, {times_with_interval(ratio)}"


def _ends(ratio: Ratio) -> str:
    assert ratio.low is not None and ratio.high is not None
    return f"{times(ratio.low)}–{times(ratio.high)}"


def verdict_label(word: Word, margin: float) -> str:
    """Return a word as it is shown: `equivalent within ±5 %`."""
    return f"{word} {within(margin)}" if word == "equivalent" else word


def within(margin: float) -> str:
    """Return a margin in words: `within ±5 %`."""
    return f"within ±{_per_cent(margin)}"


def _per_cent(margin: float) -> str:
    return f"{margin * 100:.3g} %"


def _subject(measure: Finding) -> str:
    return f"{measure.label[:1].upper()}{measure.label[1:]}"


def _figures(measure: Finding) -> str:
    """`1.44× (95 % interval 1.28–1.62)`, of the measure itself."""
    assert measure.ratio is not None
    return times_with_interval(measure.ratio, "95 % interval ")


def times_with_interval(ratio: Ratio, begins: str = "") -> str:
    """Return a ratio as it stands in sentences, tables and files: `1.44× (1.28–1.62)`."""
    if ratio.low is None or ratio.high is None:
        return f"{times(ratio.value)}×"
    return f"{times(ratio.value)}× ({begins}{_ends(ratio)})"


def changed(measure: Finding) -> str:
    """Return how a measure differs from the baseline's, see `change`."""
    assert measure.ratio is not None
    return change(measure.ratio.value, TIME if measure.better == "lower" else AMOUNT)


def _as_high(measure: Finding) -> str:
    """The same where it stands alone: `2.30× as high`."""
    text = changed(measure)
    return f"{text} as high" if text.endswith("×") else text


def change(ratio: float, directions: tuple[str, str]) -> str:
    """Return a ratio as people say it: `3.2×`, `44 % higher`, of a time `5.6× longer`, `82 %
    shorter`; `directions` are the words for more and for less, AMOUNT or TIME."""
    more, less = directions
    if ratio == 1:
        return "the same"
    if ratio >= TWICE:
        return f"{times(ratio)}× {more}" if directions is TIME else f"{times(ratio)}×"
    return f"{_share_of(abs(ratio - 1))} {more if ratio > 1 else less}"


def _share_of(part: float) -> str:
    """Per cent in two digits; in more, where these would make a whole of what is none."""
    shown = (units.significant(100 * part, digits) for digits in range(2, 9))
    return f"{next((text for text in shown if text != '100'), '100')} %"


def _repeats(measure: Finding) -> str:
    ratio = measure.ratio
    assert ratio is not None
    if ratio.n_reference == ratio.n_other:
        each = f"{units.many(ratio.n_other, 'repeat')} each"
        return f"{each}, interleaved" if ratio.paired else each
    return f"{units.many(ratio.n_other, 'repeat')} against {ratio.n_reference}"


def times(value: float) -> str:
    """Return a ratio in as many digits as one reads: `1.42`, `0.97`, `14.2`, `310`, `0.0042`."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


# Of throughput and of tokens/s per request: what they say where they disagree.
TRADES: dict[tuple[Word, Word], tuple[str, str]] = {
    ("faster", "slower"): ("more", "fewer"),
    ("slower", "faster"): ("less", "more"),
}
TWICE = 1.995  # what is written 2.00: from there on a factor says more than per cent
AMOUNT, TIME = ("higher", "lower"), ("longer", "shorter")
SENTENCES: dict[Word, Callable[[_Pair, Finding], tuple[str, str]]] = {  # headline and sentence
    "faster": _differs,
    "slower": _differs,
    "equivalent": _equivalent,
    "inconclusive": _inconclusive,
    "no verdict": _no_verdict,
}
