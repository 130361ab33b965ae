"""The file formats of a capacity search, without keys, paths, prompts and answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Any

import orjson

from services.analysis.capacity import sustained
from services.analysis.capacity.point import LoadPoint
from services.analysis.fingerprint import digest
from services.base.redact import redact, without_paths
from services.report.capacity import capacity_document
from services.report.export.capacity_contents import capacity_contents
from services.report.export.markdown import render as render_markdown
from services.report.export.page import chart_data, render
from services.report.export.public import public_config
from services.report.export.tables import to_csv
from services.studies.capacity import Capacity
from services.studies.capacity_probe import Probe

SCHEMA = "paceline/capacity/1"
UNHASHED = ("id", "name", "note", "page", "started_by", "created_at")


@dataclass(frozen=True)
class CapacityExport:
    """A file format; `{capacity}` in `filename` stands for the number of the search."""

    name: str
    label: str
    filename: str
    mime: str
    of: Callable[[Capacity], bytes]

    def write(self, capacity: Capacity) -> bytes:
        """Return a search as a file."""
        return self.of(public_capacity(capacity))


def capacity_export(name: str) -> CapacityExport:
    """Return the export with this name. Raises KeyError if there is none."""
    return {entry.name: entry for entry in CAPACITY_EXPORTS}[name]


def public_capacity(capacity: Capacity) -> Capacity:
    """Remove paths, and anything that looks like a key, from the servers and from the error."""
    servers = tuple(map(public_config, capacity.config.servers))
    error = capacity.error and without_paths(redact(capacity.error))
    config = capacity.config.model_copy(update={"servers": servers})
    return replace(capacity, config=config, error=error)


def capacity_hash(capacity: Capacity) -> str:
    """Return the SHA-256 of the search's settings and results, without its name."""
    document = capacity_document(capacity)
    kept = {name: value for name, value in document.items() if name not in UNHASHED}
    return digest(kept)


def capacity_page(capacity: Capacity) -> bytes:
    """Return a search as one HTML file that opens offline."""
    from services.report.charts.capacity import CAPACITY_CHARTS  # Altair: see `page`

    drawn = [chart_data(chart, partial(chart.draw, capacity)) for chart in CAPACITY_CHARTS]
    contents = capacity_contents(capacity)
    about = {"id": 0, "label": contents.title, "sha256": capacity_hash(capacity)}
    return render(contents, [chart for chart in drawn if chart["specs"]], [about])


def capacity_markdown(capacity: Capacity) -> bytes:
    """Return a search as Markdown for a pull request."""
    return render_markdown(capacity_contents(capacity))


def capacity_json(capacity: Capacity) -> bytes:
    """Return a search as JSON."""
    document = {"schema": SCHEMA, "content_sha256": capacity_hash(capacity)}
    document |= capacity_document(capacity)
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def capacity_csv(capacity: Capacity) -> bytes:
    """Return a row for each probe: its load, how many requests missed each objective, its
    throughput and latencies."""
    rows = [_row(capacity, probe) for probe in capacity.probes]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return to_csv(columns, ([row.get(column) for column in columns] for row in rows))


def _row(capacity: Capacity, probe: Probe) -> dict[str, Any]:
    observation, objectives = probe.observation, capacity.config.parsed_objectives
    point = asdict(probe.point) if probe.point else dict.fromkeys(f.name for f in fields(LoadPoint))
    by_objective = {
        f"{objective.text} {what}": value
        for index, objective in enumerate(objectives)
        for what, value in (
            ("missed", observation and observation.misses[index].count),
            ("reached", observation and observation.reached[index]),
        )
    }
    return {
        "search": capacity.name,
        "server": probe.server,
        "run": probe.run_id,
        "load": probe.load,
        "unit": capacity.config.unit,
        "window_s": probe.window_s,
        "requests": observation and observation.misses[0].n,
        "sustained": None
        if observation is None or observation.limited
        else sustained(observation, objectives),
        "queue_grows": observation and observation.growing,
        "client_too_slow": observation and observation.limited,
        **by_objective,
        **point,
    }


CAPACITY_EXPORTS = (
    CapacityExport(
        "capacity.csv",
        "Probes (CSV)",
        "paceline-capacity-{capacity}.csv",
        "text/csv; charset=utf-8",
        capacity_csv,
    ),
    CapacityExport(
        "capacity.json",
        "Search (JSON)",
        "paceline-capacity-{capacity}.json",
        "application/json",
        capacity_json,
    ),
    CapacityExport(
        "capacity.md",
        "Table for a pull request (Markdown)",
        "paceline-capacity-{capacity}.md",
        "text/markdown; charset=utf-8",
        capacity_markdown,
    ),
    CapacityExport(
        "capacity.html",
        "Page that opens offline (HTML)",
        "paceline-capacity-{capacity}.html",
        "text/html; charset=utf-8",
        capacity_page,
    ),
)
