"""A run at this moment, as its live page shows it: worked out once a second for all who watch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from db import counts, runs
from db.database import opened
from services.analysis.diagnostics import client, server
from services.analysis.diagnostics.diagnostic import Diagnostic
from services.ask.measurement import Run
from services.ask.progress import ProgressSummary, summarize
from services.report.charts import live_engine, live_spec, spec

SHOWN = 300  # moments in a chart
FRESH_S = 0.9  # of the second after which every viewer asks again


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of a run. A chart is None where there is nothing to draw."""

    standing: ProgressSummary
    begun: bool
    diagnostics: Sequence[Diagnostic]
    chart: dict[str, Any] | None
    engine_chart: dict[str, Any] | None


def snapshot(run: Run, dark: bool) -> Snapshot:
    """Return it, at most FRESH_S old unless the run's status or phase has changed."""
    shot: Snapshot = _snapshot(str(opened().url), run.id, run.status, run.phase, dark, run)
    return shot


@st.cache_resource(ttl=FRESH_S, max_entries=64, show_spinner=False)
def _snapshot(
    database: str, run_id: int, status: str, phase: str | None, dark: bool, _run: Run
) -> Snapshot:
    progress = runs.progress(opened(), run_id, limit=SHOWN)
    samples = runs.samples(opened(), run_id, limit=SHOWN)
    now = summarize(_run.config, progress, counts.counted(opened(), run_id))
    diagnostics = (
        [*client.so_far(_run.config, progress[-1]), *server.so_far(_run, samples)]
        if progress
        else []
    )
    moves = any(sample.tokens or sample.in_flight for sample in progress)
    drawn = live_engine(samples, progress[-1].t if progress else 0.0, dark)
    return Snapshot(
        now,
        bool(progress),
        diagnostics,
        live_spec(progress, dark) if moves else None,
        spec(drawn, dark) if drawn is not None else None,
    )
