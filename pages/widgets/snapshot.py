"""The current state of a run, as its live page shows it: computed once per second for everyone who
watches.

The chart data is also prepared here, so that it only has to be sent to each viewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from db import counts, runs
from db.database import opened
from jobs import pace
from jobs.study_progress import study_time_left
from services.analysis.diagnostics import backlog, client, server
from services.analysis.diagnostics.diagnostic import Diagnostic
from services.ask import time_left
from services.ask.measurement import ACTIVE, Progress, Run
from services.ask.plan import plan
from services.ask.progress import ProgressSummary, summarize
from services.ask.time_left import RunTiming, TimeLeft
from services.report.charts import live_engine, live_spec, packed
from services.studies.study import Study

SHOWN = 300  # points in time in a chart
FRESH_S = 0.9  # less than the second after which every viewer refreshes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The current state of a run. A chart is None if there is nothing to draw."""

    standing: ProgressSummary
    left: TimeLeft | None
    begun: bool
    diagnostics: Sequence[Diagnostic]
    first_error: str | None  # of the first request that failed
    chart: dict[str, Any] | None
    engine_chart: dict[str, Any] | None


def latest(*run_ids: int, fresh: bool = False) -> list[Run]:
    """Return runs, at most FRESH_S old. `fresh`: read them now, for all viewers: a whole page needs
    this, since its parts that are refreshed every second must not be older.

    Raises:
        RunNotFound: one of the runs is missing.
    """
    key = (str(opened().url), run_ids)
    if fresh:
        _latest.clear(*key)
    found: list[Run] = _latest(*key)
    return found


@st.cache_resource(ttl=FRESH_S, max_entries=64, show_spinner=False)
def _latest(database: str, run_ids: tuple[int, ...]) -> list[Run]:
    return runs.load_many(opened(), run_ids)


def progress_of(run: Run) -> ProgressSummary:
    """Return a run's progress, at most as old as a snapshot."""
    found: ProgressSummary = _progress(str(opened().url), run.id, run.status, run.phase, run)
    return found


@st.cache_resource(ttl=FRESH_S, max_entries=64, show_spinner=False)
def _progress(
    database: str, run_id: int, status: str, phase: str | None, _run: Run
) -> ProgressSummary:
    progress = runs.progress(opened(), run_id, limit=SHOWN)
    return summarize(_run.config, progress, counts.request_counts(opened(), run_id))


def snapshot(run: Run, dark: bool) -> Snapshot:
    """Return a run's snapshot, at most FRESH_S old unless its status or phase has changed."""
    shot: Snapshot = _snapshot(str(opened().url), run.id, run.status, run.phase, dark, run)
    return shot


@st.cache_resource(ttl=FRESH_S, max_entries=64, show_spinner=False)
def _snapshot(
    database: str, run_id: int, status: str, phase: str | None, dark: bool, _run: Run
) -> Snapshot:
    progress = runs.progress(opened(), run_id, limit=SHOWN)
    samples = runs.samples(opened(), run_id, limit=SHOWN)
    now = summarize(_run.config, progress, counts.request_counts(opened(), run_id))
    diagnostics = (
        [
            *backlog.so_far(_run.config, progress),
            *client.so_far(_run.config, progress[-1]),
            *server.so_far(_run, samples),
        ]
        if progress
        else []
    )
    moves = any(sample.tokens or sample.in_flight for sample in progress)
    server_chart = live_engine(samples, progress[-1].t if progress else 0.0, dark)
    return Snapshot(
        now,
        time_left.of_run(timing_of(_run, progress)) if _run.status == "running" else None,
        bool(progress),
        diagnostics,
        counts.first_error(opened(), run_id) if now.failed else None,
        packed(live_spec(progress, dark)) if moves else None,
        packed(server_chart) if server_chart is not None else None,
    )


def timing_of(run: Run, progress: Sequence[Progress] = ()) -> RunTiming:
    """Return a run's timing so far, for the time left. The plan's duration is only computed if no
    repeat is finished."""
    known = any(repeat.duration_s is not None for repeat in run.repeats)
    expected = None if known else plan(run.config, None, pace(opened(), run.config))
    between = expected.seconds_between if expected is not None else None
    return RunTiming(run.config, run.repeats, progress, between)


@st.cache_resource(ttl=FRESH_S, max_entries=64, show_spinner=False)
def remaining_comparison_time(
    database: str, comparison_id: int, more: bool, _runs: Sequence[Run]
) -> Any:
    """Return the remaining time of all runs of a comparison; None if unknown."""
    to_come = [run for run in _runs if run.status in ACTIVE]
    progress = {
        run.id: runs.progress(opened(), run.id, limit=SHOWN)
        for run in to_come
        if run.status == "running"
    }
    each = [timing_of(run, progress.get(run.id, ())) for run in to_come]
    return time_left.of_comparison(each, more)


@st.cache_resource(ttl=FRESH_S, max_entries=64, show_spinner=False)
def remaining_study_time(database: str, study_id: int, _study: Study) -> Any:
    """Return the remaining time of a study; None if unknown."""
    return study_time_left(opened(), _study)
