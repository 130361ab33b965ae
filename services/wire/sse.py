"""Parse server-sent events from reads that may end anywhere.

Works on bytes, because a read may end inside a character, and a line ends only where the standard
says (WHATWG HTML, 9.2.6): at `\\n`, `\\r\\n` or `\\r`, never at U+2028.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from services.ask.irregularities import BARE_JSON, BYTE_ORDER_MARK, ONE_NEWLINE, UNENDED
from services.wire.chunk import is_whole

EVENT_LIMIT = 64 * 2**20  # bytes; an endless event must not fill the memory
LINE_BYTES = 64  # memory overhead of one line of an event
STRAY_BYTES = 64 * 1024  # of lines that belong to no event
BOM = b"\xef\xbb\xbf"


class StreamTooLong(ValueError):
    """An event or a line that is longer than the limit."""


class Event(NamedTuple):
    kind: bytes  # b"" if the stream names none
    data: bytes


class EventStream:
    """Parses a stream of server-sent events.

    The standard ends an event with an empty line. An event that is one complete line of JSON may
    come without it: some servers leave out the empty line between events, or after the last.
    """

    def __init__(self, irregularities: Iterable[str] = (), limit: int = EVENT_LIMIT) -> None:
        self.irregularities = set(irregularities)
        self._limit = limit
        self._tail = bytearray()  # a line that has not ended yet
        self._after_cr = False
        self._kind = b""
        self._data: list[bytes] = []
        self._size = 0
        self._unended = False  # the last event was returned before its empty line came
        self._stray = bytearray()  # lines that are not a field of an event

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that `chunk` completes, in order.

        Raises:
            StreamTooLong: the incomplete event is longer than the limit.
        """
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_cr = chunk.endswith(b"\r")
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, remainder = chunk.split(b"\n")
        if lines:
            lines[0] = bytes(self._tail) + lines[0]
            self._tail = bytearray(remainder)
            if self._unended:
                self._after_unended(lines[0])
        else:
            self._tail += remainder
        events = [event for line in lines if (event := self._take_line(line)) is not None]
        if self._data and not self._tail and (early := self._take_if_whole()):
            events.append(early)
            self._unended = early.data.strip() != b"[DONE]"
        if self._size + len(self._tail) > self._limit:
            raise StreamTooLong(f"an event of more than {self._limit // 2**20} MiB")
        return events

    def at_boundary(self) -> bool:
        """Whether no incomplete event is buffered."""
        return not (self._tail or self._data or self._kind or self._after_cr)

    def flush(self) -> list[Event]:
        """Return the complete events left in the buffer when the body has ended."""
        event = self._take_line(bytes(self._tail)) if self._tail else None
        self._tail.clear()
        events = [event] if event else []
        if last := self._take_if_whole():
            events.append(last)
        elif is_whole(self.stray) and self.stray.strip():
            self.irregularities.add(BARE_JSON)
            events.append(Event(b"", self.stray))
        if last or self._unended:
            self.irregularities.add(UNENDED)
        return events

    @property
    def stray(self) -> bytes:
        """The lines that belong to no event, up to STRAY_BYTES."""
        return bytes(self._stray)

    def _take_line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        if line.startswith(b"data:"):
            value = line[6:] if line.startswith(b"data: ") else line[5:]
            earlier = self._take_before_next() if self._data else None
            self._data.append(value)
            self._size += len(value) + LINE_BYTES
            return earlier
        if line.startswith(b"event:"):
            earlier = self._take_before_next() if self._data else None
            self._kind = line[6:].strip()
            return earlier
        if line.startswith((b":", b"id:", b"retry:")):
            return None
        return self._take_non_field(line)

    def _dispatch(self) -> Event | None:
        kind, data = self._kind, self._data
        self._kind, self._data, self._size = b"", [], 0
        return Event(kind, b"\n".join(data)) if data else None

    # --- deviations from the standard ---------------------------------------------------------

    def _take_if_whole(self) -> Event | None:
        """Return the buffered event if it is one complete line."""
        return self._dispatch() if len(self._data) == 1 and is_whole(self._data[0]) else None

    def _take_before_next(self) -> Event | None:
        """Return the buffered event if the next one begins without an empty line between them."""
        event = self._take_if_whole()
        if event is not None:
            self.irregularities.add(ONE_NEWLINE)
        return event

    def _after_unended(self, line: bytes) -> None:
        self._unended = False
        if line.startswith((b"data:", b"event:")):
            self.irregularities.add(ONE_NEWLINE)

    def _take_non_field(self, line: bytes) -> Event | None:
        """Handle a line that the standard ignores: an error, JSON without a field name, or a field
        after a byte order mark."""
        if line.startswith(BOM):
            self.irregularities.add(BYTE_ORDER_MARK)
            return self._take_line(line.lstrip(BOM))  # no field begins with one of its bytes
        if line.startswith(b"error:"):
            return Event(b"error", line[6:].strip())
        if line.startswith(b"{") and is_whole(line):
            self.irregularities.add(BARE_JSON)
            return Event(b"", line)
        if len(self._stray) < STRAY_BYTES:
            self._stray += line + b"\n"
        return None
