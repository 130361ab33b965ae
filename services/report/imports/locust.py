"""locust: its table of statistics (`…_stats.csv`), in milliseconds. It counts requests, not tokens;
its response time is that of a whole response, not the time to the first token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.report.imports import fields
from services.report.imports.imported import Imported, Load, StatedMetric, imported, read_stated
from services.report.imports.parse import Document
from services.report.imports.tracked import Tracked

TOOL = "locust"
NEEDED = {"Type", "Name", "Request Count", "Failure Count", "Average Response Time"}
ALL = "Aggregated"


def recognise(document: Document) -> bool:
    return document.kind == "csv" and document.first.keys() >= NEEDED


def read(document: Document) -> list[Imported]:
    """Return a run for each line, and one for all together if there are several lines."""
    lines = [row for row in document.rows if row.get("Name")]
    single = [row for row in lines if row["Name"] != ALL]
    return [_run(row) for row in (single if len(single) == 1 else lines)]


def _run(result: dict[str, Any]) -> Imported:
    row = Tracked(result)
    sent, failed = (fields.decimal(row.get(name)) for name in ("Request Count", "Failure Count"))
    values = [(entry, fields.decimal(row.get(entry.key))) for entry in STATED]
    if sent is not None and failed is not None:
        values.insert(0, (OK, sent - failed))
    facts = {name: fields.line(row.get(name)) for name in ("Type", "Name") if row.get(name)}
    return imported(
        TOOL,
        Load(fields.count(sent) or None),
        stated=read_stated(values),
        facts=facts,
        placed=False,
        of=row,
    )


def _percentiles(columns: Mapping[str, str]) -> tuple[StatedMetric, ...]:
    return tuple(
        StatedMetric(f"e2e_s_{ours}", theirs, 1e-3, ROUNDED) for ours, theirs in columns.items()
    )


RESPONSE = "Of whole responses, including connecting and failed requests."
ROUNDED = f"{RESPONSE} Rounded to two digits from 100 ms."
OK = StatedMetric("ok", "", 1, "Requests − failures.")
STATED = (
    StatedMetric("failed", "Failure Count", 1, "Requests that ended with an error."),
    StatedMetric(
        "requests_per_s",
        "Requests/s",
        1,
        "Over the time from the first response to the last, including failed requests.",
    ),
    StatedMetric("e2e_s_mean", "Average Response Time", 1e-3, RESPONSE),
    *_percentiles({"median": "50%", "p90": "90%", "p95": "95%", "p99": "99%"}),
)
