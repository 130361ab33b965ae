"""The curves of a study: throughput over devices, with its scalability law, and over batch sizes,
with the size at which throughput saturates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from services.studies.configuration import PARALLEL, Configuration
from services.studies.scaling import THROUGHPUT, Row, Scaling
from services.studies.usl import Fit, fit
from services.studies.work import Work

NEARLY = 0.95  # of the best throughput; beyond that, a larger batch adds mostly waiting
KINDS = {"tp": "tensor parallel", "pp": "pipeline parallel", "dp": "data parallel"}


@dataclass(frozen=True)
class DeviceCurve:
    """Rows of one work that differ only in one kind of parallelism, fewest ranks first."""

    kind: str  # of PARALLEL
    rows: tuple[Row, ...]

    @cached_property
    def fit(self) -> Fit | None:
        """The fitted law; None if fewer than two sizes have a throughput. Cached, because a fit
        takes milliseconds and a study may have hundreds of curves."""
        rows = {getattr(row.configuration.engine, self.kind): row for row in self.rows}
        return fit({n: row.numbers[THROUGHPUT] for n, row in rows.items() if row.level(THROUGHPUT)})

    @property
    def each(self) -> int:
        """Devices per rank of this kind: the product of the other two sizes."""
        engine = self.rows[0].configuration.engine
        assert engine is not None
        return engine.ranks // int(getattr(engine, self.kind))

    @property
    def name(self) -> str:
        return KINDS[self.kind]


@dataclass(frozen=True)
class BatchCurve:
    """Rows of one configuration that differ only in batch size, smallest first. `knee` is the first
    row with at least 95 % of the best throughput; None if only one size was measured."""

    rows: tuple[Row, ...]
    best: Row
    knee: Row | None

    @property
    def saturates(self) -> bool:
        """Whether a batch larger than the knee's was measured."""
        return self.knee is not None and self.knee is not self.rows[-1]


def device_curves(scaling: Scaling) -> tuple[DeviceCurve, ...]:
    """Return a curve for each work, kind of parallelism and rest of the configuration that has at
    least two sizes."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in scaling.rows:
        for kind in PARALLEL:
            if key := _without_kind(row.configuration, kind):
                groups.setdefault((row.work, kind, *key), []).append(row)
    curves = [_device_curve(str(key[1]), rows) for key, rows in groups.items()]
    return tuple(curve for curve in curves if len(curve.rows) > 1)


def _without_kind(configuration: Configuration, kind: str) -> tuple[object, ...]:
    """A configuration without one kind of parallelism; empty for an existing server."""
    if configuration.engine is None:
        return ()
    return (
        configuration.variant,
        *(getattr(configuration.engine, name) for name in PARALLEL if name != kind),
    )


def _device_curve(kind: str, rows: Sequence[Row]) -> DeviceCurve:
    by_size = {getattr(row.configuration.engine, kind): row for row in rows}
    ordered = tuple(by_size[size] for size in sorted(by_size))
    return DeviceCurve(kind, ordered)


def batch_curves(scaling: Scaling) -> tuple[BatchCurve, ...]:
    """Return a curve for each configuration and series of works with a throughput, even if only one
    size was measured."""
    groups: dict[tuple[Configuration, Work], list[Row]] = {}
    for row in scaling.rows:
        if row.work.size is not None and row.level(THROUGHPUT):
            groups.setdefault((row.configuration, series_of(row.work)), []).append(row)
    return tuple(map(_batch_curve, groups.values()))


def series_of(work: Work) -> Work:
    """Return a work without its size: the same for works that differ only in load."""
    return replace(work, size=None, requests=0)


def rate_of(row: Row) -> float:
    """Return a row's output throughput in tokens/s; 0 if unknown, for sorting."""
    level = row.level(THROUGHPUT)
    return level.value if level else 0.0


def _batch_curve(rows: Sequence[Row]) -> BatchCurve:
    ordered = tuple(sorted(rows, key=lambda row: (row.work.size or 0, row.work.requests)))
    best = max(ordered, key=rate_of)
    knee = next(row for row in ordered if rate_of(row) >= NEARLY * rate_of(best))
    return BatchCurve(ordered, best, knee if len({r.work.size for r in ordered}) > 1 else None)
