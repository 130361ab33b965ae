"""The curves in a study: throughput over devices, with the law that fits it, and over batch
sizes, with the size from which more of them give hardly more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from services.studies.configuration import PARALLEL, Configuration
from services.studies.scaling import THROUGHPUT, Row, Scaling
from services.studies.usl import Fit, fit
from services.studies.work import Work

NEARLY = 0.95  # of the best throughput: from there on a larger batch buys mostly waiting
KINDS = {"tp": "tensor parallel", "pp": "pipeline parallel", "dp": "data parallel"}


@dataclass(frozen=True)
class DeviceCurve:
    """Rows of one work that differ in one kind of parallelism alone, fewest first."""

    kind: str  # of PARALLEL
    rows: tuple[Row, ...]

    @cached_property
    def fit(self) -> Fit | None:
        """The law; None where fewer than two sizes have a throughput. It takes milliseconds, and a
        study may have hundreds of curves."""
        rows = {getattr(row.configuration.engine, self.kind): row for row in self.rows}
        return fit({n: row.numbers[THROUGHPUT] for n, row in rows.items() if row.level(THROUGHPUT)})

    @property
    def each(self) -> int:
        """Devices that one rank of this kind takes: the product of the other two."""
        engine = self.rows[0].configuration.engine
        assert engine is not None
        return engine.ranks // int(getattr(engine, self.kind))

    @property
    def name(self) -> str:
        return KINDS[self.kind]


@dataclass(frozen=True)
class BatchCurve:
    """Rows of one configuration that differ in batch size alone, smallest first. `knee` is the
    first within 95 % of the best; None where only one size was measured."""

    rows: tuple[Row, ...]
    best: Row
    knee: Row | None

    @property
    def saturates(self) -> bool:
        """Whether there is a larger batch than the knee's, which gives hardly more."""
        return self.knee is not None and self.knee is not self.rows[-1]


def device_curves(scaling: Scaling) -> tuple[DeviceCurve, ...]:
    """Return a curve for each work, kind of parallelism and rest of a configuration where at least
    two sizes of it were asked for."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in scaling.rows:
        for kind in PARALLEL:
            if key := _rest(row.configuration, kind):
                groups.setdefault((row.work, kind, *key), []).append(row)
    found = [_device_curve(str(key[1]), rows) for key, rows in groups.items()]
    return tuple(curve for curve in found if len(curve.rows) > 1)


def _rest(one: Configuration, kind: str) -> tuple[object, ...]:
    """All of a configuration but one kind of parallelism; empty where it is not known."""
    if one.engine is None:
        return ()
    return (one.variant, *(getattr(one.engine, name) for name in PARALLEL if name != kind))


def _device_curve(kind: str, rows: Sequence[Row]) -> DeviceCurve:
    by_size = {getattr(row.configuration.engine, kind): row for row in rows}
    ordered = tuple(by_size[size] for size in sorted(by_size))
    return DeviceCurve(kind, ordered)


def batch_curves(scaling: Scaling) -> tuple[BatchCurve, ...]:
    """Return a curve for each configuration and series of works with a throughput; those of one
    size, too."""
    groups: dict[tuple[Configuration, Work], list[Row]] = {}
    for row in scaling.rows:
        if row.work.size is not None and row.level(THROUGHPUT):
            groups.setdefault((row.configuration, series_of(row.work)), []).append(row)
    return tuple(map(_batch_curve, groups.values()))


def series_of(work: Work) -> Work:
    """Return what works have in common which differ only in how much is asked at once."""
    return replace(work, size=None, requests=0)


def rate_of(row: Row) -> float:
    """Return a row's output throughput in tokens/s; 0 where it is not known, for sorting."""
    found = row.level(THROUGHPUT)
    return found.value if found else 0.0


def _batch_curve(rows: Sequence[Row]) -> BatchCurve:
    ordered = tuple(sorted(rows, key=lambda row: (row.work.size or 0, row.work.requests)))
    best = max(ordered, key=rate_of)
    knee = next(row for row in ordered if rate_of(row) >= NEARLY * rate_of(best))
    return BatchCurve(ordered, best, knee if len({r.work.size for r in ordered}) > 1 else None)
