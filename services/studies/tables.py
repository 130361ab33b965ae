"""A study in tables of texts: the same on a page and in a file."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from services.analysis.compare.wording import times
from services.base.table import Table
from services.base.units import NOTHING, count, share, show, significant
from services.studies.curves import rate_of
from services.studies.mixes import tables as of_mixes
from services.studies.report import Report
from services.studies.scaling import COST, E2E, GOODPUT, THROUGHPUT, TPOT, TTFT, Interval, Row
from services.studies.work import size_word

GIB = 1 << 30
WIDTH = 34  # characters of a line of a problem


def results(report: Report) -> Table:
    """Every configuration at every work: what it gives, how it scales, and what went wrong."""
    rows = report.scaling.rows
    columns = [c for c in COLUMNS if any(c[1](row, report) != NOTHING for row in rows)]
    lines = tuple(
        (f"{row.label}, {row.work_label}", *(of(row, report) for _, of in columns)) for row in rows
    )
    note = (
        "Geometric means over repeats, with 95 % intervals where there are 3 or more; TTFT, TPOT "
        "and E2E are medians over the requests of a repeat."
    )
    heads = (name.format(device=report.device) for name, _ in columns)
    return Table("Every cell", ("", *heads), lines, note)


def best_table(report: Report) -> Table:
    """The best by each criterion, and the next where another configuration was measured."""
    lines = tuple(
        (
            one.criterion.label,
            f"{one.row.label}, {one.row.work_label}",
            _shown(one.row.level(one.criterion.measure), one.criterion.unit),
            _times(one.ahead),
            AHEAD[one.word] if one.runner_up else NOTHING,
            f"{one.runner_up.label}, {one.runner_up.work_label}" if one.runner_up else NOTHING,
        )
        for one in report.best
    )
    columns = ("", "Best", "Value", "Relative to next", "Verdict", "Next")
    if not any(one.runner_up for one in report.best):
        return Table("Best configuration", columns[:3], tuple(line[:3] for line in lines))
    note = "Next: the best of another configuration. Verdicts are adjusted for picking the best."
    return Table("Best configuration", columns, lines, note)


def law_table(report: Report) -> Table:
    """What the Universal Scalability Law makes of each curve that begins at a baseline."""
    whole = [curve for curve in report.devices if curve.rows[0].is_baseline]
    fitted = [(curve, fit) for curve in whole if (fit := curve.fit) is not None]
    lines = tuple(
        (
            f"{curve.rows[0].label} to {curve.rows[-1].label}, {curve.rows[0].work_label}",
            ", ".join(map(str, fit.sizes)),
            _with_ends(fit.sigma, fit.sigma_interval),
            _with_ends(fit.kappa, fit.kappa_interval),
            NOTHING if fit.peak is None else count(round(fit.peak)),
            f"{100 * fit.worst:.1f} %",
        )
        for curve, fit in fitted
    )
    columns = ("", "Sizes", "Contention σ", "Coherency κ", "Peak at", "Largest error")
    note = (
        "X(N) = λN / (1 + σ(N − 1) + κN(N − 1)), where N is the size of what is varied, not the "
        "number of all devices. κ needs at least three sizes."
    )
    return Table("Contention and communication", columns, lines, note)


def batch_table(report: Report) -> Table:
    """Where each configuration's throughput stops growing with the batch."""
    curves = [curve for curve in report.batches if curve.knee is not None]
    lines = tuple(
        (
            f"{curve.best.label}, {curve.best.work_label}",
            significant(rate_of(curve.best)),
            curve.knee.work_label if curve.knee else NOTHING,
            "yes" if curve.saturates else "not yet",
        )
        for curve in curves
    )
    columns = ("", "Max tokens/s", "Within 5 % from", "Saturated")
    words = [size_word([row.work for row in curve.rows]) for curve in curves]
    title = "Concurrency" if "concurrency" in words else "Batch sizes"
    return Table(title, columns, lines)


def all_tables(report: Report) -> tuple[Table, ...]:
    """Return the tables that have a row."""
    scaled = (best_table(report), results(report), law_table(report), batch_table(report))
    found = (*of_mixes(report.mixes), results(report)) if report.mixes else scaled
    return tuple(table for table in found if table.rows)


def _shown(found: Interval | None, unit: str) -> str:
    if found is None:
        return NOTHING
    said = show(found.value, unit)
    if found.low is None or found.high is None:
        return said
    return f"{said}\n{show(found.low, unit)} – {show(found.high, unit)}"


def _times(found: Interval | None) -> str:
    if found is None:
        return NOTHING
    said = f"{times(found.value)}×"
    if found.low is None or found.high is None:
        return said
    return f"{said}\n{times(found.low)} – {times(found.high)}"


def _with_ends(value: float | None, ends: tuple[float, float] | None) -> str:
    if value is None:
        return NOTHING
    said = f"{value:.3g}"
    return said if ends is None else f"{said}\n{ends[0]:.3g} – {ends[1]:.3g}"


def _level(name: str, unit: str) -> Callable[[Row, Report], str]:
    return lambda row, _: _shown(row.level(name), unit)


def _speedup(row: Row, _: Report) -> str:
    return "baseline" if row.is_baseline else _times(row.speedup)


def _word(row: Row, _: Report) -> str:
    return NOTHING if row.is_baseline or row.speedup is None else row.word


def _memory(row: Row, _: Report) -> str:
    return NOTHING if row.memory is None else f"{significant(row.memory.most / GIB)} GiB"


def _attained(row: Row, _: Report) -> str:
    found = row.attainment
    return NOTHING if found is None else share(found[0] / found[1])


def _problem(row: Row, _: Report) -> str:
    return "\n".join(textwrap.wrap(row.problem or "", WIDTH)) or NOTHING


def _failed(row: Row, _: Report) -> str:
    return f"{row.failed:,}" if row.failed else NOTHING


COLUMNS: tuple[tuple[str, Callable[[Row, Report], str]], ...] = (
    ("Problem", _problem),
    ("Tokens/s", _level(THROUGHPUT, "")),
    ("Speed-up", _speedup),
    ("Verdict", _word),
    ("Efficiency", lambda row, _: _shown(row.efficiency, "share")),
    ("Tokens/s by {device}", lambda row, _: _shown(row.per_device, "")),
    ("TTFT", _level(TTFT, "s")),
    ("TPOT", _level(TPOT, "s")),
    ("E2E", _level(E2E, "s")),
    ("Goodput/s", _level(GOODPUT, "")),
    ("SLO attainment", _attained),
    ("Memory by {device}", _memory),
    ("US $ per million tokens", _level(COST, "USD")),
    ("Failed requests", _failed),
)
AHEAD = {
    "faster": "yes",
    "slower": "no",
    "equivalent": "equally good, within ±5 %",
    "inconclusive": "inconclusive",
    "no verdict": "no verdict",
}
