"""The operating points of a capacity search as a table: throughput and latency at each load."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from services.analysis.capacity import Objective
from services.base.table import Table
from services.base.units import NOTHING, letter, share, show
from services.report.capacity import objective_title, reached_text, sustained_text
from services.studies.capacity import Capacity
from services.studies.capacity_probe import Probe
from services.studies.capacity_wording import load_text

TITLE = "Operating points"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of measured values; left out if no probe has a value."""

    title: str
    field: str  # of a LoadPoint
    unit: str


def operating_points_table(capacity: Capacity) -> Table:
    """Return a row for each probe, by server and load, with the number of its run last. Columns
    without values are left out."""
    probes = sorted(capacity.probes, key=lambda probe: (probe.server, probe.load, probe.run_id))
    columns = [column for column in _columns(capacity) if any(map(column[1], probes))]
    rows = tuple(tuple(of(probe) or NOTHING for _, of in columns) for probe in probes)
    return Table(TITLE, tuple(title for title, _ in columns), rows, NOTE)


Text = Callable[[Probe], str | None]


def _columns(capacity: Capacity) -> Iterator[tuple[str, Text]]:
    config = capacity.config
    if len(config.servers) > 1:
        yield "Server", lambda probe: letter(probe.server)
    yield (
        "Users" if config.load == "users" else "Requests/s",
        lambda probe: load_text(probe.load, config),
    )
    yield "Sustained", lambda probe: sustained_text(capacity, probe)
    yield "Met the objective", _met_text
    for index, objective in enumerate(config.parsed_objectives):
        yield objective_title(objective), _reached_column(index, objective)
    asked = {objective_title(objective) for objective in config.parsed_objectives}
    for column in COLUMNS:
        if column.title not in asked:
            yield column.title, _measured_column(column)
    yield "Run", lambda probe: str(probe.run_id)


def _met_text(probe: Probe) -> str | None:
    if probe.observation is None:
        return None
    met = [1 - misses.count / misses.n for misses in probe.observation.misses if misses.n]
    return share(min(met)) if met else None


def _reached_column(index: int, objective: Objective) -> Text:
    return lambda probe: (
        None
        if probe.observation is None
        else reached_text(probe.observation.reached[index], objective)
    )


def _measured_column(column: Column) -> Text:
    def text(probe: Probe) -> str | None:
        value = None if probe.point is None else getattr(probe.point, column.field)
        return None if value is None else show(value, column.unit)

    return text


COLUMNS = (
    Column("Completed/s", "requests_per_s", ""),
    Column("Output tokens/s", "tokens_per_s", ""),
    Column("In flight", "in_flight", "count"),
    Column("TTFT median", "ttft_p50_s", "s"),
    Column("TTFT p95", "ttft_p95_s", "s"),
    Column("TPOT median", "tpot_p50_s", "s"),
    Column("TPOT p95", "tpot_p95_s", "s"),
    Column("E2E latency median", "e2e_p50_s", "s"),
    Column("E2E latency p95", "e2e_p95_s", "s"),
    Column("Max waiting", "waiting", "count"),
    Column("Max KV cache", "kv_cache_share", "share"),
    Column("Preemptions", "preemptions", "count"),
)
NOTE = (
    "One row for each probe. Near the capacity, chance decides whether a probe meets the "
    "objectives: one may fail at a lower load than another that passes. Latencies are of "
    "successful requests; for an objective, a failed request counts as a miss. Columns that the "
    "engine does not report are left out."
)
