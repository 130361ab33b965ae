"""The tables of a study, the same on a page and in a file."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from services.analysis.compare.ratio_text import times
from services.base.table import Table
from services.base.units import NOTHING, between, count, share, show, significant
from services.studies.curves import rate_of
from services.studies.mixes import tables as of_mixes
from services.studies.report import Report
from services.studies.scaling import (
    COST,
    E2E,
    GOODPUT,
    SUBMISSION,
    THROUGHPUT,
    TOTAL_TIME,
    TPOT,
    TTFT,
    Interval,
    Row,
)
from services.studies.work import size_name

GIB = 1 << 30
BASELINE = "baseline"
WIDTH = 34  # characters of a line of a problem


def results(report: Report) -> Table:
    """Return every configuration at every work: its measures, its speed-up, and its problem."""
    rows = report.scaling.rows
    empty = (NOTHING, BASELINE)  # in all rows: nothing to compare
    columns = [c for c in COLUMNS if any(c[1](row, report) not in empty for row in rows)]
    lines = tuple(
        (f"{row.label}, {row.work_label}", *(of(row, report) for _, of in columns)) for row in rows
    )
    note = (
        "Geometric means over repeats, with 95 % intervals where there are 3 or more; TTFT, TPOT "
        "and E2E are medians over the requests of a repeat."
    )
    if report.pending:
        note += " A row of dashes has not been measured yet."
    heads = (name.format(device=report.device) for name, _ in columns)
    return Table("Every cell", ("", *heads), lines, note)


def best_table(report: Report) -> Table:
    """Return the best by each criterion, and the best of another configuration, if any."""
    lines = tuple(
        (
            winner.criterion.label,
            f"{winner.row.label}, {winner.row.work_label}",
            _interval(winner.row.level(winner.criterion.measure), winner.criterion.unit),
            _ratio(winner.ratio),
            AHEAD[winner.word] if winner.runner_up else NOTHING,
            f"{winner.runner_up.label}, {winner.runner_up.work_label}"
            if winner.runner_up
            else NOTHING,
        )
        for winner in report.best
    )
    columns = ("", "Best", "Value", "Ratio to runner-up", "Verdict", "Runner-up")
    if not any(winner.runner_up for winner in report.best):
        return Table("Best configuration", columns[:3], tuple(line[:3] for line in lines))
    note = (
        "The runner-up is the best of the other configurations. The verdict allows for the luck of "
        "having been chosen as the best."
    )
    return Table("Best configuration", columns, lines, note)


def law_table(report: Report) -> Table:
    """Return the Universal Scalability Law's fit of each curve that begins at a baseline."""
    whole = [curve for curve in report.devices if curve.rows[0].is_baseline]
    fitted = [(curve, fit) for curve in whole if (fit := curve.fit) is not None]
    lines = tuple(
        (
            f"{curve.rows[0].label} to {curve.rows[-1].label}, {curve.rows[0].work_label}",
            ", ".join(map(str, fit.sizes)),
            _with_ends(fit.sigma, fit.sigma_interval),
            _with_ends(fit.kappa, fit.kappa_interval),
            count(round(fit.peak)) if fit.peak and fit.shows_peak else NOTHING,
            f"{100 * fit.max_relative_error:.1f} %",
        )
        for curve, fit in fitted
    )
    columns = ("", "Sizes", "Contention σ", "Coherency κ", "Peak at", "Largest error")
    note = (
        "By the Universal Scalability Law, throughput at size N is λN / (1 + σ(N − 1) + "
        "κN(N − 1)): λ is that at size 1, σ the share of the work that is serialized, and κ the "
        "cost of communication, which needs at least three sizes. N is the size of what is "
        "varied, not the number of all devices."
    )
    return Table("Contention and communication", columns, lines, note)


