"""locust: its table of statistics (`…_stats.csv`), in milliseconds. It knows requests, not tokens;
of a whole response, so what it calls a response time is no time to the first token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.report.imports import fields
from services.report.imports.imported import Imported, Load, Says, imported, stated
from services.report.imports.noted import Noted
from services.report.imports.parse import Document

TOOL = "locust"
NEEDED = {"Type", "Name", "Request Count", "Failure Count", "Average Response Time"}
ALL = "Aggregated"


def recognise(document: Document) -> bool:
    return document.kind == "csv" and document.first.keys() >= NEEDED


def read(document: Document) -> list[Imported]:
    """A run for each line; the sum of all only where there are several."""
    lines = [row for row in document.rows if row.get("Name")]
    single = [row for row in lines if row["Name"] != ALL]
    return [_run(row) for row in (single if len(single) == 1 else lines)]


def _run(found: dict[str, Any]) -> Imported:
    row = Noted(found)
    asked, failed = (fields.decimal(row.get(name)) for name in ("Request Count", "Failure Count"))
    says = [(entry, fields.decimal(row.get(entry.key))) for entry in SAYS]
    if asked is not None and failed is not None:
        says.insert(0, (OK, asked - failed))
    facts = {name: fields.line(row.get(name)) for name in ("Type", "Name") if row.get(name)}
    return imported(
        TOOL,
        Load(fields.count(asked) or None),
        says=stated(says),
        facts=facts,
        placed=False,
        of=row,
    )


def _percentiles(columns: Mapping[str, str]) -> tuple[Says, ...]:
    return tuple(Says(f"e2e_s_{ours}", theirs, 1e-3, ROUNDED) for ours, theirs in columns.items())


RESPONSE = "Of a whole response, connecting included; failed requests are part of it."
ROUNDED = f"{RESPONSE} Rounded: to two digits from 100 ms on."
OK = Says("ok", "", 1, "Requests less failures.")
SAYS = (
    Says("failed", "Failure Count", 1, "Requests that ended with an error."),
    Says(
        "requests_per_s",
        "Requests/s",
        1,
        "Over the time from the first response to the last; failed requests are part of it.",
    ),
    Says("e2e_s_mean", "Average Response Time", 1e-3, RESPONSE),
    *_percentiles({"median": "50%", "p90": "90%", "p95": "95%", "p99": "99%"}),
)
