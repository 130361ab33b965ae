"""What a study says, in sentences that a reader may quote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from services.analysis.compare import MARGIN
from services.analysis.compare.wording import AMOUNT, TIME, TWICE, change, within
from services.analysis.compare.wording import times as ratio_words
from services.analysis.statistics import MINIMUM_REPEATS, Ratio
from services.base import units
from services.studies.best import Best
from services.studies.curves import NEARLY, BatchCurve, DeviceCurve, rate_of, series_of
from services.studies.scaling import Interval, Row, Scaling
from services.studies.usl import Interval as Ends
from services.studies.work import label_of, series_words, size_word

DESCRIBES = (
    f"This describes the means; an interval needs {MINIMUM_REPEATS} or more repeats of each size."
)
FAR_OFF = 0.05
LEAST_LIMIT = 1.05  # times one; less is not worth a sentence
NAMED = 12  # values of what is varied
LOST = 0.005  # of the work; less is as good as nothing


def interval_words(found: Interval) -> str:
    """`95 % 0.85–0.97`; nothing where there is no interval."""
    if found.low is None or found.high is None:
        return ""
    return f"95 % {ratio_words(found.low)}–{ratio_words(found.high)}"


def speedup_sentence(row: Row, baseline: str, device: str) -> str:
    """Return how many times its baseline a row is, and what that means of scaling."""
    inside = f"({_figures(row)}) at {row.work_label}"
    return f"{_lead(row, baseline)} {inside}: {_meaning(row, baseline, device)}."


def speedup_headline(row: Row, baseline: str) -> str:
    """Return the same in a line, without its interval; no number where nothing can be told."""
    where = f"at {row.work_label}"
    if row.word == "inconclusive":
        return f"It is unclear whether {row.label} is faster or slower than {baseline} {where}"
    return f"{_lead(row, baseline)} {where}"


def speedup_details(row: Row, baseline: str, device: str) -> str:
    """Return what the headline leaves out."""
    said = _meaning(row, baseline, device)
    if row.word == "inconclusive":
        return f"{_lead(row, baseline)} ({_figures(row)}): more repeats, or less noise, would help."
    return f"{_figures(row)}. {said[:1].upper()}{said[1:]}."


def _lead(row: Row, baseline: str) -> str:
    assert row.speedup is not None
    if row.speedup.value < 1:
        return f"{row.label} gives {change(row.speedup.value, LESS)} throughput than {baseline}"
    return f"{row.label} gives {ratio_words(row.speedup.value)}× the throughput of {baseline}"


def _figures(row: Row) -> str:
    assert row.speedup is not None
    ratio = f"{ratio_words(row.speedup.value)}×" if row.speedup.value < 1 else ""  # else it leads
    return ", ".join(filter(None, [ratio, interval_words(row.speedup), _repeats(row.speedup)]))


def _repeats(found: Ratio) -> str:
    if found.n_reference == found.n_other:
        return f"{units.many(found.n_other, 'repeat')} each"
    return f"{units.many(found.n_other, 'repeat')} to {found.n_reference}"


def _meaning(row: Row, baseline: str, device: str) -> str:
    more = (row.configuration.ranks or 0) > (row.baseline.ranks or 0) > 0
    if row.word == "no verdict":
        return _no_verdict(row)
    if row.word == "inconclusive":
        return f"no clear difference from {baseline}"
    if not more:
        same = f"as fast, {within(MARGIN)}" if row.word == "equivalent" else row.word
        return f"it is {same}"
    if row.word == "equivalent":
        return f"equally fast, {within(MARGIN)}, on more {device}s: it does not scale here"
    if row.word == "slower":
        return f"more {device}s make it slower; it does not scale here"
    return _share(row, device)


def _no_verdict(row: Row) -> str:
    if row.why_not:
        return f"no verdict, because {row.why_not}"
    return f"no verdict, which needs {MINIMUM_REPEATS} or more repeats of each"


def _share(row: Row, device: str) -> str:
    found = row.efficiency
    assert found is not None
    one = "one alone" if row.baseline.ranks == 1 else f"a {device} of the baseline"
    if found.low is not None and found.low > 1:
        return f"superlinear, each {device} does more than {one}"
    said = f"each {device} does {units.share(found.value)} of what {one} does"
    if found.low is None or found.high is None:
        return said
    low, high = (units.significant(100 * end) for end in (found.low, found.high))
    return f"{said} (95 % {low}–{high} %)"


def law_sentence(curve: DeviceCurve, device: str) -> str:
    """Return what the fit of a curve over devices says; "" without one. The law is of the sizes of
    one kind of parallelism; what is said is how many devices those take."""
    fit = curve.fit
    if fit is None:
        return ""
    *fewer, most = (size * curve.each for size in fit.sizes)
    sizes = ", ".join(map(str, fewer)) + f" and {most}"
    lead = f"{curve.name.capitalize()} over {sizes} {device}s at {curve.rows[0].work_label}: "
    if _superlinear(curve):
        return f"{lead}superlinear, so the Universal Scalability Law does not apply."
    said = f"{lead}{_contention(fit.sigma, fit.sigma_interval)}"
    said += f"; {_coherency(curve, device)}." + _end(curve, device) + _off(fit.worst)
    return said if fit.sigma_interval else f"{said} {DESCRIBES}"


def _off(worst: float) -> str:
    if worst < FAR_OFF:
        return ""
    return f" The means are up to {units.share(worst)} off that curve, so it fits poorly."


def _superlinear(curve: DeviceCurve) -> bool:
    """Whether a size is shown to give more than so many times the baseline."""
    surely = [row.efficiency for row in curve.rows if row.word == "faster"]
    return any(one is not None and one.low is not None and one.low > 1 for one in surely)


def _contention(sigma: float, ends: Ends | None) -> str:
    inside = f"{SIGMA} {sigma:.2g}" + (f", 95 % {ends[0]:.2g}–{ends[1]:.2g}" if ends else "")
    if sigma >= 1:
        return f"each additional one costs more in contention than it adds ({inside})"
    if sigma < LOST:
        return f"contention is negligible ({inside})"
    return f"{units.share(sigma)} of the work is serialized (contention, {inside})"


def _coherency(curve: DeviceCurve, device: str) -> str:
    fit = curve.fit
    assert fit is not None
    if fit.kappa is None:
        return "measuring communication overhead takes a third size"
    inside = f"{KAPPA} {fit.kappa:.2g}"
    if ends := fit.kappa_interval:
        inside += f", 95 % {ends[0]:.2g}–{ends[1]:.2g}"
    largest = fit.sizes[-1]
    share = fit.kappa * largest * (largest - 1) / fit.slowdown(largest)
    if share < LOST:
        return f"communication overhead is negligible ({inside})"
    perhaps = ", possibly none" if ends and ends[0] == 0 else ""
    said = (
        f"at {largest * curve.each}, communication between {device}s takes {units.share(share)} of "
        "the time"
    )
    return f"{said} ({inside}){perhaps}"


def _end(curve: DeviceCurve, device: str) -> str:
    """Where it ends, if the law holds beyond what was measured."""
    fit = curve.fit
    assert fit is not None
    if fit.peak is not None:
        most = units.many(round(fit.peak * curve.each), device)
        return f" By this law throughput peaks at about {most}."
    limit, fewest = fit.limit_of_first, fit.sizes[0] * curve.each
    if limit is not None and LEAST_LIMIT < limit < 100 * fit.sizes[-1]:
        first = "one" if fewest == 1 else f"{fewest} of them"
        return (
            f" By this law no number of {device}s gives more than {limit:.2g}× the throughput of "
            f"{first}."
        )
    return ""


def batch_sentence(curve: BatchCurve) -> str:
    """Return where throughput stops growing with the batch."""
    best = curve.best
    rate = units.significant(rate_of(best))
    said = f"{best.label} gives at most {rate} tokens/s, at {best.work_label}"
    if curve.knee is None:
        return f"{said}, the only size measured."
    if curve.saturates:
        return f"{said}; {curve.knee.work_label} is within {units.share(1 - NEARLY)} of that."
    return f"{said}, the largest size measured: throughput may grow further."


def best_sentence(one: Best, labels: Sequence[str]) -> str:
    """Return the best by one criterion, and how far the next is behind. `labels` are what tells
    its series from others."""
    level = one.row.level(one.criterion.measure)
    assert level is not None
    where = f" ({', '.join(labels)})" if labels else ""
    said = f"{one.criterion.label}{where}: {one.row.label} at {one.row.work_label}, "
    said += units.show(level.value, one.criterion.unit)
    return f"{said}; {_behind(one)}."


def _behind(one: Best) -> str:
    if one.runner_up is None:
        return _alone(one)
    name = one.runner_up.label
    if one.word == "inconclusive":
        return f"no clear difference from {name}"
    if one.word == "equivalent":
        return f"{name} is equally good, {within(MARGIN)}"
    if one.word == "no verdict":
        why = one.why_not or f"that needs {MINIMUM_REPEATS} or more repeats of each"
        return f"{_ahead(one, name)}, without a verdict: {why}"
    return _ahead(one, name)


def varied_sentence(found: Scaling) -> str:
    """`Varied: concurrency (1, 2, 4). 3 of 3 cells measured.`"""
    said = list(_varied(found))
    done = sum(bool(row.candidates) for row in found.rows)
    lead = f"Varied: {'; '.join(said)}" if said else "Nothing was varied"
    return f"{lead}. {done} of {units.many(len(found.rows), 'cell')} measured."


def _varied(found: Scaling) -> Iterator[str]:
    if len(found.configurations) > 1:
        yield f"configuration ({_some([found.labels[one] for one in found.configurations])})"
    modes = list(dict.fromkeys(work.mode for work in found.works))
    if len(modes) > 1:
        yield f"how requests are sent ({_some([label_of(w, found.works) for w in found.works])})"
    sizes = sorted({work.size for work in found.works if work.size is not None})
    if len(sizes) > 1 and len(modes) < 2:
        yield f"{size_word(found.works)} ({_some([f'{size:,}' for size in sizes])})"
    series = [series_of(work) for work in found.works]
    words = dict.fromkeys(" · ".join(series_words(one, series)) for one in series)
    if len(words) > 1 and len(modes) < 2:
        yield _some(list(words))


def _some(words: Sequence[str]) -> str:
    more = len(words) - NAMED
    return ", ".join(words[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _alone(one: Best) -> str:
    """What else there is of the only configuration."""
    if len(one.among) < 2:
        return "nothing else was measured"
    works = [row.work for row in one.among]
    lowest = one.criterion.name == "latency"  # which is looked at where least is asked at once
    levels = "loads"
    if len({work.size for work in works}) == len(works):
        levels = LEVELS[size_word(works)]
    which = "the lowest of" if lowest else "the best of"
    return f"{which} {len(works)} {levels}; no other configuration was measured"


def _ahead(one: Best, name: str) -> str:
    """`44 % higher than TP 1 (1.44×, 95 % 1.28–1.62)`, of the number itself."""
    if one.ahead is None:
        return name
    found = one.ahead if one.criterion.more else _inverse(one.ahead)
    said = change(found.value, TIME if one.criterion.unit == "s" else AMOUNT)
    than = "that of" if found.value >= TWICE else "as of" if found.value == 1 else "than"
    inside = interval_words(found)
    if inside and found.value < TWICE:
        inside = f"{ratio_words(found.value)}×, {inside}"
    return f"{said} {than} {name}" + (f" ({inside})" if inside else "")


def _inverse(found: Ratio) -> Ratio:
    low, high = (None if end is None else 1 / end for end in (found.high, found.low))
    return replace(found, value=1 / found.value, low=low, high=high)


LESS = ("more", "less")
LEVELS = {"batch size": "batch sizes", "concurrency": "concurrency levels"}
SIGMA, KAPPA = "σ", "κ"