def batch_table(report: Report) -> Table:
    """Return where each configuration's throughput stops growing with the batch size."""
    curves = [curve for curve in report.batches if curve.knee is not None]
    lines = tuple(
        (
            f"{curve.best.label}, {curve.best.work_label}",
            significant(rate_of(curve.best)),
            curve.knee.work_label if curve.knee else NOTHING,
            "not known yet" if report.pending else "yes" if curve.saturates else "not yet",
        )
        for curve in curves
    )
    columns = ("", "Max tokens/s", "95 % reached at", "Saturated")
    size_names = [size_name([row.work for row in curve.rows]) for curve in curves]
    title = "Concurrency" if "concurrency" in size_names else "Batch sizes"
    note = (
        "95 % reached at: the lowest load that gives at least 95 % of the highest throughput. "
        "Saturated: a higher load was measured, too."
    )
    return Table(title, columns, lines, note)


def all_tables(report: Report) -> tuple[Table, ...]:
    """Return the tables that have rows."""
    scaled = (best_table(report), results(report), law_table(report), batch_table(report))
    tables = (*of_mixes(report.mixes), results(report)) if report.mixes else scaled
    return tuple(table for table in tables if table.rows)


def _interval(interval: Interval | None, unit: str) -> str:
    if interval is None:
        return NOTHING
    value = show(interval.value, unit)
    if interval.low is None or interval.high is None:
        return value
    return f"{value}\n{between(interval.low, interval.high, unit)}"


def _ratio(interval: Interval | None) -> str:
    if interval is None:
        return NOTHING
    value = f"{times(interval.value)}×"
    if interval.low is None or interval.high is None:
        return value
    return f"{value} ({times(interval.low)}–{times(interval.high)})"


def _with_ends(value: float | None, ends: tuple[float, float] | None) -> str:
    if value is None:
        return NOTHING
    text = f"{value:.3g}"
    if ends is None or ends[0] == ends[1]:
        return text
    return f"{text}\n{ends[0]:.3g}–{ends[1]:.3g}"


def _level(name: str, unit: str) -> Callable[[Row, Report], str]:
    return lambda row, _: _interval(row.level(name), unit)


def _speedup(row: Row, _: Report) -> str:
    return BASELINE if row.is_baseline else _ratio(row.speedup)


def _verdict(row: Row, _: Report) -> str:
    return NOTHING if row.is_baseline or row.speedup is None else row.word


def _of_submission(name: str) -> Callable[[Row, Report], str]:
    """A duration of a repeat, if the study varies how requests are sent."""
    level = _level(name, "s")
    return lambda row, report: level(row, report) if _modes_differ(report) else NOTHING


def _modes_differ(report: Report) -> bool:
    return len({work.mode for work in report.scaling.works}) > 1


def _memory(row: Row, _: Report) -> str:
    return NOTHING if row.memory is None else f"{significant(row.memory.most / GIB)} GiB"


def _attainment(row: Row, _: Report) -> str:
    attainment = row.attainment
    return NOTHING if attainment is None else share(attainment[0] / attainment[1])


def _problem(row: Row, _: Report) -> str:
    return "\n".join(textwrap.wrap(row.problem or "", WIDTH)) or NOTHING


def _failed(row: Row, _: Report) -> str:
    return f"{row.failed:,}" if row.failed else NOTHING


COLUMNS: tuple[tuple[str, Callable[[Row, Report], str]], ...] = (
    ("Problem", _problem),
    ("Submission time", _of_submission(SUBMISSION)),
    ("Total time", _of_submission(TOTAL_TIME)),
    ("Output throughput (tokens/s)", _level(THROUGHPUT, "")),
    ("Speed-up", _speedup),
    ("Verdict", _verdict),
    ("Efficiency", lambda row, _: _interval(row.efficiency, "share")),
    ("Tokens/s per {device}", lambda row, _: _interval(row.per_device, "")),
    ("TTFT", _level(TTFT, "s")),
    ("TPOT", _level(TPOT, "s")),
    ("E2E latency", _level(E2E, "s")),
    ("Goodput/s", _level(GOODPUT, "")),
    ("SLO attainment", _attainment),
    ("Memory per {device}", _memory),
    ("US $ per million tokens", _level(COST, "USD")),
    ("Failed requests", _failed),
)
AHEAD = {
    "faster": "better",
    "slower": "worse",
    "equivalent": "equivalent, within ±5 %",
    "inconclusive": "inconclusive",
    "no verdict": "no verdict",
}
