"""One answer, from its first byte to its last: stamped, parsed, judged.

What is wrong with an answer becomes an error class and a sentence; nothing is raised, because a
failed request is a result.
"""

from __future__ import annotations

from collections.abc import Callable

import httptools

from services.redact import redact
from services.wire.chunk import Chunk, Usage, error_text, read_chunk
from services.wire.sse import Event, EventStream, EventTooLong

BODY_LIMIT = 64 * 2**20  # bytes of a body that is not a stream of events
ERROR_BYTES = 64 * 1024  # of an error's body that are read


class Exchange:
    """The state of one request. Times are `perf_counter_ns`; None: not seen."""

    def __init__(self, on_end: Callable[[], None], secrets: tuple[str, ...] = ()) -> None:
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
        self.reusable = False
        self.over = False
        self._on_end = on_end
        self._secrets = secrets
        self._parser = httptools.HttpResponseParser(self)
        self._events = EventStream()
        self._bodies: list[bytes] = []  # of this read
        self._plain = bytearray()  # a body that is not a stream
        self._type = b""
        self._encoding = b""
        self._heard = False
        self._said_done = False
        self._complete = False

    # --- what the connection tells -----------------------------------------------------------

    def read(self, stamp: int, data: bytes) -> None:
        """Take bytes that arrived at `stamp`."""
        self._heard = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.fail("stream_error", f"The server does not answer in HTTP/1.1 ({error}).", stamp)
            return
        bodies, self._bodies = self._bodies, []
        before = len(self.token_times)
        for body in bodies:
            self._body(stamp, body)
        if len(self.token_times) - before > 1:
            self.coalesced += 1
        if self._complete and not self.over:
            self._end(stamp)

    def eof(self, stamp: int) -> None:
        """Take the end of the connection."""
        if self.over:
            return
        if self.http_status is None:
            self.fail("connect", "The server closed the connection before it answered.", stamp)
        elif self.http_status != 200 or self._plain:
            self._end(stamp)  # a body that ends with its connection
        else:
            self.judge(stamp)

    def fail(self, error_class: str, sentence: str, stamp: int) -> None:
        """End as failed, keeping what was seen so far."""
        if self.over:
            return
        self.error_class, self.error = error_class, redact(sentence, self._secrets)
        self._finish(stamp)

    def cancel(self, stamp: int) -> None:
        """End because the run was cancelled."""
        if not self.over:
            self.cancelled = True
            self._finish(stamp)

    @property
    def unheard(self) -> bool:
        """Whether the connection broke before one byte of an answer came."""
        return self.error_class == "connect" and not self._heard

    @property
    def done_but_open(self) -> bool:
        """The stream has said [DONE], and its body has not ended."""
        return self._said_done and not self.over

    # --- what httptools tells ----------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._complete:
            return
        name = name.lower()
        if name == b"content-type":
            self._type = value.split(b";")[0].strip().lower()
        elif name == b"content-encoding":
            self._encoding = value.strip().lower()

    def on_headers_complete(self) -> None:
        if self._complete:  # what follows a whole answer is none of this request's business
            return
        self.http_status = self._parser.get_status_code()
        self.reusable = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        if not self._complete:
            self._bodies.append(body)

    def on_message_complete(self) -> None:
        if self.http_status is not None and self.http_status < 200:
            self.http_status = None  # "100 Continue" and its like announce the real answer
        else:
            self._complete = True

    # --- what it means -----------------------------------------------------------------------

    def _body(self, stamp: int, body: bytes) -> None:
        if self.over:
            return
        if self.http_status == 200 and self._encoding not in (b"", b"identity"):
            name = self._encoding.decode("latin-1")
            self.fail("stream_error", f"The answer is compressed ({name}), unasked.", stamp)
        elif self.http_status == 200 and self._type == b"text/event-stream":
            self._stream(stamp, body)
        elif len(self._plain) < (BODY_LIMIT if self.http_status == 200 else ERROR_BYTES):
            self._plain += body
        elif self.http_status == 200:
            self.fail("stream_error", "The answer is no stream and does not end.", stamp)

    def _stream(self, stamp: int, body: bytes) -> None:
        try:
            events = self._events.feed(body)
        except EventTooLong as error:
            self.fail("stream_error", f"The stream holds {error}.", stamp)
            return
        for event in events:
            if self.over:
                return
            self._event(stamp, event)

    def _event(self, stamp: int, event: Event) -> None:
        if event.data.strip() == b"[DONE]":
            self._said_done = True
            return
        try:
            chunk = read_chunk(event.data)
        except ValueError:
            self.fail("stream_error", "The stream holds a chunk that is not JSON.", stamp)
            return
        if event.kind == b"error" or chunk.error is not None:
            why = chunk.error or event.data[:200].decode("utf-8", "replace")
            self.fail("stream_error", f"The stream ended in an error: {why}", stamp)
            return
        self.take(stamp, chunk)

    def take(self, stamp: int, chunk: Chunk) -> None:
        """Take one chunk of a stream, already read, that arrived at `stamp`."""
        if chunk.has_token:
            self.first = self.first if self.first is not None else stamp
            self.last = stamp
            self.token_times.append(stamp)
        if chunk.has_answer:
            self.answered = self.answered if self.answered is not None else stamp
        if chunk.text:
            self.text.append(chunk.text)
        if chunk.finish_reason:
            self.finish_reason = chunk.finish_reason
        if chunk.usage is not None:
            self.usage, self.has_usage = chunk.usage, True

    def _end(self, stamp: int) -> None:
        status = self.http_status or 0
        if status != 200:
            self.fail(_class_of(status), self._refusal(status), stamp)
        elif self._type == b"text/event-stream":
            self.judge(stamp)
        else:
            self._whole(stamp)

    def judge(self, stamp: int) -> None:
        """End a stream whose last chunk has been taken, as what it turned out to be."""
        if not self._said_done and self.finish_reason is None:
            self.fail("truncated", "The stream ended without a finish_reason or [DONE].", stamp)
        elif not self.token_times:
            self.fail("empty", "The answer holds no token.", stamp)
        else:
            self._finish(stamp)

    def _whole(self, stamp: int) -> None:
        """An answer in one piece, from a server that does not stream: no TTFT to be had."""
        try:
            chunk = read_chunk(bytes(self._plain))
        except ValueError:
            kind = self._type.decode("latin-1") or "no type"
            self.fail("stream_error", f"The answer is not a chat completion ({kind}).", stamp)
            return
        if chunk.error is not None or not chunk.has_token:
            why = chunk.error or "it holds no token"
            self.fail("stream_error" if chunk.error else "empty", f"The answer: {why}.", stamp)
            return
        self.text, self.last = [chunk.text], stamp
        self.finish_reason = chunk.finish_reason
        self.usage, self.has_usage = chunk.usage or Usage(), chunk.usage is not None
        self._finish(stamp)

    def _refusal(self, status: int) -> str:
        if 300 <= status < 400:
            return f"The server redirects (HTTP {status}): use the address it points to."
        try:
            why = read_chunk(bytes(self._plain)).error or error_text(self._plain.decode()[:200])
        except ValueError:
            why = self._type.decode("latin-1") or "no reason given"
        return f"HTTP {status}: {why}"

    def _finish(self, stamp: int) -> None:
        self.ended, self.over = stamp, True
        self.reusable = self.reusable and self._complete
        self._on_end()


def _class_of(status: int) -> str:
    return "http_429" if status == 429 else f"http_{status // 100}xx"
