"""A study as CSV and as JSON: a line for every configuration at every work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import orjson

from services.analysis.compare.rows import Candidate
from services.report.export.public_study import public_study, study_hash
from services.report.export.tables import to_csv
from services.servers.engines import EngineConfig
from services.studies.best import Best
from services.studies.cell import Measured
from services.studies.curves import BatchCurve, DeviceCurve
from services.studies.report import Device, report
from services.studies.scaling import COST, MEASURES, Interval, Row

SCHEMA = "paceline/study/1"
ASKED = ("mode", "requests", "concurrency", "workload", "max_tokens")  # of every run
ASIDE = {"start_timeout_s"}  # of the engine: no part of what it is
ENDS = ("", "_low", "_high")


def study_csv(
    name: str,
    measured: Iterable[Measured],
    usd_per_gpu_hour: float | None = None,
    device: Device = "device",
) -> bytes:
    """Write a line for each configuration at each work: what was asked, every number with its
    interval, and what went wrong."""
    told = report(public_study(measured), usd_per_gpu_hour, device)
    rows = [_flat(_cell(row)) for row in told.scaling.rows]
    columns = ["study", *dict.fromkeys(column for row in rows for column in row)]
    return to_csv(columns, ([name, *(row.get(c) for c in columns[1:])] for row in rows))


def study_document(
    name: str,
    measured: Iterable[Measured],
    usd_per_gpu_hour: float | None = None,
    device: Device = "device",
) -> dict[str, Any]:
    """Return a study as plain data; what each field means is in `study_shape`."""
    cells = public_study(measured)
    told = report(cells, usd_per_gpu_hour, device)
    return {
        "schema": SCHEMA,
        "content_sha256": study_hash(cells),
        "name": name,
        "device": told.device,
        "usd_per_gpu_hour": usd_per_gpu_hour,
        "sentence": told.sentence,
        "sentences": list(told.sentences),
        "notes": list(told.notes),
        "cells": [_cell(row) for row in told.scaling.rows],
        "laws": [_law(curve) for curve in told.devices if curve.fit],
        "batches": [_batch(curve) for curve in told.batches],
        "best": [_best(one) for one in told.best],
    }


def study_json(
    name: str,
    measured: Iterable[Measured],
    usd_per_gpu_hour: float | None = None,
    device: Device = "device",
) -> bytes:
    """Write a study as JSON."""
    document = study_document(name, measured, usd_per_gpu_hour, device)
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _cell(row: Row) -> dict[str, Any]:
    config = row.cells[0].cell.config
    engine, met = row.configuration.engine, row.attainment
    return {
        "places": [cell.cell.index for cell in row.cells],
        "runs": [candidate.run.id for candidate in row.candidates],
        "status": _status(row.candidates),
        "configuration": row.label,
        "work": row.work_label,
        "engine": None if engine is None else engine.model_dump(mode="json", exclude=ASIDE),
        "devices": row.configuration.ranks,
        **{field: getattr(config, field) for field in ASKED},
        "batch_size": row.work.size,
        "input_tokens": row.work.length,
        **{measure: _ends(row.level(measure)) for measure in (*MEASURES, COST)},
        "speedup": _ends(row.speedup),
        "speedup_p": row.speedup.p if row.speedup else None,
        "word": "baseline" if row.is_baseline else row.word,
        "efficiency": _ends(row.efficiency),
        "output_tokens_per_s_per_device": _ends(row.per_device),
        "memory_bytes_most": row.memory.most if row.memory else None,
        "memory_bytes_least": row.memory.least if row.memory else None,
        "failed_requests": row.failed if row.candidates else None,
        "slo_attainment": met[0] / met[1] if met else None,
        "problem": row.problem or row.why_not or None,
    }


def _status(candidates: Sequence[Candidate]) -> str | None:
    return "; ".join(dict.fromkeys(one.run.status for one in candidates)) or None


def _ends(found: Interval | None) -> dict[str, float | None] | None:
    if found is None:
        return None
    return {"value": found.value, "low": found.low, "high": found.high}


def _flat(cell: dict[str, Any]) -> dict[str, Any]:
    """One line of CSV: `ttft_s_median`, `ttft_s_median_low`, `ttft_s_median_high`, `engine_tp` …"""
    flat: dict[str, Any] = {}
    for name, value in cell.items():
        if name in INTERVALS:
            numbers = (value or {}).get
            flat |= {f"{name}{end}": numbers(end.lstrip("_") or "value") for end in ENDS}
        elif name == "engine":
            fields = value or dict.fromkeys(f for f in EngineConfig.model_fields if f not in ASIDE)
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
        "work": curve.rows[0].work_label,
        **asdict(fit),
        "peak": fit.peak,
    }


def _batch(curve: BatchCurve) -> dict[str, Any]:
    return {
        "configuration": curve.best.label,
        "batch_sizes": [row.work.size for row in curve.rows],
        "work": curve.best.work_label,
        "best": curve.best.work.size,
        "knee": curve.knee.work.size if curve.knee else None,
        "saturates": curve.saturates,
    }


def _best(one: Best) -> dict[str, Any]:
    return {
        "criterion": one.criterion.name,
        "configuration": one.row.label,
        "work": one.row.work_label,
        "value": _ends(one.row.level(one.criterion.measure)),
        "unit": one.criterion.unit,
        "runner_up": one.runner_up.label if one.runner_up else None,
        "runner_up_work": one.runner_up.work_label if one.runner_up else None,
        "times_as_good": _ends(one.ahead),
        "word": one.word,
    }


INTERVALS = (*MEASURES, COST, "speedup", "efficiency", "output_tokens_per_s_per_device")
