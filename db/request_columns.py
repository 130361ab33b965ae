"""The requests of a run as columns: a page that shows a million requests needs a few arrays, not a
million rows.

The rows remain unchanged. The arrays are made from them once, when the run has ended, in parts, so
that no process ever holds all requests. Token times are most of a run's data; for a large run, only
those of an evenly spaced sample of requests are kept here, and the others are not read. Smaller
runs have arrays, too, because their pages then open twice as fast; all of their token times are
read from the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, and_, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from db import runs, schema
from db.columns import pack, unpack, unpack_all
from db.database import upsert, writing
from db.garbage import gc_disabled
from services.ask.measurement import Measurement
from services.ask.measurements import (
    CHUNKS,
    NUMBERS,
    TEXTS,
    Floats,
    Indices,
    RowSource,
    Texts,
    Times,
)

SMALL = 2_000  # requests; a run with at most this many has no arrays
LARGE = 20_000  # requests; a run with more is read from its arrays only
PART = 25_000  # requests
SAMPLED = 10_000  # requests whose token times are kept, at most twice as many
AT_ONCE = 400  # requests that one query selects by index
SAMPLE, SUMMARY, WORDS = "sample", "summary", "words of "  # kept beside the fields

Part = tuple[int, dict[str, bytes]]  # the number of its requests, and the stored arrays by name


def store(database: Engine, run_id: int) -> None:
    """Store the arrays of a run that has ended, unless it is small or has them already."""
    count = count_of(database, run_id)
    if count > SMALL and is_stored(database, run_id) != count:
        _write_columns(database, run_id, count)


def _write_columns(database: Engine, run_id: int, count: int) -> None:
    statement = upsert(schema.request_columns, database.dialect.name)
    for number, (requests, data) in enumerate(_parts(database, run_id, count)):
        rows = [
            {"run_id": run_id, "part": number, "name": name, "requests": requests, "data": each}
            for name, each in data.items()
        ]
        with writing(database) as connection:
            connection.execute(statement, rows)


def count_of(database: Engine, run_id: int) -> int:
    """Return how many requests of a run are stored."""
    query = select(func.count()).where(schema.requests.c.run_id == run_id)
    with database.connect() as connection:
        return connection.execute(query).scalar_one()


def is_stored(database: Engine, run_id: int) -> int:
    """Return how many requests are in a run's arrays; 0 if it has none."""
    table = schema.request_columns.c
    query = select(func.sum(table.requests)).where(table.run_id == run_id, table.name == TEXTS[0])
    with database.connect() as connection:
        return connection.scalar(query) or 0


