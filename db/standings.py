"""How stored runs stand to their references, and how a measure went over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from sqlalchemy import Engine

from db import search
from db.pins import pins
from db.search import Filters, RunRow
from services.analysis.compare import trend as trends
from services.analysis.compare.baseline import fitting
from services.analysis.compare.baseline_verdict import BaselineVerdict, baseline_verdicts


def standings(
    database: Engine, rows: Sequence[RunRow], tag: str = "", model: str = ""
) -> dict[int, BaselineVerdict]:
    """Return how each of these runs stands, by id; arguments as in `baseline_verdict`."""
    pinned = pins(database)
    wanted = {pin.run_id for row in rows for pin in fitting(row, pinned)}
    baseline_runs = {row.id: row for row in search.rows_of(database, wanted)} if wanted else {}
    return baseline_verdicts(rows, pinned, baseline_runs, tag, model)


def trend(
    database: Engine, measure: str, text: str = "", **filters: Unpack[Filters]
) -> trends.Trend:
    """Return the trend of a measure over the newest runs that match, at most MOST_OF_TREND."""
    rows, pinned = search.trend(database, text, **filters), pins(database)
    wanted = {pin.run_id for row in rows for pin in fitting(row, pinned)}
    baseline_runs = {row.id: row for row in search.rows_of(database, wanted)} if wanted else {}
    tag, model = filters.get("tag") or "", filters.get("model") or ""
    return trends.trend(rows, pinned, baseline_runs, measure, tag, model)
