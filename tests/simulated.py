"""Requests of a simulation as arrays: it makes hundreds of thousands, and needs no objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from services.ask.measurement import Measurement
from services.ask.measurements import Floats, Indices, Measurements, RowSource, Texts, Times


def simulated(one: Measurement, **fields: Sequence[float]) -> Measurements:
    """Requests like `one`, but for these fields, each of which has a number for each request."""
    assert not one.token_times, "they would not be between the times of the fields"
    return Measurements(Alike(one, {name: np.array(values) for name, values in fields.items()}))


class Alike:
    """Where such requests come from, see `services.ask.measurements.Source`."""

    complete = True

    def __init__(self, one: Measurement, fields: dict[str, Floats]) -> None:
        self._one, self._listed, self._fields = one, RowSource([one]), fields
        (self._count,) = {len(values) for values in fields.values()}

    def __len__(self) -> int:
        return self._count

    def numbers(self, name: str) -> Floats:
        if name == "index":
            return np.arange(self._count, dtype=np.float64)
        if name in self._fields:
            return self._fields[name]
        return np.repeat(self._listed.numbers(name), self._count)

    def texts(self, name: str) -> Texts:
        same = self._listed.texts(name)
        return Texts(np.repeat(same.codes, self._count), same.words)

    def rows(self, indices: Indices) -> Iterator[Measurement]:
        for index in indices.tolist():
            own: dict[str, Any] = {name: float(v[index]) for name, v in self._fields.items()}
            yield replace(self._one, index=index, **own)

    def timed(self) -> tuple[Indices, Sequence[Times]]:
        return np.arange(self._count), [()] * self._count
