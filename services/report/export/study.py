"""A study as CSV and as JSON: a row for every configuration and workload."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import orjson

from services.analysis.compare.candidate import Candidate
from services.report.export.public_study import public_study, study_hash
from services.report.export.tables import to_csv
from services.servers.engines import EngineConfig
from services.studies.best import BestConfiguration
from services.studies.cell import MeasuredCell
from services.studies.curves import BatchCurve, DeviceCurve
from services.studies.report import Device, report
from services.studies.scaling import COST, MEASURES, TIMES, Interval, Row

SCHEMA = "paceline/study/3"
CONFIG_FIELDS = (
    "mode",
    "requests",
    "concurrency",
    "workload",
    "max_tokens",
)
EXCLUDED = {"start_timeout_s"}  # engine fields that do not affect results
ENDS = ("", "_low", "_high")


def study_csv(
    name: str,
    measured: Iterable[MeasuredCell],
    usd_per_gpu_hour: float | None = None,
    device: Device = "device",
) -> bytes:
    """Return a row for each configuration and workload: its config, every number with its interval,
    and its problem."""
    result = report(public_study(measured), usd_per_gpu_hour, device)
    rows = [_flat(_cell(row)) for row in result.scaling.rows]
    columns = ["study", *dict.fromkeys(column for row in rows for column in row)]
    return to_csv(columns, ([name, *(row.get(c) for c in columns[1:])] for row in rows))


def study_document(
    name: str,
    measured: Iterable[MeasuredCell],
    usd_per_gpu_hour: float | None = None,
    device: Device = "device",
) -> dict[str, Any]:
    """Return a study as plain data; `study_shape` describes the fields."""
    cells = public_study(measured)
    result = report(cells, usd_per_gpu_hour, device)
    return {
        "schema": SCHEMA,
        "content_sha256": study_hash(cells),
        "name": name,
        "device": result.device,
        "usd_per_gpu_hour": usd_per_gpu_hour,
        "sentence": result.sentence,
        "sentences": list(result.sentences),
        "notes": list(result.notes),
        "cells": [_cell(row) for row in result.scaling.rows],
        "laws": [_law(curve) for curve in result.devices if curve.fit],
        "batches": [_batch(curve) for curve in result.batches],
        "best": [_best(best) for best in result.best],
    }


def study_json(
    name: str,
    measured: Iterable[MeasuredCell],
    usd_per_gpu_hour: float | None = None,
    device: Device = "device",
) -> bytes:
    """Return a study as JSON."""
    document = study_document(name, measured, usd_per_gpu_hour, device)
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _cell(row: Row) -> dict[str, Any]:
    config = row.cells[0].cell.config
    engine, attainment = row.configuration.engine, row.attainment
    return {
        "positions": [cell.cell.index for cell in row.cells],
        "runs": [candidate.run.id for candidate in row.candidates],
        "status": _status(row.candidates),
        "configuration": row.label,
        "load": row.work_label,
        "engine": None if engine is None else engine.model_dump(mode="json", exclude=EXCLUDED),
        "devices": row.configuration.ranks,
        **{field: getattr(config, field) for field in CONFIG_FIELDS},
        "batch_size": row.work.size,
        "input_tokens": row.work.length,
        **{measure: _ends(row.level(measure)) for measure in (*MEASURES, *TIMES, COST)},
        "speedup": _ends(row.speedup),
        "speedup_p": row.speedup.p if row.speedup else None,
        "word": "baseline" if row.is_baseline else row.word,
        "efficiency": _ends(row.efficiency),
        "output_tokens_per_s_per_device": _ends(row.per_device),
        "memory_bytes_max": row.memory.most if row.memory else None,
        "memory_bytes_min": row.memory.least if row.memory else None,
        "failed_requests": row.failed if row.candidates else None,
        "slo_attainment": attainment[0] / attainment[1] if attainment else None,
        "problem": row.problem or row.why_not or None,
    }


def _status(candidates: Sequence[Candidate]) -> str | None:
    return "; ".join(dict.fromkeys(candidate.run.status for candidate in candidates)) or None


def _ends(interval: Interval | None) -> dict[str, float | None] | None:
    if interval is None:
        return None
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def _flat(cell: dict[str, Any]) -> dict[str, Any]:
    """Return one row of CSV: `ttft_s_median`, `ttft_s_median_low`, `ttft_s_median_high`,
    `engine_tp` …"""
    flat: dict[str, Any] = {}
    for name, value in cell.items():
        if name in INTERVALS:
            numbers = (value or {}).get
            flat |= {f"{name}{end}": numbers(end.lstrip("_") or "value") for end in ENDS}
        elif name == "engine":
            fields = value or dict.fromkeys(
                f for f in EngineConfig.model_fields if f not in EXCLUDED
            )
            flat |= {f"engine_{field}": each for field, each in fields.items()}
        else:
            flat[name] = " ".join(map(str, value)) if isinstance(value, list) else value
    return flat


def _law(curve: DeviceCurve) -> dict[str, Any]:
    fit = curve.fit
    assert fit is not None
    return {
        "kind": curve.kind,
        "configurations": [row.label for row in curve.rows],
        "load": curve.rows[0].work_label,
        **asdict(fit),
        "peak": fit.peak if fit.shows_peak else None,
    }


def _batch(curve: BatchCurve) -> dict[str, Any]:
    return {
        "configuration": curve.best.label,
        "batch_sizes": [row.work.size for row in curve.rows],
        "load": curve.best.work_label,
        "best": curve.best.work.size,
        "knee": curve.knee.work.size if curve.knee else None,
        "saturates": curve.saturates,
    }


def _best(best: BestConfiguration) -> dict[str, Any]:
    return {
        "criterion": best.criterion.name,
        "configuration": best.row.label,
        "load": best.row.work_label,
        "value": _ends(best.row.level(best.criterion.measure)),
        "unit": best.criterion.unit,
        "runner_up": best.runner_up.label if best.runner_up else None,
        "runner_up_load": best.runner_up.work_label if best.runner_up else None,
        "ratio": _ends(best.ratio),
        "word": best.word,
    }


INTERVALS = (*MEASURES, *TIMES, COST, "speedup", "efficiency", "output_tokens_per_s_per_device")
