"""The operating points of a capacity search as tables: which loads met the objectives, and the
throughput and latency at each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.analysis.capacity import Objective
from services.base.table import Table
from services.base.units import NOTHING, letter, share, show
from services.report.capacity import objective_title, reached_text, sustained_text
from services.studies.capacity import Capacity
from services.studies.capacity_probe import Probe
from services.studies.capacity_wording import load_text

Text = Callable[[Probe], str | None]
Columns = Iterator[tuple[str, Text]]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of measured values; left out if no probe has a value. `fields`: of a LoadPoint, by
    the statistic that each is, or by "" if it is the only one."""

    title: str
    fields: Mapping[str, str]
    unit: str


def operating_points_table(capacity: Capacity) -> Table:
    """Return a row for each probe, by server and load, with its run first: whether the load was
    sustained."""
    columns = [*_loads(capacity), *_outcomes(capacity)]
    return _table("Operating points", capacity, columns, OF_OUTCOMES)


def measured_table(capacity: Capacity) -> Table:
    """Return the same rows with the throughput and the latency of each. Columns without values are
    left out."""
    return _table(
        "Throughput and latency", capacity, [*_loads(capacity), *_measured(capacity)], OF_MEASURED
    )


def _table(title: str, capacity: Capacity, columns: list[tuple[str, Text]], note: str) -> Table:
    probes = sorted(capacity.probes, key=lambda probe: (probe.server, probe.load, probe.run_id))
    known = [column for column in columns if any(map(column[1], probes))]
    rows = tuple(tuple(of(probe) or NOTHING for _, of in known) for probe in probes)
    return Table(title, tuple(name for name, _ in known), rows, note)


def _loads(capacity: Capacity) -> Columns:
    config = capacity.config
    yield "Run", lambda probe: str(probe.run_id)
    if len(config.servers) > 1:
        yield "Server", lambda probe: letter(probe.server)
    yield (
        "Users" if config.load == "users" else "Requests/s",
        lambda probe: load_text(probe.load, config),
    )


def _outcomes(capacity: Capacity) -> Columns:
    yield "Sustained", lambda probe: sustained_text(capacity, probe).replace(", ", ",\n")
    yield "Met the objective", _met_text
    for index, objective in enumerate(capacity.config.parsed_objectives):
        yield objective_title(objective), _reached_column(index, objective)


def _measured(capacity: Capacity) -> Columns:
    for column in MEASURED:
        title = f"{column.title} {', '.join(column.fields)}".strip()
        yield title, _measured_column(tuple(column.fields.values()), column.unit)


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


def _measured_column(fields: Sequence[str], unit: str) -> Text:
    def text(probe: Probe) -> str | None:
        values = [getattr(probe.point, field, None) for field in fields]
        known = any(value is not None for value in values)
        return "\n".join(show(value, unit) for value in values) if known else None

    return text


def _latency(title: str, name: str) -> Column:
    return Column(title, {"median": f"{name}_p50_s", "p95": f"{name}_p95_s"}, "s")


MEASURED = (
    Column("Completed/s", {"": "requests_per_s"}, ""),
    Column("Output throughput (tokens/s)", {"": "tokens_per_s"}, ""),
    Column("In flight", {"": "in_flight"}, "count"),
    _latency("TTFT", "ttft"),
    _latency("TPOT", "tpot"),
    _latency("E2E latency", "e2e"),
    Column("Max waiting", {"": "waiting"}, "count"),
    Column("Max KV cache", {"": "kv_cache_share"}, "share"),
    Column("Preemptions", {"": "preemptions"}, "count"),
)
OF_OUTCOMES = (
    "One row for each probe; the capacity is estimated from all of them together, so the ends of "
    "its interval need not be loads that were measured. Near it, a single probe may go either way: "
    "one may miss the objectives below the capacity, and another meet them above it. A failed "
    "request counts as a miss."
)
OF_MEASURED = (
    "Latencies are of successful requests. Columns that the engine does not report are left out."
)
