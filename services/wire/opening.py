"""The beginning of a body: whether a stream follows, and of which kind, whatever its type says."""

from __future__ import annotations

from services.ask import oddities
from services.wire.chunk import read_chunk
from services.wire.ndjson import LineStream
from services.wire.sse import BOM, EventStream

LOOKED_AT = 4096  # bytes, in which the first line of a stream of lines ends
FIELDS = (b"data:", b"event:", b"id:", b"retry:", b"error:", b":")


class Opening:
    """Feed it a body until it tells the stream. Until then `seen` is what came: all of a body that
    is no stream."""

    def __init__(self, content_type: bytes) -> None:
        self.seen = bytearray()
        self._declared = STREAMS.get(content_type)
        self._is_none = False

    def stream(self, body: bytes) -> EventStream | LineStream | None:
        """Take the next piece; return what is to cut all of `seen`, once that is known."""
        self.seen += body
        if self._declared is EventStream:  # it reads JSON without a field itself, line by line
            return EventStream()
        return None if self._is_none else self._told()

    def _told(self) -> EventStream | LineStream | None:
        head = bytes(self.seen[:LOOKED_AT]).removeprefix(BOM).lstrip()
        if head.startswith(FIELDS):
            return EventStream({oddities.CONTENT_TYPE})
        if any(field.startswith(head) for field in FIELDS):
            return None  # not enough of it yet
        if self._declared is not None:
            return self._declared()
        line, newline, _ = head.partition(b"\n")
        if newline or not line.startswith(b"{") or len(self.seen) > LOOKED_AT:
            self._is_none = not _goes_on(line)
            return None if self._is_none else LineStream({oddities.CONTENT_TYPE})
        return None


def _goes_on(line: bytes) -> bool:
    """Whether `line` is one chunk of an answer that has more."""
    try:
        chunk = read_chunk(line)
    except ValueError:
        return False
    return not (chunk.finish_reason or chunk.error or chunk.oddity or chunk.usage)


# Content types that are streams, and what cuts them.
STREAMS: dict[bytes, type[EventStream] | type[LineStream]] = {
    b"text/event-stream": EventStream,
    b"application/x-ndjson": LineStream,
}
