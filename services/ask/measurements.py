"""The requests of a run as one value: a sequence of measurements, and each of their fields as an
array.

A run with a duration may have a million requests. As objects they take a gigabyte and many seconds;
as arrays, a field takes 8 MB. So whatever is computed over all requests is computed from arrays,
for small and large runs alike; code that needs single requests asks for those, or iterates over
them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from math import nan
from operator import attrgetter
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from services.ask.measurement import Measurement

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]
Times = Sequence[float] | Floats  # of the chunks of an answer

TEXTS = ("status", "token_source", "error_class", "error", "finish_reason", "first_error_class")
CHUNKS = "chunks"  # number of chunks with tokens, for `Measurements.numbers`
READ_TOGETHER = "read_together"  # how many of them were read together with another
NUMBERS = (
    *(f.name for f in fields(Measurement) if f.name not in (*TEXTS, "token_times", "answer")),
    CHUNKS,
    READ_TOGETHER,
)


@dataclass(frozen=True, slots=True)
class Texts:
    """A text for each request: an index into `words`."""

    codes: NDArray[np.int32]
    words: tuple[str | None, ...]

    def are(self, word: str | None) -> Flags:
        """Return which requests have this word."""
        if word not in self.words:
            return np.zeros(len(self.codes), dtype=np.bool_)
        found: Flags = self.codes == self.words.index(word)
        return found

    def counts(self) -> Counter[str | None]:
        """Count each word, in the order of first occurrence."""
        seen, first, counts = np.unique(self.codes, return_index=True, return_counts=True)
        order = np.argsort(first)
        return Counter({self.words[seen[i]]: int(counts[i]) for i in order})


def texts_of(values: Iterable[str | None]) -> Texts:
    """Return texts encoded as indices into their distinct words."""
    indices: dict[str | None, int] = {}
    codes = [indices.setdefault(value, len(indices)) for value in values]
    return Texts(np.array(codes, dtype=np.int32), tuple(indices))


class Source(Protocol):
    """Where the requests of a run are read from, in the order of repeat and index."""

    @property
    def complete(self) -> bool:
        """Whether `timed` returns all requests."""
        ...

    def __len__(self) -> int: ...

    def numbers(self, name: str) -> Floats:
        """Return a field of NUMBERS; NaN: unknown."""
        ...

    def texts(self, name: str) -> Texts:
        """Return a field of TEXTS."""
        ...

    def rows(self, indices: Indices) -> Iterator[Measurement]:
        """Return the requests at these indices, in this order."""
        ...

    def timed(self) -> tuple[Indices, Sequence[Times]]:
        """Return the indices of all requests, or of an evenly spaced sample of them, and their
        token times."""
        ...


class Measurements(Sequence[Measurement]):
    """All requests of a run, or some of them."""

    __slots__ = ("_chosen", "source")

    def __init__(self, source: Source, chosen: slice | Indices | None = None) -> None:
        self.source = source
        self._chosen = chosen

    def numbers(self, name: str) -> Floats:
        """Return a field of NUMBERS as an array; NaN for None."""
        return self._of(self.source.numbers(name))

    def texts(self, name: str) -> Texts:
        """Return a field of TEXTS."""
        texts = self.source.texts(name)
        return Texts(self._of(texts.codes), texts.words)

    def are(self, status: str) -> Flags:
        """Return which requests have this status."""
        return self.texts("status").are(status)

    def where(self, wanted: Flags) -> Measurements:
        """Return the requests for which `wanted` is true, in the same order."""
        return self if wanted.all() else self.at(np.flatnonzero(wanted))

    def at(self, indices: Indices) -> Measurements:
        """Return the requests at these indices, in this order."""
        return Measurements(self.source, self._indices()[indices])

    def timed(self) -> tuple[Measurements, Sequence[Times]]:
        """Return the requests whose token times are available, and these times: all requests of a
        small run, an evenly spaced sample of a large one."""
        indices, times = self.timed_indices()
        return self.at(indices), times

    def timed_indices(self) -> tuple[Indices, Sequence[Times]]:
        """Return the same, with the indices of the requests instead of the requests."""
        indices, times = self.source.timed()
        if self._chosen is None:
            return indices, times
        where = np.full(len(self.source), -1, dtype=np.intp)
        where[indices] = np.arange(len(indices))
        mine = where[self._chosen]
        kept = np.flatnonzero(mine >= 0)
        return kept, [times[i] for i in mine[kept]]

    @property
    def complete(self) -> bool:
        """Whether the token times of all requests are available."""
        return self.source.complete

    def __len__(self) -> int:
        if isinstance(self._chosen, slice):
            return len(range(*self._chosen.indices(len(self.source))))
        return len(self.source) if self._chosen is None else len(self._chosen)

    @overload
    def __getitem__(self, index: int) -> Measurement: ...
    @overload
    def __getitem__(self, index: slice) -> Measurements: ...
    def __getitem__(self, index: int | slice) -> Measurement | Measurements:
        if isinstance(index, slice):
            return Measurements(self.source, self._indices()[index])
        position = range(len(self))[index]
        return next(self.source.rows(self._indices()[[position]]))

    def __iter__(self) -> Iterator[Measurement]:
        return self.source.rows(self._indices())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __repr__(self) -> str:
        return f"<{len(self):,} measurements>"

    __hash__ = None  # type: ignore[assignment]

    def _of(self, values: NDArray[Any]) -> NDArray[Any]:
        return values if self._chosen is None else values[self._chosen]

    def _indices(self) -> Indices:
        everywhere = np.arange(len(self.source), dtype=np.intp)
        return everywhere if self._chosen is None else everywhere[self._chosen]


class RowSource:
    """Requests in memory."""

    complete = True

    def __init__(self, rows: Sequence[Measurement]) -> None:
        self._rows = rows
        self._numbers: dict[str, Floats] = {}
        self._texts: dict[str, Texts] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def numbers(self, name: str) -> Floats:
        if name not in self._numbers:
            self._numbers[name] = as_floats(map(GETTERS[name], self._rows))
        return self._numbers[name]

    def texts(self, name: str) -> Texts:
        if name not in self._texts:
            self._texts[name] = texts_of(map(attrgetter(name), self._rows))
        return self._texts[name]

    def rows(self, indices: Indices) -> Iterator[Measurement]:
        return map(self._rows.__getitem__, indices.tolist())

    def timed(self) -> tuple[Indices, Sequence[Times]]:
        return np.arange(len(self._rows)), [m.token_times for m in self._rows]


def as_table(measurements: Sequence[Measurement]) -> Measurements:
    """Return requests as a table."""
    if isinstance(measurements, Measurements):
        return measurements
    return Measurements(RowSource(measurements))


def as_floats(values: Iterable[float | None]) -> Floats:
    """Return numbers as an array; NaN for None and for numbers too large for a float."""
    listed = list(values)
    try:
        return np.array(listed, dtype=np.float64)  # None becomes NaN
    except OverflowError:
        return np.array([nan if v is None else _float(v) for v in listed], dtype=np.float64)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # for an integer of hundreds of digits
        return nan


def read_together(m: Measurement) -> int:
    """Return how many of a request's chunks were read together with another one, and so have no
    arrival time of their own."""
    if not m.coalesced_reads:
        return 0
    same = np.diff(m.token_times) == 0
    return int(np.count_nonzero(np.append(same, False) | np.append(False, same)))


GETTERS: dict[str, Any] = {
    **{name: attrgetter(name) for name in NUMBERS if name not in (CHUNKS, READ_TOGETHER)},
    CHUNKS: lambda m: len(m.token_times),
    READ_TOGETHER: read_together,
}
