"""Split a stream of JSON lines out of reads that may end anywhere."""

from __future__ import annotations

from collections.abc import Iterable

from services.wire.sse import EVENT_LIMIT, Event, StreamTooLong


class LineStream:
    """Parses a stream of JSON lines into events without a name."""

    def __init__(self, irregularities: Iterable[str] = (), limit: int = EVENT_LIMIT) -> None:
        self.irregularities = set(irregularities)
        self._limit = limit
        self._tail = bytearray()

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the non-empty lines that `chunk` completes, in order.

        Raises:
            StreamTooLong: the incomplete line is longer than the limit.
        """
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = bytes(self._tail) + lines[0]
            self._tail = bytearray(rest)
        else:
            self._tail += rest
        if len(self._tail) > self._limit:
            raise StreamTooLong(f"a line of more than {self._limit // 2**20} MiB")
        return [Event(b"", line) for line in lines if line.strip()]

    def at_boundary(self) -> bool:
        """Whether no incomplete line is buffered."""
        return not self._tail

    stray = b""  # every line is an event

    def flush(self) -> list[Event]:
        """Return the last line of a body that ended without a newline."""
        return [Event(b"", bytes(self._tail))] if self._tail.strip() else []
