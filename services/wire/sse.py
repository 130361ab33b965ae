"""Server-sent events, cut out of bytes that may end anywhere.

Works on bytes, so that an event may be cut inside a character, and a line ends only where the
standard says it does (WHATWG HTML, 9.2.6): `\\n`, `\\r\\n` or `\\r`, never U+2028.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from services.ask.oddities import BARE_JSON, BYTE_ORDER_MARK, ONE_NEWLINE, UNENDED
from services.wire.chunk import is_whole

EVENT_LIMIT = 64 * 2**20  # bytes; an endless event must not fill the memory
LINE_BYTES = 64  # that an event's line costs beside what it holds
STRAY_BYTES = 64 * 1024  # of lines that are no part of an event
BOM = b"\xef\xbb\xbf"


class TooLong(ValueError):
    """An event or a line that passed EVENT_LIMIT without an end."""


class Event(NamedTuple):
    kind: bytes  # b"" where the stream names none
    data: bytes


class EventStream:
    """Feed it what was read, take the events that are complete.

    An event that is one whole line of JSON need not end as the standard wants it, in an empty
    line: servers leave it out between two events, or after the last.
    """

    def __init__(self, oddities: Iterable[str] = (), limit: int = EVENT_LIMIT) -> None:
        self.oddities = set(oddities)
        self._limit = limit
        self._tail = bytearray()  # a line that has no end yet
        self._after_cr = False
        self._kind = b""
        self._data: list[bytes] = []
        self._size = 0
        self._unended = False  # the last event was taken before its empty line came
        self._stray = bytearray()  # lines that are no field of an event

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
            if self._unended:
                self._after_unended(lines[0])
        else:
            self._tail += rest
        events = [event for line in lines if (event := self._line(line)) is not None]
        if self._data and not self._tail and (early := self._alone()):
            events.append(early)
            self._unended = early.data.strip() != b"[DONE]"
        if self._size + len(self._tail) > self._limit:
            raise TooLong(f"an event of more than {self._limit // 2**20} MiB")
        return events

    def between(self) -> bool:
        """Whether nothing of an event is in hand."""
        return not (self._tail or self._data or self._kind or self._after_cr)

    def rest(self) -> list[Event]:
        """Return what is whole of a body that has ended without ending it."""
        event = self._line(bytes(self._tail)) if self._tail else None
        self._tail.clear()
        found = [event] if event else []
        if last := self._alone():
            found.append(last)
        elif is_whole(self.stray) and self.stray.strip():
            self.oddities.add(BARE_JSON)
            found.append(Event(b"", self.stray))
        if last or self._unended:
            self.oddities.add(UNENDED)
        return found

    @property
    def stray(self) -> bytes:
        """The lines that are no part of any event, or the first of them."""
        return bytes(self._stray)

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        if line.startswith(b"data:"):
            value = line[6:] if line.startswith(b"data: ") else line[5:]
            earlier = self._parted() if self._data else None
            self._data.append(value)
            self._size += len(value) + LINE_BYTES
            return earlier
        if line.startswith(b"event:"):
            earlier = self._parted() if self._data else None
            self._kind = line[6:].strip()
            return earlier
        if line.startswith((b":", b"id:", b"retry:")):
            return None
        return self._no_field(line)

    def _dispatch(self) -> Event | None:
        kind, data = self._kind, self._data
        self._kind, self._data, self._size = b"", [], 0
        return Event(kind, b"\n".join(data)) if data else None

    # --- what the standard has not ------------------------------------------------------------

    def _alone(self) -> Event | None:
        """Take the event in hand if it is one line, and whole."""
        return self._dispatch() if len(self._data) == 1 and is_whole(self._data[0]) else None

    def _parted(self) -> Event | None:
        """Take the event in hand where the next begins without an empty line between them."""
        event = self._alone()
        if event is not None:
            self.oddities.add(ONE_NEWLINE)
        return event

    def _after_unended(self, line: bytes) -> None:
        self._unended = False
        if line.startswith((b"data:", b"event:")):
            self.oddities.add(ONE_NEWLINE)

    def _no_field(self, line: bytes) -> Event | None:
        """Take a line that the standard ignores: an error, JSON without a field, a byte order
        mark before a field; or nothing."""
        if line.startswith(BOM):
            self.oddities.add(BYTE_ORDER_MARK)
            return self._line(line.lstrip(BOM))  # of many; no field begins with a byte of it
        if line.startswith(b"error:"):
            return Event(b"error", line[6:].strip())
        if line.startswith(b"{") and is_whole(line):
            self.oddities.add(BARE_JSON)
            return Event(b"", line)
        if len(self._stray) < STRAY_BYTES:
            self._stray += line + b"\n"
        return None
