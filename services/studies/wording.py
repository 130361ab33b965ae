"""The sentences of a study's report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.analysis.compare import MARGIN
from services.analysis.compare.ratio_text import change, within
from services.analysis.compare.ratio_text import times as format_ratio
from services.analysis.statistics import MINIMUM_REPEATS, Ratio, ratio
from services.base import units
from services.studies.curves import NEARLY, BatchCurve, DeviceCurve, rate_of, series_of
from services.studies.scaling import THROUGHPUT, Interval, Row, Scaling, why_not
from services.studies.swept import SweptAxis, swept_axis
from services.studies.usl import Interval as Ends
from services.studies.work import differing_labels, label_of, size_name

DESCRIBES = (
    f"This describes the means; an interval needs {MINIMUM_REPEATS} or more repeats of each size."
)
FAR_OFF = 0.05
MIN_LIMIT = 1.05  # times; a lower limit is not worth a sentence
NAMED = 12  # most values of an axis in a sentence
LOST = 0.005  # share of the work; less is negligible


def interval_text(interval: Interval) -> str:
    """Return "95 % 0.85–0.97", or "" if there is no interval."""
    if interval.low is None or interval.high is None:
        return ""
    return f"95 % {format_ratio(interval.low)}–{format_ratio(interval.high)}"


def speedup_sentence(row: Row, baseline: str, device: str) -> str:
    """Return a row's speed-up over its baseline as a sentence, and what it means for scaling."""
    inside = f"({_figures(row)}) at {row.work_label}"
    return f"{_lead(row, baseline)} {inside}: {_meaning(row, baseline, device)}."


def speedup_headline(row: Row, baseline: str) -> str:
    """Return the speed-up in a line, without its interval; no number if it is inconclusive."""
    where = f"at {row.work_label}"
    if row.word == "inconclusive":
        return f"It is unclear whether {row.label} is faster or slower than {baseline} {where}"
    return f"{_lead(row, baseline)} {where}"


def speedup_details(row: Row, baseline: str, device: str) -> str:
    """Return the interval and the meaning, which the headline omits."""
    meaning = _meaning(row, baseline, device)
    if row.word == "inconclusive":
        return f"{_lead(row, baseline)} ({_figures(row)}): more repeats or less noise would help."
    return f"{_figures(row)}. {meaning[:1].upper()}{meaning[1:]}."


def _lead(row: Row, baseline: str) -> str:
    assert row.speedup is not None
    if row.speedup.value < 1:
        return f"{row.label} gives {change(row.speedup.value, LESS)} throughput than {baseline}"
    return f"{row.label} gives {format_ratio(row.speedup.value)}× the throughput of {baseline}"


def _figures(row: Row) -> str:
    assert row.speedup is not None
    ratio = f"{format_ratio(row.speedup.value)}×" if row.speedup.value < 1 else ""  # else it leads
    return ", ".join(filter(None, [ratio, interval_text(row.speedup), _repeats(row.speedup)]))


def _repeats(ratio: Ratio) -> str:
    if ratio.n_reference == ratio.n_other:
        return f"{units.many(ratio.n_other, 'repeat')} each"
    return f"{units.many(ratio.n_other, 'repeat')} to {ratio.n_reference}"


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
        return f"more {device}s make it slower: it does not scale here"
    return _per_device(row, device)


def _no_verdict(row: Row) -> str:
    if row.why_not:
        return f"no verdict, because {row.why_not}"
    return f"no verdict, which needs {MINIMUM_REPEATS} or more repeats of each"


def _per_device(row: Row, device: str) -> str:
    efficiency = row.efficiency
    assert efficiency is not None
    other = "one alone" if row.baseline.ranks == 1 else f"a {device} of the baseline"
    if efficiency.low is not None and efficiency.low > 1:
        return f"superlinear, each {device} does more than {other}"
    share = f"each {device} does {units.share(efficiency.value)} of what {other} does"
    if efficiency.low is None or efficiency.high is None:
        return share
    low, high = (units.significant(100 * end) for end in (efficiency.low, efficiency.high))
    return f"{share} (95 % {low}–{high} %)"


