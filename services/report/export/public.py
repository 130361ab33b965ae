"""A run as it may be published: without the paths of the machines involved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from services.analysis.compare import Candidate
from services.ask.config import RunConfig
from services.ask.measurement import Measurement
from services.ask.measurements import Floats, Indices, Measurements, Texts, Times
from services.base.redact import without_paths


def public(candidate: Candidate) -> Candidate:
    """Remove paths from the run's errors, environment, model and source. What users wrote (name,
    tags, note, prompts) is unchanged."""
    run = candidate.run
    cleaned = replace(
        run,
        config=public_config(run.config),
        error=_public(run.error),
        environment=_public(run.environment),
        source=_public(run.source),
        calibration=_public(run.calibration),
        repeats=tuple(replace(each, health=_public(each.health)) for each in run.repeats),
    )
    return replace(candidate, run=cleaned, measurements=Measurements(_Public(candidate.table)))


def public_config(config: RunConfig) -> RunConfig:
    """Remove paths from a config: those of the model and of the certificates."""
    ca_file = config.ca_file and without_paths(config.ca_file)
    return config.model_copy(update={"model": without_paths(config.model), "ca_file": ca_file})


class _Public:
    """Requests whose errors contain no paths, computed only when they are read."""

    def __init__(self, table: Measurements) -> None:
        self._table = table

    def __len__(self) -> int:
        return len(self._table)

    def numbers(self, name: str) -> Floats:
        return self._table.numbers(name)

    def texts(self, name: str) -> Texts:
        texts = self._table.texts(name)
        return replace(texts, words=tuple(map(_public, texts.words))) if name == "error" else texts

    def rows(self, indices: Indices) -> Iterator[Measurement]:
        return map(_request, self._table.at(indices))

    def timed(self) -> tuple[Indices, Sequence[Times]]:
        return self._table.timed_indices()

    @property
    def complete(self) -> bool:
        return self._table.complete


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
