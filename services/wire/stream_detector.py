"""Tell from the beginning of a body whether it is a stream, and of which kind, because a server's
Content-Type may be wrong."""

from __future__ import annotations

from services.ask import irregularities
from services.wire.chunk import read_chunk
from services.wire.ndjson import LineStream
from services.wire.sse import BOM, EventStream

HEAD_BYTES = 4096  # the first line of a stream of JSON lines ends within them
SSE_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b"error:", b":")


class StreamDetector:
    """Detects whether a body is a stream, and of which kind. `buffer` holds what has been received
    until then: the whole body if it is not a stream."""

    def __init__(self, content_type: bytes) -> None:
        self.buffer = bytearray()
        self._declared = STREAMS.get(content_type)
        self._not_a_stream = False

    def detect(self, body: bytes) -> EventStream | LineStream | None:
        """Add the next piece; return a parser for the whole `buffer` once the kind is known."""
        self.buffer += body
        if self._declared is EventStream:  # it also reads JSON lines without a field name
            return EventStream()
        return None if self._not_a_stream else self._detect()

    def _detect(self) -> EventStream | LineStream | None:
        head = bytes(self.buffer[:HEAD_BYTES]).removeprefix(BOM).lstrip()
        if head.startswith(SSE_FIELDS):
            return EventStream({irregularities.CONTENT_TYPE})
        if any(field.startswith(head) for field in SSE_FIELDS):
            return None  # not enough of it yet
        if self._declared is not None:
            return self._declared()
        line, newline, _ = head.partition(b"\n")
        if newline or not line.startswith(b"{") or len(self.buffer) > HEAD_BYTES:
            self._not_a_stream = not _has_more(line)
            return None if self._not_a_stream else LineStream({irregularities.CONTENT_TYPE})
        return None


def _has_more(line: bytes) -> bool:
    """Whether `line` is a chunk of an answer that continues after it."""
    try:
        chunk = read_chunk(line)
    except ValueError:
        return False
    return not (chunk.finish_reason or chunk.error or chunk.irregularity or chunk.usage)


# Content types of streams, each with its parser.
STREAMS: dict[bytes, type[EventStream] | type[LineStream]] = {
    b"text/event-stream": EventStream,
    b"application/x-ndjson": LineStream,
}
