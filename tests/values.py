"""Measurements and runs with times that are easy to add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from services.analysis.compare import Candidate
from services.analysis.objectives import Objectives
from services.analysis.summary import summarize
from services.ask.config import RunConfig
from services.ask.config.traces import TraceRow
from services.ask.measurement import Measurement, Repeat, Run, RunStatus, Sample
from services.ask.prices import Hourly, Price
from services.report.imports import Imported
from services.servers.engines import EngineConfig
from services.studies import Cell, MeasuredCell

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STEADY = (1.00, 1.02, 0.98)  # how the repeats of a run vary


TRACE = tuple(TraceRow(at / 10, 10, 5) for at in range(50))


def measured(
    index: int = 0,
    *,
    repeat: int = 0,
    send: float = 0.0,
    ttft: float = 1.0,
    e2e: float = 3.0,
    tokens: int = 5,
    **changes: Any,
) -> Measurement:
    """A success: sent when due, `tokens` chunks of one token each at even distances."""
    first, last = send + ttft, send + e2e
    step = (last - first) / max(tokens - 1, 1)
    m = Measurement(
        repeat,
        index,
        "ok",
        t_due=send,
        t_send=send,
        t_first=first,
        t_answer=first,
        t_last=last,
        t_end=last,
        token_times=(*(first + n * step for n in range(tokens - 1)), last),
        prompt_tokens=10,
        output_tokens=tokens,
        cached_tokens=0,
        token_source="usage",
        finish_reason="stop",
    )
    return replace(m, **changes)


def repeats(
    slower: float = 1.0, vary: Sequence[float] = STEADY, **changes: Any
) -> list[Measurement]:
    """Four requests a repeat, each repeat longer or shorter by its factor."""
    return [
        measured(i, repeat=r, ttft=1.0 * slower * f, e2e=3.0 * slower * f, **changes)
        for r, f in enumerate(vary)
        for i in range(4)
    ]


def failed(index: int = 0, error_class: str | None = "timeout", **changes: Any) -> Measurement:
    """Sent, and nothing came."""
    m = Measurement(0, index, "failed", 0.0, t_send=0.0, t_end=1.0, error_class=error_class)
    return replace(m, **changes)


def run(
    run_id: int = 1,
    *,
    name: str = "A",
    status: RunStatus = "done",
    repeats: int = 1,
    health: dict[str, Any] | None = None,
    environment: dict[str, Any] | None = None,
    calibration: dict[str, Any] | None = None,
    comparison_id: int | None = None,
    **config: Any,
) -> Run:
    """A finished run of one batch, unless `config` says otherwise."""
    return Run(
        run_id,
        name,
        status,
        RunConfig(**{"mode": "batch", "model": "tiny", **config}),
        NOON,
        environment=environment or {},
        repeats=tuple(Repeat(index, NOON, 1.0, health or {}) for index in range(repeats)),
        calibration=calibration,
        comparison_id=comparison_id,
    )


def candidate(
    measurements: Sequence[Measurement],
    price: Price | Hourly | None = None,
    objectives: Objectives | None = None,
    samples: Sequence[Sample] = (),
    **of_run: Any,
) -> Candidate:
    count = len({m.repeat for m in measurements})
    stored = run(**{"repeats": count, **of_run})
    summary = summarize(measurements, price, objectives, config=stored.config)
    return Candidate(stored, measurements, summary, samples)


def sampled(**series: Sequence[float]) -> list[Sample]:
    """What was seen of a server, evenly within the second that `run` lets every repeat last, where
    its health says when that began."""
    count = max(map(len, series.values()))
    return [
        Sample(i / count, {name: values[i] for name, values in series.items() if i < len(values)})
        for i in range(count)
    ]


def imported_candidate(run: Imported, run_id: int = 1) -> Candidate:
    """What was read of another tool's file, as a stored run would be."""
    stored = Run(
        run_id,
        run.name,
        run.status,
        run.config,
        NOON,
        run.started_at,
        repeats=run.repeats,
        source=run.source,
    )
    summary = summarize(run.measurements, placed=stored.placed)
    return Candidate(stored, run.measurements, summary, run.samples)


def cell(
    speed: float | None,
    *,
    index: int = 0,
    engine: EngineConfig | None = None,
    vary: Sequence[float] = STEADY,
    size: int = 4,
    problem: str | None = None,
    price: Price | Hourly | None = None,
    objectives: Objectives | None = None,
    status: RunStatus = "done",
    tp: int = 1,
    pp: int = 1,
    dp: int = 1,
    **config: Any,
) -> MeasuredCell:
    """A cell of a study: a batch of `size` that is `speed` times as fast as 20/3 tokens/s; None:
    it was not measured."""
    engine = engine or EngineConfig(tp=tp, pp=pp, dp=dp)
    run_config = RunConfig(**{"mode": "batch", "requests": size, **config})
    result = speed and candidate(
        repeats(1 / speed, vary),
        price,
        objectives,
        run_id=index + 1,
        name=f"cell {index}",
        status=status,
        **{"requests": size, **config},
    )
    return MeasuredCell(Cell(index, engine, run_config), result or None, problem)


def with_samples(measured_cell: MeasuredCell, samples: Sequence[Sample]) -> MeasuredCell:
    """The same cell, with what was sampled of its server."""
    assert measured_cell.candidate is not None
    return replace(measured_cell, candidate=replace(measured_cell.candidate, samples=samples))
