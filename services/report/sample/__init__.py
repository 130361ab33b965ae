"""The sample comparison that a first visitor sees: two real runs of the embedded model.

`runs.jsonl` has both as they were measured, interleaved, on one quiet machine, and is read like any
exported run. To measure them again, run this with a separate database, export both as run.json,
and write each as one line without `summary`, `diagnostics`, `samples` and `content_sha256`:

    python cli.py compare --backend embedded --mode batch --requests 8 --max-tokens 32
        --ignore-eos --repeats 5 --concurrency 1 --with concurrency=4
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from services.analysis.compare import Candidate
from services.analysis.compare.labels import labelled
from services.analysis.objectives import objectives_of
from services.analysis.summary import summarize
from services.ask.measurement import Run
from services.ask.prices import price_of
from services.report import imports
from services.report.imports import Imported

FILE = Path(__file__).with_name("runs.jsonl")


@dataclass(frozen=True, slots=True)
class Sample:
    """The runs of the sample, the baseline first. `took_s`: seconds from the beginning of the first
    repeat to the end of the last."""

    candidates: tuple[Candidate, ...]
    took_s: float


@cache
def sample() -> Sample:
    """Return the sample; it is read only once."""
    runs = imports.read(FILE.read_bytes(), FILE.name)
    candidates = tuple(labelled([_candidate(run, index) for index, run in enumerate(runs, 1)]))
    return Sample(candidates, _took_s(runs))


def _candidate(run: Imported, run_id: int) -> Candidate:
    """Return a run as if it were stored here. It was measured by Paceline, in interleaved repeats,
    so nothing is marked as imported."""
    as_run = Run(
        run_id,
        run.name,
        run.status,
        run.config,
        created_at=_began(run),
        started_at=run.started_at,
        environment=run.environment,
        repeats=run.repeats,
        calibration=run.calibration,
        comparison_id=0,
    )
    judged_by = price_of(run.config), objectives_of(run.config)
    summary = summarize(run.measurements, *judged_by, as_run.placed, run.config)
    return Candidate(as_run, run.measurements, summary)


def _began(run: Imported) -> datetime:
    assert run.started_at is not None, "the sample's file says when it was measured"
    return run.started_at


def _took_s(runs: Iterable[Imported]) -> float:
    """Return the seconds from the beginning of the first repeat to the end of the last, over all
    runs."""
    spans = [(r.began_at.timestamp(), r.duration_s or 0.0) for run in runs for r in run.repeats]
    return max(began + lasted for began, lasted in spans) - min(began for began, _ in spans)
