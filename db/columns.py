"""Column types with which SQLite and PostgreSQL keep the same values."""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from operator import sub
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import JSON, DateTime, Dialect, Double, Integer, LargeBinary, Text
from sqlalchemy.types import TypeDecorator

from services.base.finite import LARGEST as LARGEST_64
from services.base.finite import finite, storable
from services.base.surrogates import clean

LARGEST = 2**31 - 1  # the largest INTEGER in PostgreSQL
LONGEST_S = LARGEST_64 / 4e9  # beyond it, the differences in `pack` would overflow


class Key(TypeDecorator[int]):
    """A row's id. An id that no row can have (a URL may hold any number) matches nothing; each
    database would otherwise raise its own error."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        return -1 if value is not None and not 0 <= value <= LARGEST else value


class Count(TypeDecorator[int]):
    """A count reported by a server. An impossible one is stored as unknown, so that it does not
    fail a whole batch."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        return None if value is not None and not 0 <= value <= LARGEST else value


class Utc(TypeDecorator[datetime]):
    """A time: timezone-aware when written, stored as UTC, and aware (UTC) when read, on both
    databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone. Use datetime.now(UTC).")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Number(TypeDecorator[float]):
    """A finite number or NULL, also for rows that an older version stored."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        return finite(value)

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[float | None], float | None]:
        """Called up to 200,000 times for a large run, so it avoids a decorator's overhead."""
        return finite


class Json(TypeDecorator[Any]):
    """JSON with only numbers that every reader supports (see `finite.storable`), also in rows that
    an older version stored."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return storable(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return storable(value)


class Values(Json):
    """Numbers by name. Unknown ones are left out."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return _without_none(storable(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return _without_none(storable(value))


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


class CleanText(TypeDecorator[str]):
    """Text that both databases can store, see `clean`: a server's answer may contain anything."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else clean(value)


class StoredTimes(Sequence[float]):
    """Times packed by `pack`, which are unpacked on first use: most pages need few of them. An
    array is a hundred times faster than the tuple that they are equal to."""

    __slots__ = ("_array", "_blob")

    def __init__(self, blob: bytes) -> None:
        self._blob = blob
        self._array: NDArray[np.float64] | None = None

    def __array__(self, *_: Any, **__: Any) -> NDArray[np.float64]:
        if self._array is None:
            self._array = unpack(self._blob)
        return self._array

    @property
    def packed(self) -> bytes | None:
        """The stored bytes; None once they are unpacked, or if there are none."""
        return self._blob if self._array is None and self._blob else None

    def keep(self, unpacked: NDArray[np.float64]) -> None:
        """Set the times that `unpack_all` unpacked."""
        self._array = unpacked

    def __bool__(self) -> bool:
        return bool(self._blob)

    def __len__(self) -> int:
        return len(self.__array__())

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[float, ...]: ...
    def __getitem__(self, index: int | slice) -> float | tuple[float, ...]:
        values = self.__array__()[index]
        return tuple(values.tolist()) if isinstance(index, slice) else float(values)

    def __iter__(self) -> Iterator[float]:
        return iter(self.__array__().tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredTimes | tuple) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


def unpack_all(many: Iterable[Sequence[float]]) -> None:
    """Unpack all stored times that are still packed, those of equal length together. This is four
    times faster than one by one, as a summary of a large run would do."""
    alike: dict[int, list[tuple[StoredTimes, bytes]]] = {}
    for times in many:
        if isinstance(times, StoredTimes) and times.packed is not None:
            data = zlib.decompress(times.packed)
            alike.setdefault(len(data) // 8, []).append((times, data))
    for length, group in alike.items():
        planes = np.frombuffer(b"".join(data for _, data in group), dtype=np.uint8)
        steps = np.ascontiguousarray(planes.reshape(-1, 8, length).transpose(0, 2, 1)).view("<i8")
        rows = steps[..., 0].cumsum(axis=1) / 1e9
        for (times, _), row in zip(group, rows, strict=True):
            times.keep(row)


class TokenTimes(TypeDecorator[Sequence[float]]):
    """The times of all token chunks, in seconds, in one BLOB; see `pack`."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Sequence[float] | None, dialect: Dialect) -> bytes | None:
        if isinstance(value, StoredTimes) and (value.packed or not value):
            return value.packed or b""
        return None if value is None else pack(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Sequence[float] | None:
        return StoredTimes(value) if value else ()


def pack(times: Sequence[float]) -> bytes:
    """Pack times in seconds as nanoseconds: differences, split into byte planes, deflated.

    The clock counts nanoseconds, so its times come back bit for bit. 128 tokens 10 ms apart take
    about 430 bytes, where float64 takes 1,024 and does not deflate.
    """
    if not times:
        return b""
    if not all(abs(seconds) < LONGEST_S for seconds in times):  # also false for NaN
        return b""  # beyond any clock: the times are unknown
    whole = [round(seconds * 1e9) for seconds in times]
    steps = array("q", map(sub, whole, [0, *whole]))
    if sys.byteorder == "big":
        steps.byteswap()
    data = steps.tobytes()
    return zlib.compress(b"".join(data[plane::8] for plane in range(8)), 1)


def unpack(blob: bytes) -> NDArray[np.float64]:
    """Return the seconds that `pack` was given, to the nanosecond."""
    if not blob:
        return np.empty(0)
    planes = np.frombuffer(zlib.decompress(blob), dtype=np.uint8).reshape(8, -1)
    steps = np.ascontiguousarray(planes.T).view("<i8").ravel()
    return steps.cumsum() / 1e9
