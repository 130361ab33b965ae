"""What the exported page says, as plain texts and tables; how it looks is the template's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services import theme
from services.checks import Doubt, doubts
from services.compare import Candidate, Comparison, compare
from services.config import without_prompts
from services.measurement import Run
from services.metrics import METRICS
from services.statistics import Distribution, Ratio
from services.units import NOTHING, show


@dataclass(frozen=True)
class Table:
    """Texts in rows; the first of each row is its heading."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Contents:
    """The page's words. `results` stand above the charts, `circumstances` below them."""

    title: str
    lead: str
    sentences: tuple[str, ...]
    doubts: tuple[tuple[Doubt, str], ...]  # each with the names of its runs, or ""
    results: tuple[Table, ...]
    circumstances: tuple[Table, ...]
    notes: tuple[tuple[str, str], ...] = field(default=())


def contents(candidates: Sequence[Candidate]) -> Contents:
    """Return the page's words for one run, or for two to eight, the reference first."""
    comparison = compare(candidates) if len(candidates) > 1 else None
    labels = [theme.label(candidate.run) for candidate in candidates]
    names = [candidate.run.name or f"Run {candidate.run.id}" for candidate in candidates]
    return Contents(
        title=names[0] if comparison is None else f"{len(names)} runs compared",
        lead=_lead(candidates[0]) if comparison is None else f"Reference: {names[0]}",
        sentences=tuple(_sentences(candidates, labels, comparison)),
        doubts=tuple(_doubts(candidates, labels, comparison)),
        results=_results(candidates, labels, comparison),
        circumstances=_circumstances(candidates, labels, comparison),
        notes=tuple((theme.label(c.run), c.run.note) for c in candidates if c.run.note),
    )


def _lead(candidate: Candidate) -> str:
    run = candidate.run
    model = f", {run.config.model}" if run.config.model else ""
    started = f", {_moment(run.started_at)}" if run.started_at else ""
    return f"Run {run.id}: {run.config.backend}{model}, {run.config.mode}{started}"


def _sentences(
    candidates: Sequence[Candidate], labels: Sequence[str], comparison: Comparison | None
) -> Iterator[str]:
    for candidate, label in zip(candidates, labels, strict=True):
        if candidate.run.error:
            yield f"{label}: {candidate.run.error}"
    if comparison:
        yield from (verdict.sentence for verdict in comparison.verdicts)


def _doubts(
    candidates: Sequence[Candidate], labels: Sequence[str], comparison: Comparison | None
) -> Iterator[tuple[Doubt, str]]:
    """The comparison's, then those of the runs; one that several runs share is said once."""
    if comparison:
        yield from ((doubt, "") for doubt in comparison.warnings)
    shared: dict[Doubt, list[str]] = {}
    for candidate, label in zip(candidates, labels, strict=True):
        for doubt in doubts(candidate.run, candidate.measurements, candidate.summary):
            shared.setdefault(doubt, []).append(label)
    for doubt in sorted(shared, key=lambda doubt: doubt.level != "warning"):
        yield doubt, "; ".join(shared[doubt]) if comparison else ""


def _results(
    candidates: Sequence[Candidate], labels: Sequence[str], comparison: Comparison | None
) -> tuple[Table, ...]:
    if comparison is None:
        tables = (_figures(candidates, labels), _distributions(candidates[0]))
    else:
        known = [row.metric for row in comparison.rows]
        tables = (_comparison(comparison, labels), _figures(candidates, labels, known))
    return tuple(table for table in tables if table.rows)


def _comparison(comparison: Comparison, labels: Sequence[str]) -> Table:
    rows = tuple(
        (
            row.label,
            *(
                show(value, row.unit) + _ratio(ratio)
                for value, ratio in zip(row.values, row.ratios, strict=True)
            ),
        )
        for row in comparison.rows
    )
    note = (
        "Means over repeats, then times the reference, "
        "with a 95 % interval where there are repeats enough."
    )
    return Table("Comparison", ("", f"{labels[0]} (reference)", *labels[1:]), rows, note)


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None:
        return ""
    if ratio.low is None or ratio.high is None:
        return f"\n× {ratio.value:.3g}"
    return f"\n× {ratio.value:.3g} ({ratio.low:.3g}–{ratio.high:.3g})"