class StoredRequests:
    """The requests of a run: fields come from the arrays, whole requests from the rows. The arrays
    of a large run that is still running are made in memory."""

    def __init__(
        self, database: Engine, run_id: int, count: int, texts: bool, under_way: bool
    ) -> None:
        """`count`: how many requests are stored, see `count_of`; `texts`: with their answers."""
        self._database, self._run_id, self._with_answers = database, run_id, texts
        self._made: list[Part] = []
        self._numbers: dict[str, Floats] = {}
        self._texts: dict[str, Texts] = {}
        there = is_stored(database, run_id)
        if under_way and there != count:
            self._made = list(_parts(database, run_id, count))
            self._count = sum(requests for requests, _ in self._made)
        else:
            if there != count:
                _write_columns(database, run_id, count)
            self._count = is_stored(database, run_id)
        self._stride = _stride(count)  # as it was then: more may have been stored meanwhile

    @cached_property
    def complete(self) -> bool:
        """Whether all token times are available: none was left out or removed."""
        if self._stride > 1:
            return False
        table = schema.requests.c
        query = select(func.count()).where(table.run_id == self._run_id)
        with self._database.connect() as connection:
            there = connection.scalar(query.where(func.length(table.token_times) > 0))
        return there == np.count_nonzero(self.numbers(CHUNKS))

    def __len__(self) -> int:
        return self._count

    def numbers(self, name: str) -> Floats:
        if name not in self._numbers:
            parts = [_array(data, requests) for requests, data in self._read(name)]
            # A field that was added after these arrays were made is unknown.
            kept = np.concatenate(parts) if parts else np.full(len(self), np.nan)
            self._numbers[name] = kept.astype(np.float64, copy=False)
        return self._numbers[name]

    def texts(self, name: str) -> Texts:
        if name not in self._texts:
            self._texts[name] = _joined(self._read(name), self._read(f"{WORDS}{name}"))
        return self._texts[name]

    def rows(self, places: Indices) -> Iterator[Measurement]:
        if len(places) > AT_ONCE and self.complete:
            yield from map(self._rows.__getitem__, places.tolist())
            return
        repeats, indices = self.numbers("repeat"), self.numbers("index")
        for start in range(0, len(places), AT_ONCE):
            some = places[start : start + AT_ONCE]
            keys = list(zip(repeats[some].tolist(), indices[some].tolist(), strict=True))
            found = self._found(keys)
            yield from (found[key] for key in keys)

    def timed(self) -> tuple[Indices, Sequence[Times]]:
        return self._timed

    @cached_property
    def _timed(self) -> tuple[Indices, Sequence[Times]]:
        places = np.arange(0, len(self), self._stride, dtype=np.intp)
        if self.complete:
            return places, self._times
        lengths = self.numbers(CHUNKS)[places].astype(np.int64)
        times = np.concatenate([unpack(data) for _, data in self._read(SAMPLE)])
        if len(times) != lengths.sum():  # impossible times are not kept, see `pack`
            return places[:0], []
        return places, np.split(times, np.cumsum(lengths)[:-1])

    def kept_summary(self, key: str) -> dict[str, Any] | None:
        """Return the stored summary if it has this key, else None."""
        for _, data in [] if self._made else self._read(SUMMARY):
            found = orjson.loads(data)
            return found["summary"] if found["key"] == key else None
        return None

    def keep_summary(self, key: str, summary: dict[str, Any]) -> None:
        """Store a summary, replacing the previous one, unless the run is still running."""
        if self._made:
            return
        row = {"run_id": self._run_id, "part": 0, "name": SUMMARY, "requests": len(self)}
        data = orjson.dumps({"key": key, "summary": summary})
        with writing(self._database) as connection:
            statement = upsert(schema.request_columns, self._database.dialect.name)
            connection.execute(statement, [row | {"data": data}])

    @cached_property
    def _rows(self) -> list[Measurement]:
        """All requests; only for runs that are not large, whose requests fit into memory."""
        return runs.measurements(self._database, self._run_id, self._with_answers)

    @cached_property
    def _times(self) -> list[Times]:
        """The token times of all requests."""
        table = schema.requests.c
        query = select(table.token_times).where(table.run_id == self._run_id)
        with self._database.connect() as connection:
            times = list(connection.scalars(query.order_by(table.repeat, table.idx)))
        unpack_all(times)
        return times

    def _read(self, name: str) -> list[tuple[int, bytes]]:
        """The arrays with this name, one per part."""
        if self._stride == 1 and not self._made:
            return self._all.get(name, [])
        if self._made:
            return [(requests, data[name]) for requests, data in self._made]
        table = schema.request_columns.c
        query = select(table.requests, table.data).order_by(table.part)
        with self._database.connect() as connection:
            rows = connection.execute(query.where(table.run_id == self._run_id, table.name == name))
            return [(row.requests, bytes(row.data)) for row in rows]

    @cached_property
    def _all(self) -> dict[str, list[tuple[int, bytes]]]:
        """All arrays of a run that is not large, by name: one query instead of forty."""
        table = schema.request_columns.c
        query = select(table.name, table.requests, table.data).where(table.run_id == self._run_id)
        by_name: dict[str, list[tuple[int, bytes]]] = {}
        with self._database.connect() as connection:
            for name, requests, data in connection.execute(query.order_by(table.part)):
                by_name.setdefault(name, []).append((requests, bytes(data)))
        return by_name

    def _found(self, keys: Sequence[tuple[float, float]]) -> dict[tuple[float, float], Measurement]:
        wanted = schema.columns(Measurement, without=() if self._with_answers else ("answer",))
        query = select(*wanted).where(schema.requests.c.run_id == self._run_id, _matches_keys(keys))
        with self._database.connect() as connection, gc_disabled():
            found = [Measurement(*row) for row in connection.execute(query)]
        return {(m.repeat, m.index): m for m in found}


