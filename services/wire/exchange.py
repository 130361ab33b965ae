"""One request and its answer, from the first byte to the last: timestamps, text, outcome.

A failure becomes an error class and a message; nothing is raised, because a failed request is a
result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from services.ask import irregularities
from services.ask.measurement import class_of_status
from services.base import untrusted
from services.base.redact import Secret
from services.base.surrogates import join_surrogates
from services.wire.chunk import is_ping, read_chunk
from services.wire.chunk_template import ChunkTemplate
from services.wire.content import Chunk
from services.wire.encoding import Undecodable
from services.wire.message import message_of
from services.wire.ndjson import LineStream
from services.wire.phases import Phases
from services.wire.response import ParserError, Response
from services.wire.sse import BOM, Event, EventStream, StreamTooLong
from services.wire.stream_detector import STREAMS, StreamDetector
from services.wire.tool_calls import ToolCalls
from services.wire.usage import Usage

BODY_LIMIT = 64 * 2**20  # bytes of a body that is not a stream
ANSWER_BYTES = 256 * 2**20  # of a stream, decompressed
MAX_CHUNKS = 2**19  # with tokens: no model writes this many
ERROR_BYTES = 64 * 1024  # of an error's body that are read
EXCERPT_BYTES = 200  # of a body without a message that are quoted
REASONS = frozenset({"stop", "length", "tool_calls", "content_filter"})  # OpenAI's, free of secrets
REDIRECTS = "The server redirects (HTTP {}): use the address it points to."
REASON_CHARACTERS = 60  # of a finish_reason


class Exchange:
    """The state of one request. Times are `perf_counter_ns`; None: not seen."""

    # As the server reports them, and the tool calls in the answer. These are defaults of the class:
    # with 30 fields or more, CPython no longer stores an object's fields in a row, which made every
    # token take 0.3 µs longer.
    phases = Phases()
    tool_calls: ToolCalls | None = None

    def __init__(self, on_end: Callable[[], None], secrets: tuple[Secret, ...] = ()) -> None:
        self.sent: int | None = None
        self.first: int | None = None
        self.answered: int | None = None
        self.last: int | None = None
        self.ended: int | None = None
        self.token_times: list[int] = []
        self.coalesced = 0
        self.connect_s: float | None = None
        self.text: list[str] = []
        self.usage = Usage()
        self.has_usage = False
        self.finish_reason: str | None = None
        self.http_status: int | None = None
        self.error_class: str | None = None
        self.error: str | None = None
        self.cancelled = False
        self.over = False
        # Received data is still being decompressed, a little at a time: a few bytes may expand to
        # gigabytes.
        self.decompressing = False
        self._on_end = on_end
        self.secrets = secrets
        self._response = Response()
        self._stream: EventStream | LineStream | None = None
        self._template = ChunkTemplate()
        self._detector: StreamDetector | None = None  # of a 200's body
        self._error_body = bytearray()  # the body of any other answer
        self._done_received = False
        self._whole = False  # whether the answer came in one piece
        self._unknown_chunk = ""  # an excerpt of the first chunk that is not part of an answer
        self.irregularities: set[str] = set()  # names in `services.ask.irregularities`

    # --- events of the connection ------------------------------------------------------------

    def read(self, stamp: int, data: bytes) -> None:
        """Process bytes that arrived at `stamp`; b"" for what is left while `decompressing`."""
        response = self._response
        before = len(self.token_times)
        try:
            for body in response.feed(data):
                if self.over:
                    break
                self._read_body(stamp, body)
        except ParserError as error:
            self._fail_unreadable(f"The server does not answer in HTTP/1.1 ({error}).", stamp)
        except Undecodable as error:
            self._fail_unreadable(f"The answer is {error}.", stamp)
        except StreamTooLong as error:
            self.fail("stream_error", f"The stream contains {error}.", stamp)
        if len(self.token_times) - before > 1:
            self.coalesced += 1
        self.http_status = response.status
        if response.compressed:
            self.decompressing = not self.over and response.decompressing
        if response.complete and not self.over and not self.decompressing:
            self._end(stamp)

    def _fail_unreadable(self, sentence: str, stamp: int) -> None:
        """Fail because the body can't be read; an HTTP error remains an HTTP error."""
        self.http_status = self._response.status
        if self.http_status in (None, 200):
            self.fail("stream_error", sentence, stamp)
        else:
            self._end(stamp)

    def release(self) -> None:
        """Free the parser. It and the response refer to each other, and the garbage collector is
        off during a repeat."""
        self._response.release()

    def eof(self, stamp: int) -> None:
        """Handle the end of the connection."""
        if self.over:
            return
        if self.http_status is None:
            self.fail("connect", "The server closed the connection before it answered.", stamp)
        else:
            self._end(stamp)  # the body ends with its connection, or is cut off

    def fail(self, error_class: str, sentence: str, stamp: int) -> None:
        """End as failed, keeping what was received so far."""
        if not self.over:
            self.error_class, self.error = error_class, untrusted.text(sentence, self.secrets)
            self._finish(stamp)

    @property
    def endless(self) -> bool:
        """Whether the answer is longer than any real one, and would fill the memory."""
        return len(self.token_times) > MAX_CHUNKS or self._response.size > ANSWER_BYTES

    def cancel(self, stamp: int) -> None:
        """End because the run was cancelled."""
        if not self.over:
            self.cancelled = True
            self._finish(stamp)

    @property
    def unanswered(self) -> bool:
        """Whether the connection broke before any byte of an answer came."""
        return self.error_class == "connect" and not self._response.data_received

    @property
    def retry_after(self) -> str:
        """The Retry-After header of the server: seconds or a date, or ""."""
        return self._response.retry_after

    @property
    def reusable(self) -> bool:
        """Whether the connection may carry another request."""
        return self.over and self._response.complete and self._response.keep_alive

    @property
    def done_but_open(self) -> bool:
        """Whether [DONE] was received and the body has not ended."""
        return self._done_received and not self.over

    # --- content -----------------------------------------------------------------------------

    def _read_body(self, stamp: int, body: bytes) -> None:
        if self._stream is not None:
            self._read_piece(stamp, self._stream, body)
        elif self._response.status == 200:
            self._detect_stream(stamp, body)
        else:
            self._error_body += body
            if len(self._error_body) > ERROR_BYTES:
                self._end(stamp)  # enough for an error message

    def _detect_stream(self, stamp: int, body: bytes) -> None:
        detector = self._detector = self._detector or StreamDetector(self._response.content_type)
        self._stream = detector.detect(body)
        if self._stream is not None:
            self._read_piece(stamp, self._stream, bytes(detector.buffer))
        elif len(detector.buffer) > BODY_LIMIT:
            self.fail("stream_error", "The answer is not a stream and does not end.", stamp)

    def _read_piece(self, stamp: int, stream: EventStream | LineStream, body: bytes) -> None:
        at_boundary = stream.at_boundary()  # servers mostly send one event per read
        if at_boundary and (text := self._template.text(body)):
            self._count_token(stamp)
            if self.answered is None:
                self.answered = stamp
            self.text.append(text)
            return
        events = stream.feed(body)
        chunks = [self._take_event(stamp, event) for event in events]
        alone = at_boundary and len(chunks) == 1 and stream.at_boundary()
        if alone and (chunk := chunks[0]) and chunk.only_text:
            self._template.learn(body, chunk.text)

    def _take_event(self, stamp: int, event: Event) -> Chunk | None:
        """Process one event; return its chunk, or None if it has none that counts."""
        if self.over:
            return None
        kind, data = event
        if data == b"[DONE]":
            self._done_received = True
            return None
        if kind == b"error":
            self._fail_with_message(message_of(data) or _excerpt(data) or "no reason given", stamp)
            return None
        try:
            chunk = read_chunk(data, kind)
        except ValueError:
            self._take_non_json(stamp, data)
            return None
        if chunk.irregularity:
            self._note_irregularity(chunk, data)
        self.take(stamp, chunk)
        return chunk

    def _take_non_json(self, stamp: int, data: bytes) -> None:
        """Process data that is not JSON: [DONE], a keep-alive, or an error."""
        data = data.removeprefix(BOM).strip()
        if data == b"[DONE]":  # with spaces, or after a byte order mark
            self._done_received = True
        elif not data or is_ping(data):
            self.irregularities.add(irregularities.PING if data else irregularities.EMPTY_EVENT)
        else:
            excerpt = _excerpt(data)
            sentence = f"The stream contains a chunk that is not JSON: {excerpt}"
            self.fail("stream_error", sentence, stamp)

    def _note_irregularity(self, chunk: Chunk, data: bytes) -> None:
        self.irregularities.add(chunk.irregularity)
        if chunk.irregularity == irregularities.UNKNOWN_CHUNK and not self._unknown_chunk:
            self._unknown_chunk = message_of(data) or _excerpt(data)

    def _fail_with_message(self, message: str, stamp: int) -> None:
        self.fail("stream_error", f"The stream ended in an error: {message}", stamp)

    def take(self, stamp: int, chunk: Chunk) -> None:
        """Process one parsed chunk that arrived at `stamp`."""
        self._done_received = self._done_received or chunk.ends
        if chunk.finish_reason:
            self.finish_reason = self._clean_reason(chunk.finish_reason)
        if chunk.usage is not None:
            self.usage = chunk.usage.after(self.usage) if self.has_usage else chunk.usage
            self.has_usage = True
        if chunk.phases is not None:
            self.phases = chunk.phases
        if chunk.error is not None:
            self._fail_with_message(chunk.error, stamp)
            return
        if chunk.whole:
            self._take_whole(stamp, chunk)
            return
        if chunk.has_token:
            self._count_token(stamp)
        if chunk.has_answer and self.answered is None:
            self.answered = stamp
        if chunk.text:
            self.text.append(chunk.text)
        if chunk.calls:
            self._take_calls(chunk)

    def _take_calls(self, chunk: Chunk) -> None:
        self.tool_calls = self.tool_calls or ToolCalls()
        self.tool_calls.add(chunk.calls)

    def _clean_reason(self, reason: str) -> str | None:
        if reason in REASONS:
            return reason
        return untrusted.text(reason, self.secrets, REASON_CHARACTERS) or None

    def _take_whole(self, stamp: int, chunk: Chunk) -> None:
        """Process a complete answer, which may repeat what has been streamed."""
        if chunk.has_token and not self.token_times:
            self.text, self.last, self._whole = [chunk.text], stamp, True
            if chunk.calls:
                self._take_calls(chunk)
            self.irregularities.add(irregularities.NOT_STREAMED)

    def _count_token(self, stamp: int) -> None:
        if self.first is None:
            self.first = stamp
        self.last = stamp
        self.token_times.append(stamp)

    def _end(self, stamp: int) -> None:
        """Decide how the request ended, now that its whole body has been read."""
        status = self._response.status or 0
        if status != 200:
            self.fail(class_of_status(status), self._http_error(status), stamp)
        elif self._stream is not None:
            for event in self._stream.flush():
                self._take_event(stamp, event)
            self.end_stream(stamp)
        elif self._detector is not None:
            self._end_unstreamed(stamp, bytes(self._detector.buffer))
        elif self._response.content_type in STREAMS:
            self.end_stream(stamp)  # an empty stream
        else:
            self._end_unstreamed(stamp, b"")

    @property
    def answer(self) -> str:
        """The text of the answer."""
        return join_surrogates("".join(self.text))

    def end_stream(self, stamp: int) -> None:
        """End a stream after its last chunk: as succeeded, or with the reason why it failed."""
        if self.over:
            return
        has_token = bool(self.token_times) or self._whole
        stray = self._stream.stray if self._stream is not None else b""
        if self.finish_reason is None and self._unknown_chunk:
            chunk = f"JSON that is not part of an answer: {self._unknown_chunk}"
            self.fail("stream_error", f"The stream contains {chunk}", stamp)
        elif not has_token and not self._done_received and stray.strip():
            self.fail("stream_error", f"The answer is not a stream: {_excerpt(stray)}", stamp)
        elif not self._done_received and self.finish_reason is None:
            self.fail("truncated", "The stream ended without a finish_reason or [DONE].", stamp)
        elif not has_token:
            self.fail("empty", "The answer contains no tokens.", stamp)
        else:
            self._finish(stamp)

    def _end_unstreamed(self, stamp: int, body: bytes) -> None:
        """End with an answer in one piece, from a server that does not stream: it has no TTFT."""
        body = body.removeprefix(BOM).strip()
        body = body.removesuffix(b"[DONE]").rstrip().removesuffix(b"data:")
        try:
            chunk = read_chunk(body)
        except ValueError:
            chunk = Chunk(irregularity=irregularities.UNKNOWN_CHUNK)
        if chunk.error is not None:
            self.fail("stream_error", f"The answer: {chunk.error}.", stamp)
        elif chunk.irregularity:
            kind = self._response.content_type.decode("latin-1") or "no type"
            message = message_of(body)
            details = f"({kind}){message and f': {message}'}"
            self.fail("stream_error", f"The answer is not in a known API format {details}.", stamp)
        elif not chunk.has_token:
            self.fail("empty", "The answer contains no tokens.", stamp)
        else:
            self.take(stamp, chunk._replace(whole=True))
            self._finish(stamp)

    def _http_error(self, status: int) -> str:
        if 300 <= status < 400:
            return REDIRECTS.format(status)
        wait = self._response.retry_after
        return f"HTTP {status}: {self._error_message()}{wait and f' (Retry-After: {wait})'}"

    def _error_message(self) -> str:
        """Return the message in an error's body, an excerpt of it, or at least its type."""
        body = bytes(self._error_body)
        if message := message_of(body):
            return message
        if self._response.content_type == b"text/html":
            return "text/html"
        return _excerpt(body) or "no reason given"

    def _finish(self, stamp: int) -> None:
        self.ended, self.over, self.decompressing = stamp, True, False
        if self._stream is not None:
            self.irregularities |= self._stream.irregularities
        if self._response.compressed and self.http_status == 200:
            self.irregularities.add(irregularities.COMPRESSED)
        self._on_end()


def completion_callback(over: asyncio.Future[None]) -> Callable[[], None]:
    """Return a callback for an exchange's end that completes `over`; calling it again is safe."""

    def complete() -> None:
        if not over.done():
            over.set_result(None)

    return complete


def _excerpt(body: bytes) -> str:
    return body[:EXCERPT_BYTES].decode("utf-8", "replace").strip()