def _figures(
    candidates: Sequence[Candidate], labels: Sequence[str], known: Collection[str] = ()
) -> Table:
    """The summaries' own numbers, without those that another table has and those nobody has."""
    summaries = [candidate.summary for candidate in candidates]
    rows = [
        (label, *(show(getattr(summary, name), unit) for summary in summaries))
        for name, label, unit in FIGURES
        if name not in known and any(getattr(summary, name) is not None for summary in summaries)
    ]
    errors = dict.fromkeys(name for summary in summaries for name in summary.errors)
    rows += [
        (f"Failed: {name}", *(f"{summary.errors.get(name, 0):,}" for summary in summaries))
        for name in errors
    ]
    return Table("Figures", ("", *labels), tuple(rows))


def _distributions(candidate: Candidate) -> Table:
    summary = candidate.summary
    found = [(m.label, m.unit, summary.distributions.get(m.name)) for m in METRICS]
    found.append(("Inter-chunk latency", "s", summary.inter_chunk))
    rows = tuple(
        (label, *_numbers(distribution, unit))
        for label, unit, distribution in found
        if distribution
    )
    columns = ("", "Count", "Mean", "Median", "Std dev", "Min", "Max", "p90", "p95", "p99")
    note = "Over successful requests. A percentile that too few samples support is left out, as –."
    return Table("Distributions", columns, rows, note)


def _numbers(found: Distribution, unit: str) -> list[str]:
    numbers = (found.mean, found.median, found.sd, found.minimum, found.maximum)
    tail = (found.p90, found.p95, found.p99)
    return [f"{found.n:,}", *(show(number, unit) for number in (*numbers, *tail))]


def _circumstances(
    candidates: Sequence[Candidate], labels: Sequence[str], comparison: Comparison | None
) -> tuple[Table, ...]:
    tables = []
    if comparison:
        rows = tuple((d.label, *d.values) for d in comparison.differences)
        tables.append(Table("What differs", ("", *labels), rows))
    tables.append(_side_by_side("Runs", [_identity(c.run) for c in candidates], labels))
    configs = [_flat(without_prompts(candidate.run.config)) for candidate in candidates]
    surroundings = [_flat(candidate.run.environment) for candidate in candidates]
    tables.append(_side_by_side("Configuration", configs, labels))
    tables.append(_side_by_side("Environment", surroundings, labels))
    return tuple(table for table in tables if table.rows)


def _identity(run: Run) -> dict[str, str]:
    facts = {
        "name": run.name,
        "status": run.status,
        "started": _moment(run.started_at),
        "ended": _moment(run.ended_at),
        "tags": run.tags,
    }
    return {name: _word(value) for name, value in facts.items()}


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}".strip() if moment else ""


def _side_by_side(title: str, columns: Sequence[Mapping[str, str]], labels: Sequence[str]) -> Table:
    names = dict.fromkeys(name for column in columns for name in column)
    rows = tuple((name, *(column.get(name, NOTHING) for column in columns)) for name in names)
    return Table(title, ("", *labels), rows)


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Nested facts as `engine.version`, in words."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{above}{key}.")
        else:
            found[f"{above}{key}"] = _word(value)
    return found


def _word(value: Any) -> str:
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_word, value)) or NOTHING
    return str(value)


# Attributes of a Summary, in the order they are read.
FIGURES = (
    ("output_tokens_per_s", "Output throughput", "tokens/s"),
    ("total_tokens_per_s", "Total throughput", "tokens/s"),
    ("requests_per_s", "Queries per second", "1/s"),
    ("steady_output_tokens_per_s", "Steady-state output throughput", "tokens/s"),
    ("total_e2e_s", "Total E2E latency", "s"),
    ("sent", "Requests sent", "tokens"),
    ("ok", "Answered", "tokens"),
    ("failed", "Failed", "tokens"),
    ("cancelled", "Cancelled", "tokens"),
    ("error_rate", "Error rate", "share"),
    ("prompt_tokens", "Prompt tokens", "tokens"),
    ("output_tokens", "Output tokens", "tokens"),
    ("peak_in_flight", "Most in flight", "tokens"),
    ("fairness", "Fairness (Jain's index)", ""),
    ("cost_usd", "Cost", "USD"),
    ("usd_per_million_output", "Cost per million output tokens", "USD"),
)