def law_sentence(curve: DeviceCurve, device: str) -> str:
    """Return the fit of a curve over devices as sentences; "" without a fit. The law is fitted to
    the sizes of one kind of parallelism, but the sentences give the number of devices."""
    fit = curve.fit
    if fit is None:
        return ""
    *fewer, most = (size * curve.each for size in fit.sizes)
    sizes = ", ".join(map(str, fewer)) + f" and {most}"
    lead = f"{curve.name.capitalize()} over {sizes} {device}s at {curve.rows[0].work_label}: "
    if _superlinear(curve):
        return f"{lead}superlinear, so the Universal Scalability Law does not apply."
    sentence = f"{lead}{_contention(fit.sigma, fit.sigma_interval)}"
    sentence += (
        f"; {_coherency(curve, device)}."
        + _extrapolation(curve, device)
        + _poor_fit(fit.max_relative_error)
    )
    return sentence if fit.sigma_interval else f"{sentence} {DESCRIBES}"


def _poor_fit(worst: float) -> str:
    if worst < FAR_OFF:
        return ""
    return f" The means are up to {units.share(worst)} off that curve, so it fits poorly."


def _superlinear(curve: DeviceCurve) -> bool:
    """Whether a size is significantly more than proportionally faster than the baseline."""
    surely = [row.efficiency for row in curve.rows if row.word == "faster"]
    return any(
        efficiency is not None and efficiency.low is not None and efficiency.low > 1
        for efficiency in surely
    )


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
        return "measuring communication overhead requires a third size"
    inside = f"{KAPPA} {fit.kappa:.2g}"
    if (ends := fit.kappa_interval) and ends[1]:
        inside += f", 95 % {ends[0]:.2g}–{ends[1]:.2g}"
    largest = fit.sizes[-1]
    share = fit.kappa * largest * (largest - 1) / fit.slowdown(largest)
    if share < LOST:
        return f"communication overhead is negligible ({inside})"
    perhaps = ", possibly none" if ends and ends[0] == 0 else ""
    sentence = (
        f"at {largest * curve.each}, communication between {device}s takes {units.share(share)} of "
        "the time"
    )
    return f"{sentence} ({inside}){perhaps}"


def _extrapolation(curve: DeviceCurve, device: str) -> str:
    """The peak or the limit of throughput, if it is not far beyond the sizes measured."""
    fit = curve.fit
    assert fit is not None
    if not fit.reaches_limit:
        return ""
    if fit.peak is not None:
        if not fit.shows_peak:
            return ""
        most = units.many(round(fit.peak * curve.each), device)
        lead = "Extrapolated by" if fit.peak > fit.sizes[-1] else "By"
        return f" {lead} this law, throughput peaks at about {most}."
    limit, fewest = fit.limit_of_first, fit.sizes[0] * curve.each
    if limit is not None and limit > MIN_LIMIT:
        first = "one" if fewest == 1 else f"{fewest} of them"
        return (
            f" Extrapolated by this law, no number of {device}s gives more than {limit:.2g}× the "
            f"throughput of {first}."
        )
    return ""


def batch_sentence(curve: BatchCurve, size: str, ended: bool = True) -> str:
    """Return a sentence on where throughput stops growing with the size, which is called `size`.
    `ended`: all sizes have been measured."""
    best = curve.best
    highest = f"{_rate_text(best)}, at {best.work_label}"
    sentence = f"{best.label} gives at most {highest}"
    if not ended:
        return f"{best.label} gives {highest}; more is being measured."
    if curve.knee is None:
        return f"{sentence}, the only {size} measured."
    more, most = ("larger", "largest") if size == "batch size" else ("higher", "highest")
    if curve.saturates and curve.knee is best:
        return f"{sentence}; a {more} {size} gives no more."
    if curve.saturates:
        return f"{sentence}; {curve.knee.work_label} is within {(1 - NEARLY) * 100:.0f} % of that."
    return (
        f"{best.label} reached {highest}, the {most} {size} measured; a {more} one may give more."
    )


