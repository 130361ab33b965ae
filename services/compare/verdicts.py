"""Whether a run is faster than the reference, said in a sentence that a reader may quote.

One measure decides, and the sentence names it: output throughput, or E2E latency where every run
is sequential (with one request at a time, and a pause after it, throughput is mostly the pause).
What is tested is decided beforehand, a family of three, and Holm's method keeps the chance of any
false alarm among them at 5 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from services import units
from services.compare.rows import Candidate, Row, names_of
from services.metrics import Better
from services.statistics import CONFIDENCE, MINIMUM_REPEATS, Ratio, holm

Word = Literal["faster", "slower", "inconclusive", "no verdict"]

THROUGHPUT, E2E, TTFT = "output_tokens_per_s", "e2e_s_median", "ttft_s_median"
FAMILY = {THROUGHPUT: "output throughput", E2E: "E2E latency (median)", TTFT: "TTFT (median)"}
ERROR_GAP = 0.01  # of the requests; beyond it the answers that count are not the same ones


@dataclass(frozen=True, slots=True)
class Verdict:
    run_id: int
    word: Word  # by the measure that decides
    sentence: str
    by_measure: tuple[tuple[str, Word], ...]  # of the whole family, the deciding one first


@dataclass(frozen=True, slots=True)
class _Finding:
    name: str
    better: Better
    ratio: Ratio | None
    p: float | None  # adjusted for the family
    why_not: str = ""  # a reason not to judge what could be judged

    @property
    def word(self) -> Word:
        if self.ratio is None or self.p is None or self.why_not:
            return "no verdict"
        if self.p >= 1 - CONFIDENCE:
            return "inconclusive"
        return "faster" if (self.ratio.value > 1) == (self.better == "higher") else "slower"


def verdicts(candidates: Sequence[Candidate], rows: Sequence[Row]) -> tuple[Verdict, ...]:
    """Judge every run but the first against the first."""
    names = names_of(candidates)
    decides = deciding(candidates)
    found: list[Verdict] = []
    for place in range(1, len(candidates)):
        findings = _findings(candidates[0], candidates[place], rows, place)
        first = next(finding for finding in findings if finding.name == decides)
        others = [finding for finding in findings if finding is not first]
        sentence = f"{names[place]}: {_deciding(first)}{_also(others)}"
        words = tuple((FAMILY[finding.name], finding.word) for finding in (first, *others))
        found.append(Verdict(candidates[place].run.id, first.word, sentence, words))
    return tuple(found)


def deciding(candidates: Sequence[Candidate]) -> str:
    """Return the name of the measure that decides."""
    alone = all(c.run.config.mode == "sequential" for c in candidates)
    return E2E if alone else THROUGHPUT


def errors_differ(one: Candidate, other: Candidate) -> bool:
    """Whether the error rates are more than one point apart; not when either is not known."""
    rates = (one.summary.error_rate, other.summary.error_rate)
    return rates[0] is not None and rates[1] is not None and abs(rates[0] - rates[1]) > ERROR_GAP


def _findings(
    reference: Candidate, other: Candidate, rows: Sequence[Row], place: int
) -> list[_Finding]:
    by_name = {row.metric: row for row in rows if row.metric in FAMILY}
    ratios = {name: by_name[name].ratios[place] if name in by_name else None for name in FAMILY}
    why_not = dict.fromkeys(FAMILY, "")
    if errors_differ(reference, other):
        rates = [units.share(c.summary.error_rate or 0.0) for c in (reference, other)]
        reason = f"the error rates are {rates[0]} and {rates[1]}, so different requests count"
        why_not |= {E2E: reason, TTFT: reason}
    raw = {name: r.p for name, r in ratios.items() if r and r.p is not None and not why_not[name]}
    adjusted = dict(zip(raw, holm([p for p in raw.values() if p is not None]), strict=True))
    return [
        _Finding(
            name,
            by_name[name].better if name in by_name else "neither",
            ratios[name],
            adjusted.get(name),
            why_not[name],
        )
        for name in FAMILY
    ]


def _deciding(finding: _Finding) -> str:
    """The measure that decides: the ratio, its interval, and what follows from it."""
    label, ratio = FAMILY[finding.name], finding.ratio
    if ratio is None:
        return f"no verdict, because {label} is not known for both runs."
    start = f"{label} {times(ratio.value)} times the reference's"
    if ratio.low is None or ratio.high is None:
        return (
            f"{start}, within this run only: {MINIMUM_REPEATS} or more repeats of each run allow "
            f"a verdict on it ({_repeats(ratio)} now)."
        )
    start += f", 95 % interval {times(ratio.low)}–{times(ratio.high)}, {_repeats(ratio)}."
    if finding.why_not:
        return f"{start} No verdict on latency: {finding.why_not}."
    return f"{start} {_conclusion(finding, ratio, label)}"


def _conclusion(finding: _Finding, ratio: Ratio, label: str) -> str:
    if finding.word != "inconclusive":
        return f"By {label} it is {finding.word} than the reference."
    if ratio.p is not None and ratio.p < 1 - CONFIDENCE:
        return (
            f"By {label} inconclusive: not clear enough for one of several measures tested "
            "together (Holm). More repeats may decide it."
        )
    reach = (ratio.high or ratio.value) / ratio.value - 1
    return (
        f"By {label} inconclusive: these repeats cannot tell a difference under about "
        f"{units.share(reach)} from none. More repeats narrow it."
    )


def _also(findings: Sequence[_Finding]) -> str:
    """The rest of the family, in short."""
    known = [(finding, finding.ratio) for finding in findings if finding.ratio is not None]
    said = "; ".join(f"{FAMILY[f.name]} {times(r.value)} times{_in_brackets(f)}" for f, r in known)
    return f" Also: {said}." if said else ""


def _in_brackets(finding: _Finding) -> str:
    ratio = finding.ratio
    if ratio is None or ratio.low is None or ratio.high is None:
        return ""
    word = f"no verdict: {finding.why_not}" if finding.why_not else finding.word
    return f" ({times(ratio.low)}–{times(ratio.high)}, {word})"


def times(value: float) -> str:
    """Return a ratio in as many digits as one reads: `1.42`, `0.97`, `14.2`, `310`, `0.0042`."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _repeats(ratio: Ratio) -> str:
    repeats = units.many(ratio.n_other, "repeat")
    if ratio.n_reference == ratio.n_other:
        return f"{repeats} each"
    return f"{repeats} to the reference's {ratio.n_reference}"
