"""How stored runs compare with their baselines, and the trend of a metric over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from sqlalchemy import Engine

from db import baselines, search
from db.search import Filters, RunRow
from services.analysis.compare import trend as trends
from services.analysis.compare.baseline import Baseline, matching_baselines
from services.analysis.compare.baseline_verdict import BaselineVerdict, baseline_verdicts


def of_runs(
    database: Engine, rows: Sequence[RunRow], tag: str = "", model: str = ""
) -> dict[int, BaselineVerdict]:
    """Return how each of these runs compares with its baseline, by id; arguments as in
    `baseline_verdict`."""
    stored = baselines.list_all(database)
    return baseline_verdicts(rows, stored, _baseline_runs(database, rows, stored), tag, model)


def trend(
    database: Engine, metric: str, text: str = "", **filters: Unpack[Filters]
) -> trends.Trend:
    """Return the trend of a metric over the newest matching runs, at most MAX_TREND_RUNS."""
    rows, stored = search.trend(database, text, **filters), baselines.list_all(database)
    runs = _baseline_runs(database, rows, stored)
    tag, model = filters.get("tag") or "", filters.get("model") or ""
    return trends.trend(rows, stored, runs, metric, tag, model)


def _baseline_runs(
    database: Engine, rows: Sequence[RunRow], stored: Sequence[Baseline]
) -> dict[int, RunRow]:
    """Return the baselines of these runs, by id."""
    ids = {baseline.run_id for row in rows for baseline in matching_baselines(row, stored)}
    return {row.id: row for row in search.rows_of(database, ids)} if ids else {}
