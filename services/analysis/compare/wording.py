"""The text of a verdict: a headline, and a full sentence to quote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.analysis.compare.findings import MARGIN, RATE, THROUGHPUT, Finding, Word, finding
from services.analysis.compare.ratio_text import (
    AMOUNT,
    TIME,
    TWICE,
    change,
    conjunction,
    interval_text,
    per_cent,
    times,
    times_with_interval,
    verdict_label,
    within,
)
from services.analysis.statistics import (
    CONFIDENCE,
    MAX_REPEATS,
    MINIMUM_REPEATS,
    Ratio,
    detectable,
    repeats_needed,
)
from services.ask.config import RunConfig
from services.ask.modes import MODES
from services.base import units


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one run against the baseline.

    Runs within `margin` are equivalent: 0.05 is ±5 %. For an inconclusive verdict, `detectable` is
    the ratio that these repeats detect with 80 % power, and `repeats_needed` the repeats of each
    run that would detect the margin (None: more than MAX_REPEATS).
    """

    run_id: int
    word: Word  # of the deciding measure, the first of `findings`
    headline: str  # one line, for a title
    sentence: str  # the full text
    findings: tuple[Finding, ...]  # the whole family
    margin: float
    detectable: float | None = None
    repeats_needed: int | None = None

    @property
    def details(self) -> str:
        """The sentence without the headline that it begins with, to show below the headline."""
        if not self.sentence.startswith(self.headline):
            return self.sentence
        rest = self.sentence.removeprefix(self.headline).lstrip(" ,.:").removeprefix("because ")
        return rest[:1].upper() + rest[1:]


@dataclass(frozen=True, slots=True)
class _Pair:
    """What the sentences need to know about two runs."""

    run: str  # its name
    baseline: str  # its name
    margin: float
    why_not: str  # the reason why there is no verdict, or ""
    detectable: float | None = None  # see Verdict
    needed: int | None = None
    waiting: str = ""  # the client's own waiting, see `verdicts.waiting_of`
    cause: str = ""  # why TTFT differs, see `cause.cause_of`
    but: str = ""  # what differs although the deciding measure shows no difference


def describe(
    run_id: int,
    names: tuple[str, str],
    findings: tuple[Finding, ...],
    why_not: str,
    margin: float = MARGIN,
    waiting: str = "",
    cause: str = "",
) -> Verdict:
    """Describe the results of `judge_family`, `why_no_verdict`, `waiting_of` and `cause_of`.

    `names` are (run, baseline). Computing the detectable difference of an inconclusive result takes
    25 ms.
    """
    sensitivity = _sensitivity(findings[0], findings, margin)
    return _build_verdict(
        run_id,
        _Pair(*names, margin, why_not, *sensitivity, waiting, cause, _but(findings)),
        findings,
    )


def _but(findings: Sequence[Finding]) -> str:
    """Return the first difference of the measures that do not decide; "" if there is none."""
    other = next((item for item in findings[1:] if item.word in ("faster", "slower")), None)
    return f", but {other.label} {_change_alone(other)}" if other else ""


def _sensitivity(
    first: Finding, findings: Sequence[Finding], margin: float
) -> tuple[float | None, int | None]:
    """`detectable` and `repeats_needed` of an inconclusive verdict; (None, None) for others."""
    if first.word != "inconclusive" or first.ratio is None:
        return None, None
    tests = sum(item.p is not None for item in findings)
    return detectable(first.ratio, tests), repeats_needed(first.ratio, margin, tests)


def _build_verdict(run_id: int, pair: _Pair, findings: tuple[Finding, ...]) -> Verdict:
    first = findings[0]
    words = finding(findings, THROUGHPUT).word, finding(findings, RATE).word
    if words in TRADES and not pair.waiting:
        headline, lead = _trade_off(pair, findings)
        remaining = [item for item in findings if item.name not in (THROUGHPUT, RATE)]
    else:
        headline, lead = SENTENCES[first.word](pair, first)
        remaining = list(findings[1:])
    return Verdict(
        run_id,
        first.word,
        _sentence(headline),
        _sentence(lead)
        + _waiting(pair, first)
        + _other_measures(remaining, pair.margin)
        + (pair.cause and f" {pair.cause}"),
        findings,
        pair.margin,
        pair.detectable,
        pair.needed,
    )


def _sentence(text: str) -> str:
    """A text that begins with a run's label, as a sentence: a generated label is capitalized, a
    name that a person or a server gave stays as it is written."""
    return text[:1].upper() + text[1:] if text.startswith(GENERATED) else text


def _trade_off(pair: _Pair, findings: Sequence[Finding]) -> tuple[str, str]:
    """Throughput and the speed of each request changed in opposite directions."""
    throughput, rate = finding(findings, THROUGHPUT), finding(findings, RATE)
    whole, each = _change_text(throughput, MUCH), _change_text(rate, MANY)
    gives = "the throughput of" if whole.endswith("×") else "throughput than"
    tokens = "the tokens/s per request" if each.endswith("×") else "tokens/s per request"
    headline = f"{pair.run} gives {whole} {gives} {pair.baseline}, but {each} {tokens}"
    return headline, (
        f"{headline}: output throughput {_figures(throughput)}, {rate.label} {_figures(rate)}; "
        f"{_repeats(throughput)}."
    )


def _change_text(measure: Finding, directions: tuple[str, str]) -> str:
    assert measure.ratio is not None
    return change(measure.ratio.value, directions)


