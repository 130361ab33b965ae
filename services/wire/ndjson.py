"""A stream of JSON, one object a line, cut out of bytes that may end anywhere."""

from __future__ import annotations

from collections.abc import Iterable

from services.wire.sse import EVENT_LIMIT, Event, TooLong


class LineStream:
    """Feed it what was read, take the lines that are complete, as events without a name."""

    def __init__(self, oddities: Iterable[str] = (), limit: int = EVENT_LIMIT) -> None:
        self.oddities = set(oddities)
        self._limit = limit
        self._tail = bytearray()

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the lines that `chunk` completes, in order; empty ones carry nothing.

        Raises:
            TooLong: the line in hand is longer than the limit.
        """
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = bytes(self._tail) + lines[0]
            self._tail = bytearray(rest)
        else:
            self._tail += rest
        if len(self._tail) > self._limit:
            raise TooLong(f"a line of more than {self._limit // 2**20} MiB")
        return [Event(b"", line) for line in lines if line.strip()]

    def between(self) -> bool:
        """Whether nothing of a line is in hand."""
        return not self._tail

    stray = b""  # every line is an event

    def rest(self) -> list[Event]:
        """Return the last line of a body that ended without ending it."""
        return [Event(b"", bytes(self._tail))] if self._tail.strip() else []
