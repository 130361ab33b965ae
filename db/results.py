"""A run with its measurements and its numbers, for pages, exports and comparisons."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine

from db import request_columns, runs
from db.columns import unpack_all
from db.garbage import gc_disabled
from db.request_columns import StoredRequests
from services.analysis.compare import Candidate
from services.analysis.compare.labels import labelled
from services.analysis.objectives import objectives_of, with_judgement
from services.analysis.summary import Summary, serialize, summarize
from services.ask.measurement import ACTIVE, Run
from services.ask.measurements import Measurements, as_table
from services.ask.prices import price_of
from services.base.code_version import code_version

MAX_KNOWN = 200  # summaries of a few kB each
_known: dict[Hashable, Summary] = {}  # per process


def candidate(
    database: Engine, run_id: int, texts: bool = False, judgement: Mapping[str, Any] | None = None
) -> Candidate:
    """Load one whole run; `texts`: with the answers. `judgement` holds objectives and a price that
    replace the run's own (see `JUDGEMENT`).

    Raises:
        RunNotFound: there is no such run.
    """
    run = runs.load(database, run_id)
    measured = requests_of(database, run, texts)
    samples = runs.samples(database, run_id)
    return Candidate(run, measured, _summary(database, run, measured, judgement or {}), samples)


def requests_of(database: Engine, run: Run, texts: bool = False) -> Measurements:
    """Return a run's requests by repeat and index; `texts`: with their answers."""
    count = request_columns.count_of(database, run.id)
    if not _by_fields(database, run, count):
        return as_table(runs.measurements(database, run.id, texts))
    under_way = run.status in ACTIVE
    return Measurements(StoredRequests(database, run.id, count, texts, under_way))


def _by_fields(database: Engine, run: Run, count: int) -> bool:
    """Whether a run is read from its arrays: a large one always, others if they have them."""
    if count > request_columns.LARGE:
        return True
    if count <= request_columns.SMALL or run.token_times_removed_at:
        return False
    return request_columns.is_stored(database, run.id) == count


def _summary(
    database: Engine, run: Run, measured: Measurements, judgement: Mapping[str, Any]
) -> Summary:
    """Summarize a run. The summary of a run that has ended is cached until more repeats are
    measured or the judgement changes."""
    config = with_judgement(run.config, judgement)
    by = (price_of(config), objectives_of(config))
    key = (database, run.id, run.status, run.ended_at, len(run.repeats), len(measured), *by)
    if run.status not in ACTIVE and key in _known:
        return _known[key]
    if isinstance(measured.source, StoredRequests):
        summary = _large_summary(measured, measured.source, by, run)
    else:
        unpack_all(m.token_times for m in measured)
        summary = summarize(measured, *by, run.placed, run.config)
    if run.status not in ACTIVE:
        if len(_known) >= MAX_KNOWN:
            _known.clear()
        _known[key] = summary
    return summary


def _large_summary(
    measured: Measurements, source: StoredRequests, by: tuple[Any, Any], run: Run
) -> Summary:
    """Summarize a large run, unless its summary is stored: computing it takes seconds in every
    process."""
    key = f"{code_version('analysis')} {len(measured)} {run.placed} {by}"
    if (data := source.kept_summary(key)) is not None:
        return serialize.from_dict(data)
    summary = summarize(measured, *by, run.placed, run.config)
    source.keep_summary(key, serialize.to_dict(summary))
    return summary


def candidates(
    database: Engine,
    run_ids: Sequence[int],
    judgement: Mapping[str, Any] | None = None,
    margin: float | None = None,
    texts: bool = False,
) -> list[Candidate]:
    """Load several runs, in the given order, with the same judgement. `margin`: the share within
    which differences do not matter; it replaces the one chosen before they were measured.

    Raises:
        RunNotFound: for the first that is missing.
    """
    with gc_disabled():
        loaded = labelled([candidate(database, run_id, texts, judgement) for run_id in run_ids])
    if margin is None:
        return loaded
    return [replace(each, run=replace(each.run, margin=margin)) for each in loaded]