def _differs(pair: _Pair, measure: Finding) -> tuple[str, str]:
    assert measure.ratio is not None
    several = measure.ratio.value >= TWICE
    headline = f"{pair.run} has {changed(measure)} {measure.label} than {pair.baseline}"
    if several:
        factor = f"{times(measure.ratio.value)}×"
        headline = f"{pair.run} has {factor} the {measure.label} of {pair.baseline}"
    figures = f"95 % interval {interval_text(measure.ratio)}" if several else _figures(measure)
    return headline, f"{headline}: {figures}, {_repeats(measure)}."


def _equivalent(pair: _Pair, measure: Finding) -> tuple[str, str]:
    headline = f"{pair.run} is as fast as {pair.baseline}, {within(pair.margin)}"
    sentence = f"{headline}, by {measure.label}: {_figures(measure)}, {_repeats(measure)}."
    if pair.but:
        alike = f"{pair.run} has the same {measure.label} as {pair.baseline}"
        headline = f"{alike}, {within(pair.margin)}{pair.but}"
        sentence = f"{headline}: {_figures(measure)}, {_repeats(measure)}."
    real = " There is a difference, but it is within the margin." if measure.differs else ""
    return headline, sentence + real


def _inconclusive(pair: _Pair, measure: Finding) -> tuple[str, str]:
    headline = f"{pair.run} against {pair.baseline}: inconclusive"
    if pair.but:
        headline = f"{pair.run} against {pair.baseline}: {measure.label} inconclusive{pair.but}"
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
    """Explain why throughput does not decide; "" if it does."""
    if not pair.waiting:
        return ""
    sentence = f" Output throughput includes the client's own waiting ({pair.waiting})"
    return f"{sentence}." if pair.why_not else f"{sentence}, so {first.label} decides."


def _detection_limit(pair: _Pair, ratio: Ratio) -> str:
    smallest = units.share((pair.detectable or 1.0) - 1)
    could = f"In 80 % of cases, repeats like these detect a difference of {smallest} or more"
    wanted = per_cent(pair.margin)
    if pair.needed is None:
        return f"{could}; detecting {wanted} needs more than {MAX_REPEATS:,} repeats of each run."
    if pair.needed > min(ratio.n_reference, ratio.n_other):
        return f"{could}; detecting {wanted} needs about {pair.needed:,} repeats of each run."
    return f"{could}; these show neither a difference nor that it is {within(pair.margin)}."


def _no_verdict(pair: _Pair, measure: Finding) -> tuple[str, str]:
    headline = f"{pair.run} against {pair.baseline}: no verdict"
    if pair.why_not:
        return headline, f"{headline}, because {pair.why_not}."
    if measure.ratio is None:
        return headline, f"{headline}, because {measure.label} is not known for both."
    return headline, (
        f"{headline}. {_subject(measure)} is {_change_alone(measure)} in these repeats, but a "
        f"verdict needs {MINIMUM_REPEATS} or more repeats of each run ({_repeats(measure)} now)."
    )


def _other_measures(findings: Sequence[Finding], margin: float) -> str:
    """The rest of the family, one clause each."""
    clauses = "; ".join(
        f"{item.label} {clause(item, margin)}" for item in findings if item.ratio is not None
    )
    return f" Also: {clauses}." if clauses else ""


def clause(measure: Finding, margin: float, than: str = "") -> str:
    """Return a clause about one measure: `44 % higher, 1.44× (1.28–1.62)`, `inconclusive, 0.97×
    (0.90–1.04)`, or only the change if there is no interval. `than` names what it is compared
    with, such as "alone": `44 % longer than alone, …`."""
    ratio = measure.ratio
    assert ratio is not None
    sure = bool(than) or measure.word not in ("equivalent", "inconclusive")
    text = changed(measure) if sure else verdict_label(measure.word, margin)
    if than:
        text += f" {conjunction(ratio.value)} {than}"
    if ratio.low is None:
        return text
    several = sure and ratio.value >= TWICE
    return (
        f"{text} ({interval_text(ratio)})" if several else f"{text}, {times_with_interval(ratio)}"
    )


def _subject(measure: Finding) -> str:
    return f"{measure.label[:1].upper()}{measure.label[1:]}"


def _figures(measure: Finding) -> str:
    """The ratio of the measure: `1.44× (95 % interval 1.28–1.62)`."""
    assert measure.ratio is not None
    return times_with_interval(measure.ratio, "95 % interval ")


def changed(measure: Finding) -> str:
    """Return how a measure differs from the baseline's as text, see `change`."""
    assert measure.ratio is not None
    return change(measure.ratio.value, TIME if measure.better == "lower" else AMOUNT)


def _change_alone(measure: Finding) -> str:
    """The change when no baseline follows in the sentence: `2.30× as high`."""
    text = changed(measure)
    return f"{text} as high" if text.endswith("×") else text


def _repeats(measure: Finding) -> str:
    ratio = measure.ratio
    assert ratio is not None
    if ratio.n_reference == ratio.n_other:
        each = f"{units.many(ratio.n_other, 'repeat')} each"
        return f"{each}, interleaved" if ratio.paired else each
    return f"{units.many(ratio.n_other, 'repeat')} against {ratio.n_reference}"


# What generated labels begin with: a mode, a field with its value, a run's number.
GENERATED = tuple(
    f"{name.removesuffix('_s').replace('_', ' ')} "
    for name in (*MODES, *RunConfig.model_fields, "run", "embedded")
)
# Verdicts on (throughput, tokens/s per request) that disagree.
TRADES: frozenset[tuple[Word, Word]] = frozenset((("faster", "slower"), ("slower", "faster")))
MUCH, MANY = ("more", "less"), ("more", "fewer")
SENTENCES: dict[Word, Callable[[_Pair, Finding], tuple[str, str]]] = {  # headline and sentence
    "faster": _differs,
    "slower": _differs,
    "equivalent": _equivalent,
    "inconclusive": _inconclusive,
    "no verdict": _no_verdict,
}