def _matches_keys(keys: Iterable[tuple[float, float]]) -> ColumnElement[bool]:
    """The condition for requests by repeat and index: as a range if they are consecutive."""
    by_repeat: dict[int, list[int]] = {}
    for repeat, index in keys:
        by_repeat.setdefault(int(repeat), []).append(int(index))
    table = schema.requests.c
    return or_(
        *(
            and_(table.repeat == repeat, _index_condition(table.idx, indices))
            for repeat, indices in by_repeat.items()
        )
    )


def _index_condition(column: Any, indices: Sequence[int]) -> ColumnElement[bool]:
    low, high = min(indices), max(indices)
    if high - low < 2 * len(indices):
        return and_(column >= low, column <= high)
    return and_(column.in_(indices))


def _parts(database: Engine, run_id: int, count: int) -> Iterator[Part]:
    """Make the arrays of a run, one part at a time."""
    stride, start = _stride(count), 0
    with database.connect() as connection:
        for rows in _rows(connection, run_id):
            first = -start % stride
            yield len(rows), _part(rows, rows[first::stride] if stride > 1 else ())
            start += len(rows)


def _rows(connection: Connection, run_id: int) -> Iterator[list[Measurement]]:
    table = schema.requests
    query = select(*schema.columns(Measurement, without=("answer",)))
    query = query.where(table.c.run_id == run_id).order_by(table.c.repeat, table.c.idx)
    result = connection.execution_options(yield_per=PART).execute(query)
    for rows in result.partitions():
        with gc_disabled():
            part = [Measurement(*row) for row in rows]
            unpack_all(m.token_times for m in part)
        yield part


def _part(rows: Sequence[Measurement], sample: Sequence[Measurement]) -> dict[str, bytes]:
    listed = RowSource(rows)
    data = {name: _bytes(listed.numbers(name)) for name in NUMBERS}
    for name in TEXTS:
        texts = listed.texts(name)
        data[name] = _bytes(texts.codes)
        data[f"{WORDS}{name}"] = orjson.dumps(texts.words)
    return data | {SAMPLE: pack([t for m in sample for t in m.token_times])}


def _stride(count: int) -> int:
    return max(1, count // SAMPLED)


def _bytes(values: NDArray[Any]) -> bytes:
    """An array as bytes, preceded by the letter of its type; a single number if all are equal."""
    whole = values.astype(np.int32) if (np.abs(values) < 2**31).all() else None  # False for NaN
    kept = values.astype("<f8") if whole is None or (whole != values).any() else whole
    if len(kept) and (np.isnan(kept).all() or (kept == kept[0]).all()):
        kept = kept[:1]
    return (b"f" if kept.dtype.kind == "f" else b"i") + kept.astype(
        "<f8" if kept.dtype.kind == "f" else "<i4"
    ).tobytes()


def _array(data: bytes, count: int) -> NDArray[Any]:
    values = np.frombuffer(data, dtype="<f8" if data[:1] == b"f" else "<i4", offset=1)
    return np.broadcast_to(values, count) if len(values) == 1 else values


def _joined(codes: Sequence[tuple[int, bytes]], words: Sequence[tuple[int, bytes]]) -> Texts:
    """The texts of all parts; each part numbers its words separately."""
    places: dict[str | None, int] = {}
    parts = []
    for (count, data), (_, of_part) in zip(codes, words, strict=True):
        mine = [places.setdefault(word, len(places)) for word in orjson.loads(of_part)]
        parts.append(np.array(mine, dtype=np.int32)[_array(data, count)])
    return Texts(np.concatenate(parts), tuple(places))
