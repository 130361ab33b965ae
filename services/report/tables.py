"""What runs measured as tables of texts, the same on pages and in files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from services.analysis.compare import COMPARED, Candidate, Comparison
from services.analysis.compare.candidate import row_of
from services.analysis.compare.ratio_text import times_with_interval
from services.analysis.figures import FIGURES, STATISTICS
from services.analysis.metric_arrays import known, metric_array
from services.analysis.metrics import METRICS, metric
from services.analysis.statistics import Distribution, Ratio
from services.analysis.summary import Summary
from services.analysis.summary.cached import cached_share
from services.analysis.summary.repeats import RATES, counted_rates, successes
from services.analysis.summary.window import SteadyState
from services.analysis.ttft_phases import BEFORE, LABELS
from services.analysis.ttft_phases import ttft_phases as phases_of
from services.analysis.turns import history_share
from services.ask.planned_hits import planned_hits
from services.ask.workloads import CLASSES
from services.ask.workloads.turns import FIRST
from services.base.table import Table
from services.base.units import NOTHING, show, significant

OF_ALL = "Counts and sums cover all repeats; rates are means over the repeats."


def measures(comparison: Comparison, labels: Sequence[str]) -> Table:
    rows = tuple(
        (
            row.label,
            *(
                show(value, unit_beside(row.unit, row.label)) + _ratio(ratio)
                for value, ratio in zip(row.values, row.ratios, strict=True)
            ),
        )
        for row in comparison.rows
    )
    note = (
        "Numbers are those on each run's result page; sums per repeat are averaged over the "
        "repeats. Below each number is its ratio to the baseline (geometric means over the "
        "repeats), with a 95 % interval where there are enough repeats."
        + basis_note((comparison.baseline, *comparison.others))
    )
    return Table("Comparison", ("", f"{labels[0]} (baseline)", *labels[1:]), rows, note)


def classes(candidate: Candidate) -> Table:
    """Compare the request classes of a mix, or first and later turns; no rows for a run without
    classes."""
    parts = candidate.summary.classes
    rows = [(label, *(of(part) for part in parts.values())) for label, of in CLASS_ROWS if parts]
    known = [row for row in rows if set(row[1:]) != {NOTHING}]
    jain = candidate.summary.fairness
    index = f" Jain's index of all their tokens/s: {jain:.3g}; 1 means all equal." if jain else ""
    columns = ("", *(CLASSES[name].removesuffix(" requests").capitalize() for name in parts))
    title = "First and later turns" if FIRST in parts else "Short and long requests"
    return Table(title, columns, tuple(known), f"Successful requests only.{index}")


def prefix_cache(candidate: Candidate) -> Table:
    """The share of prompt tokens that came from the prefix cache, planned and observed; for
    sessions also by the server's own counts of what their turns repeat. No rows for a run whose
    prompts share nothing."""
    shared = planned_hits(candidate.run.config)
    if shared is None or not candidate.summary.ok:
        return Table("Prefix cache", (), ())
    good = successes(candidate.measurements)
    rows = [("Planned", show(shared.share, "share"))]
    if (counted := history_share(good, candidate.run.config)) is not None:
        rows.append(("By the server's token counts", show(counted, "share")))
    rows.append(("Observed", show(cached_share(good), "share")))
    return Table("Prefix cache", ("", "Share of prompt tokens"), tuple(rows), shared.sentence)


NOT_PART = " The client queue is not part of TTFT."


def ttft_phases(candidate: Candidate) -> Table:
    """The parts of TTFT, as the server reports them; no rows if it reports none."""
    title = "Where TTFT goes"
    good = successes(candidate.measurements)
    phases = phases_of(good)
    if phases is None:
        return Table(title, (), ())
    rows = [
        (LABELS[p.name], show(p.median_s, "s"), show(p.mean_s, "s"), show(p.share, "share"))
        for p in phases.phases
    ]
    total_row = ("TTFT", show(phases.median_s, "s"), show(phases.mean_s, "s"), show(1.0, "share"))
    late = known(metric_array(good, "queue_s"))
    before = (BEFORE, show(float(np.median(late)), "s"), show(float(late.mean()), "s"), NOTHING)
    some = f" of {phases.of:,}" if phases.requests < phases.of else ""
    queue = "" if phases.queue_known else " How long they waited in its queue is not reported."
    return Table(
        title,
        ("", "Median", "Mean", "Share of the mean"),
        (*([before] if len(late) else []), *rows, total_row),
        f"As reported by the server for {phases.requests:,}{some} successful requests.{queue} The "
        f"means add up to that of TTFT; the medians do not.{NOT_PART * bool(len(late))}",
    )


def _of_metric(name: str, statistic: str) -> tuple[str, Callable[[Summary], str]]:
    entry = metric(name)

    def of(part: Summary) -> str:
        distribution = part.distributions[name]
        value = getattr(distribution, statistic) if distribution else None
        return show(value, unit_beside(entry.unit, entry.label))

    return f"{entry.label}, {STATISTICS[statistic]}", of


def unit_beside(unit: str, label: str) -> str:
    """Return the unit, or "" if the label already has it, as in "Tokens/s per request"."""
    return "" if "/" in unit and unit in label.lower() else unit


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None:
        return ""
    return f"\n{times_with_interval(ratio)}"


def figures(
    candidates: Sequence[Candidate], labels: Sequence[str], known: Collection[str] = ()
) -> Table:
    """Show the numbers of the summaries, without those in `known` and those that no run has."""
    summaries = [candidate.summary for candidate in candidates]
    summary_rows = [row_of(candidate) for candidate in candidates]
    rows = [
        (label, *(show(row.get(name), unit_beside(unit, label)) for row in summary_rows))
        for name, label, unit in FIGURES
        if name not in known and any(row.get(name) is not None for row in summary_rows)
    ]
    errors = dict.fromkeys(name for summary in summaries for name in summary.errors)
    rows += [
        (f"Failed: {name}", *(f"{summary.errors.get(name, 0):,}" for summary in summaries))
        for name in errors
    ]
    return Table("Metrics", ("", *labels), tuple(rows), (OF_ALL + basis_note(candidates)))


def basis_note(candidates: Sequence[Candidate]) -> str:
    """Return which objectives goodput counts and which prices the costs use, as text; "" if neither
    applies."""
    text = ""
    summaries = [candidate.summary for candidate in candidates]
    limits = _joined([s.attainment.objectives.label if s.attainment else None for s in summaries])
    if limits:
        text += f" Goodput and SLO attainment: requests with {limits}."
    if sources := _joined([summary.cost_source for summary in summaries]):
        text += f" Cost: {sources}."
    return text


def _joined(texts: Sequence[str | None]) -> str:
    """Join the texts of all runs, or return one if they are all the same."""
    if len(set(texts)) == 1:
        return texts[0] or ""
    return "; ".join(text or "none" for text in texts)


def distributions(candidate: Candidate) -> Table:
    summary = candidate.summary
    entries = [(m.label, m.unit, summary.distributions.get(m.name)) for m in METRICS]
    entries.append(("Inter-chunk latency", "s", summary.inter_chunk))
    if steady := summary.steady:
        entries += [
            (f"{m.label}, steady", m.unit, steady.distributions.get(m.name)) for m in METRICS
        ]
    rows = tuple(
        (label, *_numbers(distribution, unit_beside(unit, label)))
        for label, unit, distribution in entries
        if distribution
    )
    columns = ("", "Median", "p90", "p95", "p99", "Mean", "Std dev", "Min", "Max", "Count")
    note = "Successful requests only. Percentiles with too few samples are shown as –."
    if not candidate.table.complete:
        some = len(candidate.table.timed()[0])
        note += f" Inter-chunk latency: of {some:,} requests, evenly spaced over the run."
    return Table("Distributions", columns, rows, note + _steady_note(summary.steady))


def steady_sentence(steady: SteadyState) -> str:
    """Return the latencies of the steady state in a sentence."""
    each = (
        f"{entry.label} {show(spread.median, 's')} median, {show(spread.p95, 's')} p95"
        for entry in METRICS
        if (spread := steady.distributions.get(entry.name)) is not None
    )
    return f"Steady state: {'; '.join(each)} ({_windows(steady)})."


def _steady_note(steady: SteadyState | None) -> str:
    """Return the windows that "steady" refers to, as text."""
    if steady is None:
        return ""
    return (
        " Steady: sent while requests in flight were near their peak, without ramp-up and drain "
        f"({_windows(steady)})."
    )


def _windows(steady: SteadyState) -> str:
    several = len(steady.windows) > 1
    return "; ".join(
        f"{f'repeat {w.repeat + 1}: ' * several}{significant(w.from_s)} to "
        f"{significant(w.to_s)} s, {w.requests:,} requests"
        for w in steady.windows
    )


def _numbers(distribution: Distribution, unit: str) -> list[str]:
    numbers = (
        distribution.median,
        distribution.p90,
        distribution.p95,
        distribution.p99,
        distribution.mean,
        distribution.sd,
        distribution.minimum,
        distribution.maximum,
    )
    return [*(show(number, unit) for number in numbers), f"{distribution.n:,}"]


def repeats(candidate: Candidate) -> Table:
    """Show every measure of each repeat; rates as they count in the mean."""
    each = candidate.summary.repeats
    count = len(each)
    rows = [
        (
            entry.label,
            entry.unit,
            counted_rates(each, entry.name) if entry.name in RATES else entry.of(candidate),
        )
        for entry in COMPARED
    ]
    shown = tuple(
        (label, *(show(number, unit_beside(unit, label)) for number in numbers))
        for label, unit, numbers in rows
        if len(numbers) == count and any(number is not None for number in numbers)
    )
    return Table("Repeats", ("", *(f"Repeat {i + 1}" for i in range(count))), shown)


def failures(candidate: Candidate) -> Table:
    """Count failed requests by error class, with the first message of each; those without a class
    are unknown, as in the summary."""
    table = candidate.table.where(candidate.table.are("failed"))
    table = table.where(~table.texts("error").are(None))
    classes, errors_of = (table.texts(name) for name in ("error_class", "error"))
    codes, firsts = np.unique(classes.codes, return_index=True)
    first = {
        classes.words[code] or "unknown": errors_of.words[errors_of.codes[index]]
        for code, index in zip(codes, firsts, strict=True)
    }
    errors = sorted(candidate.summary.errors.items(), key=lambda item: -item[1])
    rows = tuple((name, f"{count:,}", first.get(name) or NOTHING) for name, count in errors)
    return Table("Failures", ("", "Requests", "For example"), rows)


_SHOWN = ("mean", "median", "sd", "p90", "p95")
CLASS_ROWS: tuple[tuple[str, Callable[[Summary], str]], ...] = (  # a class has a Summary like a run
    ("Requests sent", lambda part: f"{part.sent:,}"),
    ("Succeeded", lambda part: f"{part.ok:,}"),
    ("Failed", lambda part: f"{part.failed:,}"),
    _of_metric("prompt_tokens", "mean"),
    ("Cached prompt tokens", lambda part: show(part.cached_share, "share")),
    _of_metric("output_tokens", "mean"),
    *(_of_metric(name, statistic) for name in ("ttft_s", "e2e_s") for statistic in _SHOWN),
    _of_metric("tpot_s", "median"),
    _of_metric("tokens_per_s", "median"),
)
