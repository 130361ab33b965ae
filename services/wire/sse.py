"""Server-sent events, cut out of bytes that may end anywhere.

Works on bytes, so that an event may be cut inside a character, and a line ends only where the
standard says it does (WHATWG HTML, 9.2.6): `\\n`, `\\r\\n` or `\\r`, never U+2028.
"""

from __future__ import annotations

from typing import NamedTuple

EVENT_LIMIT = 64 * 2**20  # bytes; an endless event must not fill the memory


class TooLong(ValueError):
    """An event or a line that passed EVENT_LIMIT without an end."""


class Event(NamedTuple):
    kind: bytes  # b"" where the stream names none
    data: bytes


class EventStream:
    """Feed it what was read, take the events that are complete."""

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._tail = bytearray()  # a line that has no end yet
        self._after_cr = False
        self._kind = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that `chunk` completes, in order.

        Raises:
            TooLong: the event in hand is longer than the limit.
        """
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_cr = chunk.endswith(b"\r")
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = bytes(self._tail) + lines[0]
            self._tail = bytearray(rest)
        else:
            self._tail += rest
        events = [event for line in lines if (event := self._line(line)) is not None]
        if self._size + len(self._tail) > self._limit:
            raise TooLong(f"an event of more than {self._limit // 2**20} MiB")
        return events

    def between(self) -> bool:
        """Whether nothing of an event is in hand."""
        return not (self._tail or self._data or self._kind or self._after_cr)

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        if line.startswith(b"data:"):
            value = line[6:] if line.startswith(b"data: ") else line[5:]
            self._data.append(value)
            self._size += len(value)
        elif line.startswith(b"event:"):
            self._kind = line[6:].strip()
        return None  # comments, ids, retry times and unknown fields carry no data

    def _dispatch(self) -> Event | None:
        kind, data = self._kind, self._data
        self._kind, self._data, self._size = b"", [], 0
        return Event(kind, b"\n".join(data)) if data else None
