"""A sample of the values of a run, which may last for hours."""

from __future__ import annotations

from typing import Generic, TypeVar

MAX_VALUES = 8192
T = TypeVar("T")


class EvenSample(Generic[T]):
    """A sample of the values of a run that may take hours: at most MAX_KEPT, evenly spread over
    all of them."""

    def __init__(self) -> None:
        self.values: list[T] = []
        self._every = 1
        self._seen = 0

    def add(self, value: T) -> None:
        if self._seen % self._every == 0:
            self.values.append(value)
            if len(self.values) > MAX_VALUES:
                del self.values[1::2]
                self._every *= 2
        self._seen += 1
