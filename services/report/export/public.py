"""A run as it may be published: without the paths of the machines involved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from services.analysis.compare import Candidate
from services.ask.measurement import Measurement
from services.base.redact import without_paths


def public(candidate: Candidate) -> Candidate:
    """Remove paths from the run's errors, environment, model and source. What people wrote (name,
    tags, note, prompts) stays as it is."""
    run = candidate.run
    model = without_paths(run.config.model)
    ca_file = run.config.ca_file and without_paths(run.config.ca_file)
    cleaned = replace(
        run,
        config=run.config.model_copy(update={"model": model, "ca_file": ca_file}),
        error=_public(run.error),
        environment=_public(run.environment),
        source=_public(run.source),
        calibration=_public(run.calibration),
        repeats=tuple(replace(each, health=_public(each.health)) for each in run.repeats),
    )
    return replace(
        candidate, run=cleaned, measurements=[_request(m) for m in candidate.measurements]
    )


def _request(measured: Measurement) -> Measurement:
    if measured.error is None:
        return measured
    return replace(measured, error=without_paths(measured.error))


def _public(value: Any) -> Any:
    if isinstance(value, str):
        return without_paths(value)
    if isinstance(value, Mapping):
        return {key: _public(each) for key, each in value.items()}
    return [_public(each) for each in value] if isinstance(value, list | tuple) else value