def _rate_text(row: Row) -> str:
    """The throughput with its interval: "40.7 tokens/s (95 % 34.5–47.9)"."""
    level = row.level(THROUGHPUT)
    text = f"{units.significant(rate_of(row))} tokens/s"
    if level is None or level.low is None or level.high is None:
        return text
    return f"{text} (95 % {units.between(level.low, level.high, '')})"


def swept_sentence(scaling: Scaling, axis: SweptAxis) -> str:
    """Return a sentence on the throughput at both ends of the swept range, and their ratio, for the
    first configuration and series that has several lengths; "" if only one was measured."""
    curves: dict[tuple[object, ...], list[Row]] = {}
    for row in scaling.rows:
        if row.level(THROUGHPUT) and axis.value(row.work) is not None:
            curves.setdefault((row.configuration, axis.series(row.work)), []).append(row)
    rows = next((rows for rows in curves.values() if len(rows) > 1), [])
    if not rows:
        return ""
    first, *_, last = sorted(rows, key=lambda row: axis.value(row.work) or 0)
    rates = [_rate_text(row) for row in (first, last)]
    sentence = f"{first.label} gives {rates[0]} at {first.work_label}, and {rates[1]} at "
    return f"{sentence}{last.work_label}{_ratio_of_ends(first, last)}."


def _ratio_of_ends(first: Row, last: Row) -> str:
    """The ratio of throughput with its interval, " (0.98×, 95 % 0.93–1.04)"; "" if the two cannot
    be compared."""
    pair = ratio(first.numbers[THROUGHPUT], last.numbers[THROUGHPUT])
    if pair is None or why_not(first, last):
        return ""
    inside = filter(None, (f"{format_ratio(pair.value)}×", interval_text(pair)))
    unclear = pair.low is not None and pair.high is not None and pair.low < 1 < pair.high
    return f"{': no clear difference' if unclear else ''} ({', '.join(inside)})"


def varied_sentence(scaling: Scaling) -> str:
    """Return "Varied: concurrency (1, 2, 4). 3 of 3 cells measured."."""
    axes = list(_varied(scaling))
    done = sum(bool(row.candidates) for row in scaling.rows)
    lead = f"Varied: {'; '.join(axes)}" if axes else "Nothing was varied"
    return f"{lead}. {done} of {units.many(len(scaling.rows), 'cell')} measured."


def _varied(scaling: Scaling) -> Iterator[str]:
    if len(scaling.configurations) > 1:
        names = [scaling.labels[configuration] for configuration in scaling.configurations]
        yield f"configuration ({_listed(names)})"
    modes = list(dict.fromkeys(work.mode for work in scaling.works))
    if len(modes) > 1:
        labels = [label_of(work, scaling.works) for work in scaling.works]
        yield f"how requests are sent ({_listed(labels)})"
    sizes = sorted({work.size for work in scaling.works if work.size is not None})
    if len(sizes) > 1 and len(modes) < 2:
        yield f"{size_name(scaling.works)} ({_listed([f'{size:,}' for size in sizes])})"
    series = [series_of(work) for work in scaling.works]
    axis = swept_axis(series)
    if axis.field and len({axis.series(work) for work in series}) == 1 and len(modes) < 2:
        lengths = sorted({value for work in series if (value := axis.value(work)) is not None})
        yield f"{axis.name} ({_listed([f'{length:,}' for length in lengths])} {axis.unit})"
        return
    values = dict.fromkeys(" · ".join(differing_labels(work, series)) for work in series)
    if len(values) > 1 and len(modes) < 2:
        yield _listed(list(values))


def _listed(values: Sequence[str]) -> str:
    more = len(values) - NAMED
    return ", ".join(values[:NAMED]) + (f" and {more} more" if more > 0 else "")


LESS = ("more", "less")
SIGMA, KAPPA = "σ", "κ"
