"""The result of a comparison, one row per candidate: the baseline's number, the candidate's, their
ratio.

Pages, files and shared pages show these rows directly below the sentence of the verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from services.analysis.compare import Comparison, Row, Verdict
from services.analysis.compare.findings import RATE, THROUGHPUT, Finding, Word, finding
from services.analysis.compare.marks import MARK_OF, SIGNS, Mark, sign_of
from services.analysis.compare.ratio_text import interval_text, times, times_with_interval
from services.analysis.statistics import Ratio
from services.base.table import Table
from services.base.units import NOTHING, listed, many, show

GEOMETRIC = (
    "Ratios are those of the geometric means of the repeats, which differ from those of the "
    "numbers beside them."
)
UNLIKE = 0.02  # how far a ratio may be from that of the numbers beside it without a note


@dataclass(frozen=True, slots=True)
class VerdictFigures:
    """One run beside the baseline, by the measure that decides between the two.

    `ratio` is run / baseline, `interval` its 95 % interval, or "" if there is none.
    """

    run_id: int
    label: str
    baseline_label: str
    name: str  # of the measure, as in FAMILY
    measure: str  # its label
    value: str
    baseline_value: str
    times: float  # the ratio as a number; 0 if there is none
    ratio: str
    interval: str
    mark: Mark
    word: Word
    note: str = ""  # a sentence, if the ratio is clearly not that of the two numbers

    @property
    def verdict_with_interval(self) -> str:
        """The verdict with its sign and interval: `▲ faster (95 % 1.41–1.50)`."""
        interval = f" (95 % {self.interval})" if self.interval else ""
        return f"{SIGNS[self.mark]} {self.word}{interval}"

    @property
    def verdict_with_ratio(self) -> str:
        """The verdict with its sign and ratio: `▲ faster, 1.46× (1.41–1.50)`."""
        ratio = f"{self.ratio} ({self.interval})" if self.interval else self.ratio
        return f"{SIGNS[self.mark]} {self.word}, {ratio}"


def verdict_figures(comparison: Comparison) -> tuple[VerdictFigures, ...]:
    """Return the figures of each run after the baseline."""
    rows = {row.metric: row for row in comparison.rows}
    return tuple(
        _figures(comparison, index, verdict, rows.get(verdict.findings[0].name))
        for index, verdict in enumerate(comparison.verdicts, 1)
    )


def _figures(
    comparison: Comparison, index: int, verdict: Verdict, row: Row | None
) -> VerdictFigures:
    first = verdict.findings[0]
    baseline_value, value = (_value_text(row, at) for at in (0, index))
    return VerdictFigures(
        run_id=verdict.run_id,
        label=comparison.others[index - 1].label,
        baseline_label=comparison.baseline.label,
        name=first.name,
        measure=row.label if row else first.label[:1].upper() + first.label[1:],
        value=value,
        baseline_value=baseline_value,
        times=0.0 if first.ratio is None else first.ratio.value,
        ratio=NOTHING if first.ratio is None else f"{times(first.ratio.value)}×",
        interval=_interval(first),
        mark=MARK_OF[first.word],
        word=first.word,
        note=_note(first, row, index),
    )


def _note(first: Finding, row: Row | None, index: int) -> str:
    """A sentence if the ratio clearly differs from that of the numbers beside it: these are means
    over repeats or over all requests, the ratio is that of geometric means over repeats."""
    of_numbers = _unlike(row, index, first.ratio) if row else None
    if of_numbers is None:
        return ""
    return (
        f"The ratio is that of the geometric means of the repeats; that of the two numbers is "
        f"{times(of_numbers)}×."
    )


def _unlike(row: Row, index: int, ratio: Ratio | None) -> float | None:
    """Return the ratio of a run's number to the baseline's, if `ratio` clearly differs from it."""
    baseline, own = row.values[0], row.values[index]
    if ratio is None or not baseline or not own:
        return None
    of_numbers = own / baseline
    return of_numbers if abs(of_numbers / ratio.value - 1) > UNLIKE else None


def ratios_note(rows: Sequence[Row]) -> str:
    """A sentence if some of the ratios clearly differ from those of the numbers beside them."""
    different = any(
        _unlike(row, index, ratio) is not None
        for row in rows
        for index, ratio in enumerate(row.ratios)
        if index
    )
    return GEOMETRIC if different else ""


def _value_text(row: Row | None, index: int) -> str:
    return NOTHING if row is None else show(row.values[index], row.unit)


def _interval(first: Finding) -> str:
    known = first.ratio is not None and first.ratio.low is not None
    return interval_text(first.ratio) if first.ratio and known else ""


def overview(all_figures: Sequence[VerdictFigures], comparison: Comparison) -> str:
    """Return one sentence on several runs: the verdict on the fastest, and how many have which
    verdict, by which measure."""
    words = [figures.word for figures in all_figures]
    runs = many(len(all_figures), "run")
    against = f"{runs} against {all_figures[0].baseline_label}"
    if {*words} == {"no verdict"}:
        return f"{against}: no verdict"
    if not _same_measure(all_figures):
        return f"{against}: {_count_verdicts(words)}"
    first = all_figures[0]
    counts = f"of {runs}, {_count_verdicts(words)}"
    if len({*words}) == 1:
        counts = (
            f"{'both' if len(words) == 2 else f'all {len(words)}'} compared runs are {words[0]}"
        )
    if not any(word == "faster" for word in words):  # else the first half names the measure
        counts += f" by {_in_sentence(first.measure)}"
    lowest, *_, highest = sorted(all_figures, key=lambda figures: figures.times)
    if lowest.times > 0:
        counts += f", at {lowest.ratio} to {highest.ratio}"
    rates = [rate.word for rate in _rates(comparison)]
    traded = _judged(rates) != _judged(words) and first.name == THROUGHPUT
    if traded and _judged(rates):
        counts += f"; by tokens/s per request, {_count_verdicts(_judged(rates))}"
    return f"{_fastest(comparison)}; {counts}"


def _fastest(comparison: Comparison) -> str:
    """Return the headline of the run that is ahead of the baseline the most, if one is ahead."""
    ahead = [each for each in comparison.verdicts if each.word == "faster"]
    if not ahead:
        return f"No run is measurably faster than {comparison.baseline.label}"
    return max(ahead, key=lambda verdict: _lead(verdict.findings[0])).headline


def _lead(first: Finding) -> float:
    assert first.ratio is not None
    return first.ratio.value if first.better == "higher" else 1 / first.ratio.value


def _judged(words: Sequence[Word]) -> list[Word]:
    """Return the verdicts that name a faster run."""
    return [word for word in words if word in ("faster", "slower")]


def _same_measure(all_figures: Sequence[VerdictFigures]) -> bool:
    return len({figures.name for figures in all_figures}) == 1


def _count_verdicts(words: Sequence[str]) -> str:
    """Count verdicts: `5 are faster and 1 is inconclusive`."""
    return listed(
        f"{count} {'has' if count == 1 else 'have'} {word}"
        if word == "no verdict"
        else f"{count} {'is' if count == 1 else 'are'} {word}"
        for word, count in Counter(words).items()
    )


def _in_sentence(label: str) -> str:
    return label if label[:2].isupper() or label[1].isdigit() else label[0].lower() + label[1:]


def _rates(comparison: Comparison) -> list[Finding]:
    return [finding(verdict.findings, RATE) for verdict in comparison.verdicts]


def table(all_figures: Sequence[VerdictFigures], comparison: Comparison) -> Table:
    """Return the figures as a table, with the baseline first if one measure decides for all. If
    that is throughput, the speed of each request is shown beside it, since one may come at the cost
    of the other."""
    if not _same_measure(all_figures):
        rows = [
            (a.label, a.verdict_with_ratio, a.value, a.baseline_value, a.measure)
            for a in all_figures
        ]
        return Table("Verdicts", ("", VERDICT, "Value", "Baseline", "Measure"), tuple(rows))
    first, rates = all_figures[0], _rates(comparison)
    each = first.name == THROUGHPUT and any(rate.ratio for rate in rates)
    return Table(
        "Verdicts",
        ("", VERDICT, first.measure, *([EACH] * each)),
        (
            (f"{first.baseline_label} (baseline)", "", first.baseline_value, *([""] * each)),
            *(
                (a.label, a.verdict_with_ratio, a.value, *([_rate(rate)] * each))
                for a, rate in zip(all_figures, rates, strict=True)
            ),
        ),
    )


def _rate(rate: Finding) -> str:
    if rate.ratio is None:
        return NOTHING
    return f"{sign_of(rate)} {times_with_interval(rate.ratio)}"


VERDICT, EACH = "Verdict (95 % interval)", "Tokens/s per request, ratio"
